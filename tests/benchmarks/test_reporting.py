"""Rows that benchmarks keep, and the tables in their README."""

import json

import pytest

from benchmarks import reporting, tables
from fer_jax.errors import UserError


def test_rows_come_back_and_another_file_is_refused(tmp_path):
    path = tmp_path / "deep" / "a.json"
    assert reporting.load_rows(path) == []
    reporting.save_rows(path, [{"x": 1}])
    assert reporting.load_rows(path) == [{"x": 1}]
    assert {"device", "commit", "command"} <= json.loads(path.read_text()).keys()
    other = '{"schema": 9, "rows": []}'
    for text, message in (("[]", "no file of a benchmark"), (other, "schema")):
        path.write_text(text)
        with pytest.raises(UserError, match=message):
            reporting.load_rows(path)


def test_a_benchmark_has_its_tables_or_says_that_it_was_not_run(tmp_path):
    assert tables.describe("memory", tmp_path) == "Not measured yet."
    row = {"config": "configs/vgg.py", "stage": "imports", "resident_mib": 1.4, "peak_mib": 2.0}
    reporting.save_rows(tmp_path / "memory.json", [row])
    assert "| imports | 1 | 2 |" in tables.describe("memory", tmp_path)


def test_the_readme_has_a_place_for_each_table():
    text = tables.README.read_text()
    for name in tables.TABLES:
        changed = tables.replace_block(text, "new", name=name)
        assert f"<!-- {name}:begin -->\nnew\n<!-- {name}:end -->" in changed
    with pytest.raises(UserError, match="put the two lines back"):
        tables.replace_block("nothing", "new", name="gpu")


def test_a_tables_source_says_if_the_tree_was_changed():
    held = {"device": "2 CPU cores (P)", "commit": "0123456789abcdef", "command": "python -m x"}
    assert reporting.made_by(held) == "2 CPU cores (P), commit 0123456789ab: `python -m x`."
    changed = held | {"commit": "0123456789abcdef-dirty"}
    assert "commit 0123456789ab-dirty:" in reporting.made_by(changed)
    assert "commit unknown:" in reporting.made_by(held | {"commit": None})
