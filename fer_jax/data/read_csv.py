"""Read the challenge's CSV: a header with emotion, pixels and Usage, a row a face."""

import csv
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fer_jax.data.faces import SIZE, USAGES, Faces, stack_faces
from fer_jax.errors import UserError


def read_csv(
    path: Path, *, skip_bad_rows: bool, track: Callable
) -> tuple[Faces, str, list[str]]:
    """Read every face of the CSV; `source_row` is its row, counted from 0 after the header.

    Columns are found by name, in any order. Blank lines are no rows.

    Returns:
      The faces in the file's order, what the layout is called, and remarks for the user.

    Raises:
      UserError: the file is no such CSV; or a row is bad and `skip_bad_rows` is False.
    """
    good, bad = [], []
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = csv.reader(file)
            columns = _csv_columns(path, next(rows, []))
            for row, fields in enumerate(filter(None, track(rows, _count_lines(path) - 1))):
                try:
                    good.append((*_parse_row(fields, *columns), row))
                except ValueError as error:
                    message = f"row {row} (counted from 0; line {rows.line_num}): {error}"
                    if not skip_bad_rows:
                        raise UserError(
                            f"{path}, {message}. Mend the row, or leave bad rows out with "
                            "--skip_bad_rows."
                        ) from error
                    bad.append(message)
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not a CSV file ({error}).") from error
    remarks = []
    if bad:
        remarks = [f"left out {len(bad):,} bad rows of {path.name}; the first: {bad[0]}"]
    return stack_faces(good), "CSV of the challenge", remarks


def _count_lines(path: Path) -> int:
    with open(path, "rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))


def _csv_columns(path: Path, header: list[str]) -> list[int]:
    names = [name.strip().lower() for name in header]
    wanted = ["emotion", "pixels", "usage"]
    if not set(wanted) <= set(names):
        found = ", ".join(name[:40] for name in header[:8]) or "nothing"
        raise UserError(
            f"{path} begins with the columns {found}, where emotion, pixels and Usage were "
            "expected."
        )
    return [names.index(name) for name in wanted]


def _parse_row(fields: list[str], emotion: int, pixels: int, usage: int) -> tuple:
    """Return (image u8 [48, 48], emotion, usage, ""), or raise ValueError saying what is wrong."""
    if len(fields) <= max(emotion, pixels, usage):
        raise ValueError(f"it has {len(fields)} fields")
    usage_name, label = fields[usage].strip(), fields[emotion].strip()
    if usage_name not in USAGES:
        raise ValueError(f"its Usage is {usage_name[:40]!r}, expected one of {', '.join(USAGES)}")
    if label not in ("0", "1", "2", "3", "4", "5", "6"):
        raise ValueError(f"its emotion is {label[:40]!r}, expected a number in 0..6")
    return _parse_pixels(fields[pixels]), int(label), usage_name, ""


def _parse_pixels(text: str) -> np.ndarray:
    try:
        with warnings.catch_warnings():
            # Older NumPy only warns where text follows the last number it can read.
            warnings.simplefilter("error")
            values = np.fromstring(text, np.int64, sep=" ")
    except (ValueError, DeprecationWarning) as error:
        raise ValueError("its pixels are not all whole numbers") from error
    if len(values) != SIZE * SIZE:
        raise ValueError(f"it has {len(values):,} pixels, expected {SIZE * SIZE:,}")
    if values.min() < 0 or values.max() > 255:
        raise ValueError(f"its pixels reach from {values.min()} to {values.max()}, not in 0..255")
    return values.astype(np.uint8).reshape(SIZE, SIZE)
