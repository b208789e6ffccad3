"""Read the challenge's CSV files: a header with emotion, pixels and mostly Usage, a row a face."""

import csv
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

import numpy as np

from fer_jax.data.faces import SIZE, USAGES, Faces, stack_faces
from fer_jax.errors import UserError

MAX_LINE = 1 << 20  # characters; a row of 48x48 pixels needs at most 9,300
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def read_csv(
    path: Path, *, usage: str | None = None, skip_bad_rows: bool, track: Callable
) -> tuple[Faces, str, list[str]]:
    """Read every face of the CSV; `source_row` is its row, counted from 0 after the header.

    Columns are found by name, in any order. Blank lines are no rows, and no row reaches over a
    line's end: an open quote spoils its own row alone.

    Args:
      path: the file, in UTF-8.
      usage: of every face where the file has no such column. Its rows are then not those of the
        whole dataset: `source_row` is -1, and `source_name` is FILE:ROW.
      skip_bad_rows: leave bad rows out and count them, where else the first is an error.
      track: shows the progress: (rows, how many there are) -> the same rows.

    Returns:
      The faces in the file's order, what the layout is called, and remarks for the user.

    Raises:
      UserError: the file is no such CSV; or a row is bad and `skip_bad_rows` is False.
    """
    good, bad = [], []
    with _open_text(path) as file, warnings.catch_warnings():
        # Older NumPy only warns where text follows the last number it can read.
        warnings.filterwarnings("error", "string or file could not be read", DeprecationWarning)
        lines = _lines(file)
        header = _header(next(lines, ""))
        columns = _csv_columns(path, header, usage)
        lines = track(enumerate(lines, 2), max(0, _count_lines(path) - 1))
        for row, (line, text) in enumerate(item for item in lines if not item[1].isspace()):
            try:
                face = _parse_row(_split(text), len(header), columns, usage)
            except ValueError as error:
                message = f"row {row} (counted from 0; line {line}): {error}"
                if not skip_bad_rows:
                    raise UserError(
                        f"{path}, {message}. Mend the row, or leave bad rows out with "
                        "--skip_bad_rows."
                    ) from error
                bad.append(message)
            else:
                good.append((*face, "", row) if usage is None else (*face, _name(path, row), -1))
    remarks = []
    if bad:
        remarks = [f"left out {len(bad):,} bad rows of {path.name}; the first: {bad[0]}"]
    return stack_faces(good), "CSV of the challenge", remarks


def read_csv_pair(
    training: Path, testing: Path | None, *, skip_bad_rows: bool, track: Callable
) -> tuple[Faces, str, list[str]]:
    """Read the challenge's separate files, train.csv and test.csv, that have no column Usage.

    The challenge's own test.csv has no emotions either. It is left out with a remark then, and
    there is no test split; a test.csv with emotions has the usage "Test".

    Args, Returns and Raises: as `read_csv`.
    """
    options = dict(skip_bad_rows=skip_bad_rows, track=track)
    faces, _, remarks = read_csv(training, usage="Training", **options)
    lacking = f"there is no test.csv beside {training.name}"
    if testing is not None:
        with _open_text(testing) as file:
            names = {name.strip().lower() for name in _header(next(_lines(file), ""))}
        if "emotion" in names or "pixels" not in names:
            tests, _, more = read_csv(testing, usage="Test", **options)
            faces = Faces(*map(_join, faces, tests))
            one_test = f"{testing.name} does not tell PublicTest from PrivateTest"
            return faces, "train.csv and test.csv of the challenge", [
                *remarks, *more, f"{one_test}: protocol 'official' cannot be used"
            ]
        lacking = f"{testing.name} has no emotions, as the challenge gave it out, and is left out"
    remark = (
        f"{lacking}: there are no faces to test on, and only a protocol like 'ratio:80-10-10' can "
        "be used. The challenge's icml_face_data.csv or fer2013.csv holds every label."
    )
    return faces, "train.csv of the challenge", [*remarks, remark]


def _join(a: np.ndarray | None, b: np.ndarray | None) -> np.ndarray | None:
    return None if a is None else np.concatenate([a, b])


def _name(path: Path, row: int) -> str:
    return f"{path.name}:{row:07d}"  # sorts as the rows do


def _open_text(path: Path) -> TextIO:
    with open(path, "rb") as file:
        head = file.read(4096)
    if head.startswith(UTF16_MARKS):
        raise UserError(f"{path} is text in UTF-16. Save it as UTF-8 (or plain ASCII).")
    if b"\0" in head:
        raise UserError(
            f"{path} is a binary file, not a CSV. If it is an archive of another kind than zip and "
            "tar, unpack it and give the folder."
        )
    # A byte that is no UTF-8 shall spoil its row alone.
    return open(path, newline="", encoding="utf-8", errors="backslashreplace")


def _lines(file: TextIO) -> Iterator[str]:
    """Yield the lines, of an endless one only the beginning, which is no good row."""
    while line := file.readline(MAX_LINE):
        yield line
        while line and not line.endswith(("\n", "\r")):
            line = file.readline(MAX_LINE)


def _count_lines(path: Path) -> int:
    with open(path, "rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))


def _split(line: str) -> list[str]:
    if '"' not in line:  # the csv module says the same, after a look at every character
        return line.rstrip("\r\n").split(",")
    try:
        return next(csv.reader([line], strict=True), [])
    except csv.Error as error:
        raise ValueError(f"it is not comma-separated text ({error})") from error


def _header(line: str) -> list[str]:
    line = line.removeprefix("\ufeff").rstrip("\r\n")
    try:
        return _split(line) if line else []
    except ValueError:
        return [line]


def _csv_columns(path: Path, header: list[str], usage: str | None) -> list[int | None]:
    """Return where emotion, pixels and Usage are; Usage may be None where `usage` is given."""
    names = [name.strip().lower() for name in header]
    wanted = ["emotion", "pixels", "usage"]
    if usage is not None and "usage" not in names:
        wanted.remove("usage")
    if any(names.count(name) != 1 for name in wanted):
        found = ", ".join(repr(name[:40]) for name in header[:8]) or "nothing"
        hint = "" if names.count("emotion") != 1 or "usage" in names else (
            " If it is the challenge's train.csv, give the folder that holds it and test.csv."
        )
        raise UserError(
            f"{path} begins with the columns {found}, where emotion, pixels and Usage were "
            f"expected, separated by commas.{hint}"
        )
    return [names.index(name) if name in names else None for name in ("emotion", "pixels", "usage")]


def _parse_row(
    fields: list[str], width: int, columns: list[int | None], usage: str | None
) -> tuple[np.ndarray, int, str]:
    """Return (image u8 [48, 48], emotion, usage), or raise ValueError saying what is wrong."""
    if len(fields) != width:
        raise ValueError(f"it has {len(fields)} fields, the header has {width}")
    emotion, pixels, usage_column = columns
    label = fields[emotion].strip()
    if usage_column is not None:
        usage = fields[usage_column].strip()
        if usage not in USAGES:
            raise ValueError(f"its Usage is {usage[:40]!r}, expected one of {', '.join(USAGES)}")
    if label not in ("0", "1", "2", "3", "4", "5", "6"):
        raise ValueError(f"its emotion is {label[:40]!r}, expected a number in 0..6")
    return _parse_pixels(fields[pixels]), int(label), usage


def _parse_pixels(text: str) -> np.ndarray:
    try:
        values = np.fromstring(text, np.int64, sep=" ")
    except (ValueError, DeprecationWarning) as error:
        raise ValueError("its pixels are not all whole numbers") from error
    if len(values) != SIZE * SIZE:
        raise ValueError(f"it has {len(values):,} pixels, expected {SIZE * SIZE:,}")
    if values.min() < 0 or values.max() > 255:
        raise ValueError(f"its pixels reach from {values.min()} to {values.max()}, not in 0..255")
    return values.astype(np.uint8).reshape(SIZE, SIZE)
