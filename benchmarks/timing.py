"""Time things side by side: in turns, so that whatever else the machine does meets each alike."""

import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from fer_jax import provenance
from fer_jax.writers import write_json


def alternate(ways: Mapping[str, Callable[[], Any]], *, repeats: int) -> dict[str, dict[str, Any]]:
    """Call each way once to warm up, then all in turn `repeats` times.

    Each must wait until its work is done. Returns the seconds of each way: `first` (with its
    compiling), `median`, `least`, and `all` of them.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(1 + repeats):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - began)
    return {
        name: {
            "first": first, "median": statistics.median(rest), "least": min(rest), "all": rest,
        }
        for name, (first, *rest) in seconds.items()
    }


def report(path: Path, measured: dict[str, Any], table: Table) -> None:
    """Write what was measured, with where it comes from, as JSON, and print the table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {"schema": 1, **provenance.describe(), **measured})
    Console().print(table)
    print(f"wrote {path}")


def make_table(title: str, *columns: str) -> Table:
    """Make a table whose first column is text and whose others are numbers."""
    table = Table(title=title, title_justify="left")
    for i, column in enumerate(columns):
        table.add_column(column, justify="right" if i else "left")
    return table
