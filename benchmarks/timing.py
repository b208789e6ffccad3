"""Time things side by side: in turns, so that whatever else the machine does meets each alike."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
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


def summarise(
    times: list[tuple[float, float]], peak: int | None, batch: int
) -> dict[str, float | None]:
    """Summarise the calls of one side, each its (seconds, seconds of processor time)."""
    seconds, processor = zip(*times, strict=True)
    return {
        "images_per_second": batch / statistics.median(seconds),
        "median_ms": 1e3 * statistics.median(seconds),
        "least_ms": 1e3 * min(seconds),
        "processor_ms": 1e3 * statistics.median(processor),
        "peak_memory_bytes": peak,
    }


def compare_sides(
    ours: Mapping[str, float | None], other: Mapping[str, float | None]
) -> dict[str, float]:
    """Return how many times as fast as the other side ours is; both are as `summarise` gives."""
    return {
        "ratio": ours["images_per_second"] / other["images_per_second"],
        # For a machine that others load: of each side's quickest call, and of processor time.
        "ratio_of_least": other["least_ms"] / ours["least_ms"],
        "ratio_of_processor_time": other["processor_ms"] / ours["processor_ms"],
    }


def try_in_turn(
    runs: Sequence[Callable[..., list[tuple[float, float]]]], *, trials: int
) -> list[float]:
    """Return the median seconds of each of several ways, after two calls of each to warm up.

    A way is called with `count` and returns as many (seconds, seconds of processor time).
    """
    for run in runs:
        run(count=2)
    times = [[] for _ in runs]
    for _ in range(trials):
        for run, seconds in zip(runs, times, strict=True):
            seconds += [wall for wall, _ in run(count=1)]
    return [statistics.median(seconds) for seconds in times]


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
