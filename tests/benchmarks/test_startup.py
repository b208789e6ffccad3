"""The start-up benchmark: what it runs, and its table."""

import pytest

from benchmarks import startup
from fer_jax.errors import UserError


def test_a_command_is_timed_and_its_stages_are_read(tmp_path, monkeypatch):
    (tmp_path / "waiting.py").write_text(
        'import json, time\nprint("STAGE " + json.dumps(["begun", time.time()]))\n'
    )
    monkeypatch.chdir(tmp_path)
    found = startup._run(["waiting"])
    assert 0 < found["stages"]["begun"] <= found["seconds"]
    assert found["cpu_seconds"] > 0
    table = startup.make_table([{"what": "waiting", **found}])
    assert table.rows[0][0] == "waiting" and "begun" in table.notes[0]


def test_a_command_that_fails_is_named(tmp_path, monkeypatch):
    (tmp_path / "failing.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="python -m failing failed"):
        startup._run(["failing"])
