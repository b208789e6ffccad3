"""How a benchmark keeps what it measured: rows in a JSON file, one after another, and a table."""

import json
from pathlib import Path
from typing import Any

from fer_jax import writers
from fer_jax.errors import UserError

SCHEMA = 1
FOLDER = Path("results/benchmarks")


def load_rows(path: Path) -> list[dict[str, Any]]:
    """Read the rows that an earlier call measured; none if there is no such file.

    Raises:
      UserError: it is no file of a benchmark, or of another schema.
    """
    if not path.exists():
        return []
    try:
        held = json.loads(path.read_text())
        schema, rows = held["schema"], held["rows"]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise UserError(f"{path} is no file of a benchmark; remove it, or name another") from error
    if schema != SCHEMA:
        raise UserError(f"{path} has schema {schema}, and this code has {SCHEMA}; remove it")
    return rows


def save_rows(
    path: Path, rows: list[dict[str, Any]], *, measured_on: str | None = None
) -> None:
    """Write all rows so far, with where they come from; beside the file first, then renamed.

    `measured_on` is the device, where other processes measure and this one must not open it.
    """
    from fer_jax import provenance

    path.parent.mkdir(parents=True, exist_ok=True)
    made = provenance.describe(measured_on=measured_on)
    writers.write_json(path, {"schema": SCHEMA, **made, "rows": rows})


def made_by(held: dict[str, Any]) -> str:
    """Tell what measured a file's numbers: device, commit and command."""
    commit = held["commit"] or "unknown"
    short = commit[:12] + "-dirty" * commit.endswith("-dirty")
    return f"{held['device']}, commit {short}: `{held['command']}`."


def show(table: Any) -> None:
    """Print a `report.Table`."""
    from fer_jax.report import print_table

    print_table(table)
    print()


def number(value: float | None, form: str = ",.0f") -> str:
    """Write a number, or a dash for what was not measured."""
    return "—" if value is None else format(value, form)
