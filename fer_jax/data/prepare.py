"""Prepare a dataset: read it in whatever layout it came, check it, store it for training."""

import argparse
import contextlib
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from fer_jax import lock
from fer_jax.arguments import Parser
from fer_jax.data.datasets import (
    DATASETS, Dataset, count_faces, count_warnings, find_dataset, read_dataset,
)
from fer_jax.data.faces import EMOTIONS, Faces
from fer_jax.data.sources import Source
from fer_jax.data.splits import default_data_dir
from fer_jax.data.store import recover, store
from fer_jax.errors import UsageError, UserError, run_command

SECONDS_BETWEEN_LINES = 5.0  # of progress, where there is no terminal to draw a bar on


@run_command
def main(argv: list[str] | None = None) -> None:
    """Run `python -m fer_jax.data.prepare`."""
    flags = _parse_flags(argv)
    prepare(
        flags.dataset,
        flags.source,
        data_dir=flags.data_dir,
        size=flags.size,
        ferplus=flags.ferplus,
        skip_bad_rows=flags.skip_bad_rows,
    )


def prepare(
    name: str,
    source: Path,
    *,
    data_dir: Path,
    size: tuple[int, int] | None = None,
    ferplus: Path | None = None,
    skip_bad_rows: bool = False,
) -> Path:
    """Read a dataset from `source` and write the TFDS files and DATA_DIR/NAME.npz.

    A reader finds the old dataset or the new one; see `store.store`. The layout found, warnings
    and the counts are printed.

    Args:
      name: a dataset of `datasets.DATASETS`, or the name that faces of one's own are to have.
      source: a file or folder in one of the dataset's layouts.
      data_dir: where to write; made if it is missing.
      size: (height, width) to resize to, where that is not the dataset's own.
      ferplus: fer2013new.csv, whose votes are joined to the faces.
      skip_bad_rows: leave bad rows of a CSV out and count them.

    Returns:
      The path of the array file that training reads.

    Raises:
      UsageError: an option that the dataset does not have.
      UserError: the source cannot be read, the dataset cannot be written, or another process is
        preparing one in the same folder.
    """
    dataset = find_dataset(name)
    if ferplus is not None and name != "fer2013":
        raise UsageError(f"--ferplus is for fer2013: FER+ has no votes on faces of {name}.")
    source, data_dir = source.expanduser(), data_dir.expanduser()
    if not source.exists():
        raise UserError(
            f"there is no source at {source.absolute()}. It can be {dataset.layouts}."
        )
    with _locked(data_dir):
        recover(name, data_dir=data_dir)
        with _progress() as track:
            found = read_dataset(
                dataset, source, size=size, skip_bad_rows=skip_bad_rows,
                track=lambda items, total: track(items, total, "read"),
            )
            faces, remarks = _join(found, ferplus)
        _say(dataset, source, found, faces, remarks)
        with _progress() as track:
            arrays = store(
                name, faces, data_dir=data_dir,
                track=lambda items, usage: track(items, len(items), f"write {usage}"),
            )
    _console().print(_count_table(faces), soft_wrap=False)
    config = "configs/vgg_dae.py" if name == "fer2013" else "configs/vgg.py"
    options = f"--data_dir={data_dir}"
    if name != "fer2013":
        protocol = "source" if {"Validation", "Test"} <= set(faces.usage) else "holdout:10"
        options = f"--config.data.dataset={name} --config.data.protocol={protocol} {options}"
    _console().print(
        f"wrote {arrays} (training reads it)\n"
        f"      {data_dir / name} (TFDS, array_record)\n"
        f"next: python -m fer_jax.main --config={config} {options}",
        markup=False,
    )
    return arrays


@contextlib.contextmanager
def _locked(data_dir: Path) -> Iterator[None]:
    try:
        with lock.hold(data_dir):
            yield
    except OSError as error:
        raise UserError(
            f"cannot write to {data_dir} ({error}). Choose another folder by --data_dir."
        ) from error


def _join(found: Source, ferplus: Path | None) -> tuple[Faces, list[str]]:
    present = set(found.faces.usage)
    # One half of the official test without the other: the file was cut off, or rows were taken out.
    halves = {"PublicTest", "PrivateTest"} if present & {"PublicTest", "PrivateTest"} else set()
    missing = sorted({"Training", *halves} - present)
    if missing:
        raise UserError(
            f"the source ({found.layout}) holds no {missing[0]} face. Give the whole dataset."
        )
    if ferplus is None:
        return found.faces, found.remarks
    from fer_jax.data.ferplus import join_votes

    faces, remarks = join_votes(found.faces, ferplus.expanduser())
    return faces, [*found.remarks, *remarks]


def _say(dataset: Dataset, source: Path, found: Source, faces: Faces, remarks: list[str]) -> None:
    """Print what was found, and on stderr what the user should know about it."""
    height, width, *colour = faces.images.shape[1:]
    pixels = f"{height}x{width} {'RGB' if colour else 'grey'}"
    votes = "" if faces.ferplus is None else ", with FER+ votes"
    said = f"{source}: {found.layout}, {len(faces.images):,} faces of {pixels}{votes}"
    # A path may hold bytes that are no Unicode and that stdout would refuse.
    _console().print(said.encode(errors="backslashreplace").decode(), markup=False)
    for remark in [*remarks, *count_warnings(dataset, faces)]:
        print(f"warning: {remark}", file=sys.stderr)


def _console() -> Console:
    return Console(width=80, soft_wrap=True, highlight=False)


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
    parser = Parser("fer_jax.data.prepare", __doc__)
    known = ", ".join(DATASETS)
    parser.add_argument(
        "dataset", help=f"{known}, or a name for your own faces in folders SPLIT/EMOTION"
    )
    parser.add_argument(
        "--source",
        type=_parse_source,
        required=True,
        help="; ".join(f"{name}: {dataset.layouts}" for name, dataset in DATASETS.items()),
    )
    parser.add_argument(
        "--data_dir",
        type=Path,
        default=default_data_dir(),
        help="where to write (default: $FER_JAX_DATA, else ./data)",
    )
    parser.add_argument(
        "--size",
        type=_parse_size,
        metavar="HxW",
        help="resize to so many pixels, height x width (not for fer2013)",
    )
    parser.add_argument(
        "--ferplus", type=Path, help="fer2013new.csv: join FER+'s votes to the faces of fer2013"
    )
    parser.add_argument(
        "--skip_bad_rows",
        action="store_true",
        help="leave out bad rows of a CSV and count them, instead of stopping at the first",
    )
    return parser.parse_args(argv)


def _parse_source(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("it is empty; name a file or folder")
    return Path(text)


def _parse_size(text: str) -> tuple[int, int]:
    match = re.fullmatch("([0-9]{1,4})x([0-9]{1,4})", text)
    if match is None or not int(match[1]) or not int(match[2]):
        raise argparse.ArgumentTypeError(f"{text!r} is no size like 112x112 (height x width)")
    return int(match[1]), int(match[2])


if __name__ == "__main__":
    sys.exit(main())
