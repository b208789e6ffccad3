"""What the pages include and nobody types: the papers' tables from the ledger, the API's pages."""

import ast
import json
from collections import Counter
from pathlib import Path
from typing import Any

from experiments.ledger_pages import READING, paper_markdown
from experiments.ledger_rows import HONEST, PAPERS
from fer_jax.files import write_text

# The pages of docs/ by the caption of their contents; one that a checkout lacks is left out.
CONTENTS = {
    "Use": ("start", "training", "predict", "playground", "export", "pretrained"),
    "Numbers": ("results", "papers/index", "ledger", "protocols", "benchmarks", "scaling"),
    "Work on it": ("house", "extend", "api", "contributing", "changelog"),
}

# The rooms of the package, by the name of their page in the API.
ROOMS = {
    "ops": ("Array functions", "fer_jax/ops/*.py"),
    "models": ("Networks", "fer_jax/models/*.py"),
    "data": ("Data", "fer_jax/data/*.py"),
    "report": ("Report", "fer_jax/report/*.py"),
    "playground": ("Playground", "fer_jax/playground/*.py"),
    "commands": ("Commands", "fer_jax/commands/*.py"),
    "loop": ("Training, evaluation and use", "fer_jax/*.py"),
}


def write_all(root: Path) -> None:
    """Write the generated pages into docs/_generated; a page that is as before is not touched."""
    for name, text in build(root).items():
        path = root / "docs" / "_generated" / name
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, text)


def build(root: Path) -> dict[str, str]:
    """Return the text of every generated page by its path in docs/_generated."""
    held = json.loads((root / "ledger.json").read_text())
    pages = {f"tables/{paper}.md": paper_table(paper, held["numbers"]) for paper in PAPERS}
    pages |= {f"tables/{paper}-found.md": found(paper, held["numbers"]) for paper in PAPERS}
    pages["tables/reading.md"] = "\n\n".join(READING) + "\n"
    pages["tables/alarms.md"] = alarm_list(held["alarms"])
    pages["tables/contents.md"] = contents(root / "docs")
    pages |= {f"api/{room}.md": api_page(root, room) for room in ROOMS}
    return pages


def contents(docs: Path) -> str:
    """List the pages that there are, as the first page's tables of contents."""
    listed = set().union(*CONTENTS.values())
    others = sorted(path.stem for path in docs.glob("*.md") if path.stem not in listed | {"index"})
    parts = []
    for caption, names in {**CONTENTS, "More": tuple(others)}.items():
        there = [name for name in names if (docs / f"{name}.md").exists()]
        if there:
            pages = "\n".join(there)
            parts.append(f"```{{toctree}}\n:caption: {caption}\n:maxdepth: 1\n\n{pages}\n```")
    return "\n\n".join(parts) + "\n"


def paper_table(paper: str, numbers: list[dict[str, Any]]) -> str:
    """Write the numbers that a paper reports with ours beside them, as Markdown without a title."""
    text = paper_markdown(paper, PAPERS[paper], numbers)
    return text.partition("\n\n")[2] + "\n"


def found(paper: str, numbers: list[dict[str, Any]]) -> str:
    """Say of how many of a paper's own numbers there is one of ours, and how they compare."""
    own = [n for n in numbers if n["paper"] == paper and n["kind"] == "own"]
    verdicts = Counter(n["verdict"] for n in own if n["verdict"])
    beside = sum(any(n[kind] for kind in ("same", *HONEST)) for n in own)
    listed = "; ".join(f"{verdict}: {count}" for verdict, count in sorted(verdicts.items()))
    said = f"Of the {len(own)} numbers that the paper reports as its own, {beside} have one of ours "
    return f"{said}beside them. Verdicts: {listed or 'none'}.\n"


def alarm_list(alarms: dict[str, list[str]]) -> str:
    """List what the evaluations in results/ say against themselves."""
    return "\n".join(f"- `{run}`: {'; '.join(said)}" for run, said in alarms.items()) + "\n"


def api_page(root: Path, room: str) -> str:
    """Write the page of a room: each of its modules, with what is public in it."""
    title, pattern = ROOMS[room]
    parts = [f"# {title}"]
    for path in sorted(root.glob(pattern)):
        name = ".".join(path.relative_to(root).with_suffix("").parts)
        if path.name in ("__init__.py", "__main__.py") and not _defines(path):
            continue
        module = name.removesuffix(".__init__")
        parts.append(f"## {module}\n\n```{{eval-rst}}\n.. automodule:: {module}\n```")
    return "\n\n".join(parts) + "\n"


def _defines(path: Path) -> bool:
    """Tell whether a file has a public function or class of its own."""
    kinds = (ast.FunctionDef, ast.ClassDef)
    return any(
        isinstance(node, kinds) and not node.name.startswith("_")
        for node in ast.parse(path.read_text()).body
    )
