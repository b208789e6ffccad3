"""Make the tables of what takes turns in one process: exported files, streamed faces, seeds."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import reporting


def describe(name: str, folder: Path) -> str:
    """Return what stands in `folder/FILE` as Markdown, with its device, commit and command."""
    from fer_jax.report import Table
    from fer_jax.report.tables import markdown

    file, title, columns, cells_of = TABLES[name]
    path = folder / file
    if not path.exists():
        return "Not measured yet."
    held = json.loads(path.read_text())
    table = markdown(Table(title, columns, list(cells_of(held)))).strip()
    return f"{table}\n\n{reporting.made_by(held)}"


def _of_export(held: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    for row in held["rows"]:
        yield (
            f"{held['model']}, run {held['run']}", str(row["batch"]), row["runtime"],
            f"{row['images_per_second']:,.0f}", f"{row['difference']:.1e}",
        )


def _of_streaming(held: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    for way, row in held["rows"].items():
        yield way, f"{row['images_per_second']:,.0f}", f"{row['of_resident']:.0%}"


def _of_seeds(held: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    for row in held["rows"]:
        speeds = (f"{row[way]['images_per_second']:,.0f}" for way in ("together", "sequence"))
        yield str(row["seeds"]), *speeds, f"{row['ratio']:.2f}"


# By the block's name: file, title, columns, and what makes the rows.
TABLES = {
    "export": (
        "export.json", "Exported files",
        ("network", "batch", "runtime", "faces/s", "greatest difference"), _of_export,
    ),
    "streaming": (
        "streaming.json", "Streamed faces",
        ("faces are", "images/s", "of resident"), _of_streaming,
    ),
    "seeds": (
        "seeds-resnet9.json", "Seeds in one program",
        ("seeds", "together, images/s", "in turn, images/s", "ratio"), _of_seeds,
    ),
}
