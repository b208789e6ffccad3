"""Tables of exported files, streamed faces and seeds say what their files hold."""

import json

import pytest

from benchmarks import turn_tables

MADE = {"device": "2 CPU cores (P)", "commit": "0123456789abcdef", "command": "python -m x"}
SPEED = {"images_per_second": 1234.4}
HELD = {
    "export": {
        "model": "vgg", "run": "r",
        "rows": [{"batch": 64, "runtime": "ONNX", "difference": 2e-7, **SPEED}],
    },
    "streaming": {"rows": {"streamed": {"of_resident": 0.5, **SPEED}}},
    "seeds": {"rows": [{"seeds": 4, "together": SPEED, "sequence": SPEED, "ratio": 1.0}]},
}
ROWS = {
    "export": "| vgg, run r | 64 | ONNX | 1,234 | 2.0e-07 |",
    "streaming": "| streamed | 1,234 | 50% |",
    "seeds": "| 4 | 1,234 | 1,234 | 1.00 |",
}


@pytest.mark.parametrize("name", turn_tables.TABLES)
def test_a_table_has_its_files_rows_and_where_they_come_from(name, tmp_path):
    assert turn_tables.describe(name, tmp_path) == "Not measured yet."
    (tmp_path / turn_tables.TABLES[name][0]).write_text(json.dumps(HELD[name] | MADE))
    text = turn_tables.describe(name, tmp_path)
    assert ROWS[name] in text
    assert text.endswith("2 CPU cores (P), commit 0123456789ab: `python -m x`.")
