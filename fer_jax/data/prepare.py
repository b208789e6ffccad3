"""Prepare a dataset: read it in whatever layout it came, check it, store it for training."""

import argparse
import contextlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from rich.box import SIMPLE
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from fer_jax.data.faces import EMOTIONS, Faces, save_faces
from fer_jax.data.sources import LAYOUTS, read_source
from fer_jax.data.splits import default_data_dir
from fer_jax.errors import UsageError, UserError, run_command, suggest

DATASETS = ("fer2013",)
SECONDS_BETWEEN_LINES = 5.0  # of progress, where there is no terminal to draw a bar on

# Faces of each emotion, in the order of EMOTIONS, as the challenge published them.
OFFICIAL_COUNTS = {
    "Training": (3995, 436, 4097, 7215, 4830, 3171, 4965),
    "PublicTest": (467, 56, 496, 895, 653, 415, 607),
    "PrivateTest": (491, 55, 528, 879, 594, 416, 626),
}


@run_command
def main(argv: list[str] | None = None) -> None:
    """Run `python -m fer_jax.data.prepare`."""
    flags = _parse_flags(argv)
    prepare(flags.source, data_dir=flags.data_dir, skip_bad_rows=flags.skip_bad_rows)


def prepare(source: Path, *, data_dir: Path, skip_bad_rows: bool = False) -> Path:
    """Read FER2013 from `source` and write the TFDS files and DATA_DIR/fer2013.npz.

    Both are written beside their places and moved there at the end, so a reader finds the old
    dataset or the new one. The layout found, warnings and the counts are printed.

    Returns:
      The path of the array file that training reads.

    Raises:
      UserError: the source cannot be read, or the dataset cannot be written.
    """
    console = Console(width=80, soft_wrap=True, highlight=False)
    source = source.expanduser()
    with _progress() as track:
        found = read_source(
            source,
            skip_bad_rows=skip_bad_rows,
            track=lambda items, total: track(items, total, "read"),
        )
    console.print(f"{source}: {found.layout}, {len(found.faces.images):,} faces", markup=False)
    for remark in [*found.remarks, *count_warnings(found.faces)]:
        print(f"warning: {remark}", file=sys.stderr)
    arrays = _write(found.faces, data_dir)
    console.print(_count_table(found.faces), soft_wrap=False)
    console.print(
        f"wrote {arrays} (training reads it)\n"
        f"      {data_dir / 'fer2013'} (TFDS, array_record)\n"
        f"next: python -m fer_jax.main --config=configs/vgg_dae.py --data_dir={data_dir}",
        markup=False,
    )
    return arrays


def count_faces(faces: Faces) -> dict[str, np.ndarray]:
    """Count the faces of each emotion, i64 [7], by usage in the order of the challenge."""
    usages = [usage for usage in (*OFFICIAL_COUNTS, "Test") if usage in faces.usage]
    return {u: np.bincount(faces.emotion[faces.usage == u], minlength=7) for u in usages}


def count_warnings(faces: Faces) -> list[str]:
    """Say where the counts are not the official ones: a line a usage, with both numbers."""
    counts = count_faces(faces)
    official = {usage: np.array(n) for usage, n in OFFICIAL_COUNTS.items()}
    if "Test" in counts:  # the halves are not told apart: compare with their sum
        official["Test"] = official.pop("PublicTest") + official.pop("PrivateTest")
    lines = []
    for usage, expected in official.items():
        got = counts.get(usage, np.zeros_like(expected))
        named = zip(EMOTIONS, got, expected, strict=True)
        other = [f"{name} {a:,}, official {b:,}" for name, a, b in named if a != b]
        if other:
            total = f"{usage} holds {got.sum():,} faces, official {expected.sum():,}"
            lines.append(f"{total} ({'; '.join(other)})")
    return lines


def _write(faces: Faces, data_dir: Path) -> Path:
    # Writing TFDS files needs TFDS, training does not: nothing else in the package imports it.
    from fer_jax.data.builders import write_fer2013

    beside, records, arrays = (data_dir / n for n in ("fer2013.tmp", "fer2013", "fer2013.npz"))
    try:
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        with _progress() as track:
            write_fer2013(
                faces,
                data_dir=beside,
                track=lambda items, usage: track(items, len(items), f"write {usage}"),
            )
        save_faces(beside / arrays.name, faces)
        if records.exists():
            # A folder cannot be replaced at one stroke; the array file, which training reads, is.
            os.replace(records, beside / "old")
        os.replace(beside / records.name, records)
        os.replace(beside / arrays.name, arrays)
    except OSError as error:
        raise UserError(f"cannot write the dataset to {data_dir} ({error}).") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return arrays


def _count_table(faces: Faces) -> Table:
    counts = count_faces(faces)
    columns = {**counts, "all": sum(counts.values())}
    table = Table(box=SIMPLE, show_edge=False)
    table.add_column("faces")
    for usage in columns:
        table.add_column(usage, justify="right")
    for label, emotion in enumerate(EMOTIONS):
        table.add_row(emotion, *(f"{counts[label]:,}" for counts in columns.values()))
    table.add_section()
    table.add_row("all", *(f"{counts.sum():,}" for counts in columns.values()))
    return table


@contextlib.contextmanager
def _progress() -> Iterator[Callable]:
    """Give track(items, total, text): a bar on a terminal, else a plain line now and then."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _plain_lines
        return
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        yield lambda items, total, text: progress.track(items, total=total, description=text)


def _plain_lines(items: Iterable, total: int, text: str) -> Iterator:
    last = time.monotonic()
    for n, item in enumerate(items):
        if time.monotonic() - last > SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            print(f"{text}: {n:,} of {total:,} faces", file=sys.stderr, flush=True)
        yield item


def _parse_flags(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m fer_jax.data.prepare", description=__doc__)
    parser.add_argument("dataset", help="which dataset: fer2013")
    parser.add_argument("--source", type=Path, required=True, help=LAYOUTS)
    parser.add_argument(
        "--data_dir",
        type=Path,
        default=default_data_dir(),
        help="where to write (default: $FER_JAX_DATA, else ./data)",
    )
    parser.add_argument(
        "--skip_bad_rows",
        action="store_true",
        help="leave out bad rows of a CSV and count them, instead of stopping at the first",
    )
    flags = parser.parse_args(argv)
    if flags.dataset not in DATASETS:
        known = suggest(flags.dataset, DATASETS)
        raise UsageError(f"there is no dataset {flags.dataset!r} to prepare. {known}")
    return flags


if __name__ == "__main__":
    sys.exit(main())
