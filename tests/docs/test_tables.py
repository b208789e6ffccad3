"""What the documentation includes: a table a paper, and every module of the package once."""

import ast
import re
import sys
from pathlib import Path

import pytest

from experiments.ledger_rows import PAPERS
from fer_jax.configuring import REPOSITORY

sys.path.append(str(REPOSITORY / "docs"))  # as Sphinx's conf.py does

import tables

DOCS = REPOSITORY / "docs"
PAGES = tables.build(REPOSITORY)


@pytest.mark.parametrize("paper", PAPERS)
def test_a_papers_page_includes_its_numbers(paper):
    table = PAGES[f"tables/{paper}.md"]
    assert table.startswith("| number (place) |")
    included = f"_generated/tables/{paper}.md"
    assert [p for p in (DOCS / "papers").glob("*.md") if included in p.read_text()]


def test_what_was_found_is_counted():
    number = {"paper": "gao", "kind": "own", "same": None, "plain": None, "clean": None,
              "strict": None, "verdict": ""}
    numbers = [
        number, number | {"same": {"value": 1}, "verdict": "reproduced"},
        number | {"clean": {"value": 1}, "verdict": "reproduced"},
        number | {"verdict": "cannot be right"}, number | {"kind": "cited"},
        number | {"paper": "li2023"},
    ]
    assert tables.found("gao", numbers) == (
        "Of the 4 numbers that the paper reports as its own, 2 have one of ours beside them. "
        "Verdicts: cannot be right: 1; reproduced: 2.\n"
    )


def test_every_module_with_something_public_is_in_the_api_once():
    listed = [
        name for path, page in PAGES.items() if path.startswith("api/")
        for name in re.findall(r"automodule:: (\S+)", page)
    ]
    assert len(listed) == len(set(listed))
    expected = set()
    for path in (REPOSITORY / "fer_jax").rglob("*.py"):
        parts = path.relative_to(REPOSITORY).with_suffix("").parts
        if path.stem not in ("__init__", "__main__") and public(path):
            expected.add(".".join(parts))
    assert expected - set(listed) == set()


def public(path: Path) -> bool:
    kinds = (ast.FunctionDef, ast.ClassDef)
    return any(isinstance(node, kinds) and not node.name.startswith("_")
               for node in ast.parse(path.read_text()).body)


def test_the_contents_list_the_pages_that_there_are(tmp_path):
    for name in ("start", "scaling", "of_my_own", "index"):
        (tmp_path / f"{name}.md").touch()
    listed = tables.contents(tmp_path)
    assert re.findall(r"^\w+$", listed, re.M) == ["start", "scaling", "of_my_own"]


def test_every_page_of_the_real_contents_is_written_by_hand_or_here():
    named = [name for names in tables.CONTENTS.values() for name in names]
    assert len(named) == len(set(named))
    assert {path.stem for path in DOCS.glob("*.md")} <= {*named, "index"}
