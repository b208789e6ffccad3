"""Read fer2013new.csv: how ten people each voted on every row of FER2013's CSV."""

import csv
from pathlib import Path

import numpy as np

from fer_jax.data.faces import USAGES
from fer_jax.errors import UserError

# What a tagger could choose, in the file's order; NF is "not a face".
VOTES = (
    "neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt",
    "unknown", "NF",
)
TAGGERS = 10


def read_votes(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read the votes u8 [rows, 10], in the order of VOTES, and the usage str [rows] of each row.

    Columns are found by name, in any order; further ones, such as the image's name, are not
    looked at. Blank lines are no rows.

    Raises:
      UserError: there is no such file, it is of another kind, or a row of it is bad; the message
        names the row.
    """
    votes, usages = [], []
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = csv.reader(file)
            columns = _columns(path, next(rows, []))
            for row, fields in enumerate(filter(None, rows)):
                try:
                    usage, counts = _parse_row(fields, columns)
                except ValueError as error:
                    raise UserError(
                        f"{path}, row {row} (counted from 0; line {rows.line_num}): {error}. Get "
                        "the file anew, for the votes of a row cannot be guessed."
                    ) from error
                usages.append(usage)
                votes.append(counts)
    except OSError as error:
        raise UserError(
            f"the FER+ votes at {path} cannot be read ({error.strerror}). --ferplus= takes FER+'s "
            "file fer2013new.csv."
        ) from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(
            f"{path} is not a CSV file ({error}). --ferplus= takes FER+'s file fer2013new.csv."
        ) from error
    return np.array(votes, np.uint8).reshape(-1, len(VOTES)), np.array(usages, str)


def _columns(path: Path, header: list[str]) -> list[int]:
    """Find the places of Usage and of the ten votes."""
    names = [name.strip().lower() for name in header]
    wanted = ["usage", *(vote.lower() for vote in VOTES)]
    missing = [name for name in ("Usage", *VOTES) if name.lower() not in names]
    if missing:
        found = ", ".join(name[:40] for name in names[:12]) or "nothing"
        raise UserError(
            f"{path} lacks the column {missing[0]}: it begins with {found}, where FER+'s "
            f"fer2013new.csv has Usage, Image name, {', '.join(VOTES)}."
        )
    return [names.index(name) for name in wanted]


def _parse_row(fields: list[str], columns: list[int]) -> tuple[str, list[int]]:
    if len(fields) <= max(columns):
        raise ValueError(f"it has {len(fields)} fields, expected at least {max(columns) + 1}")
    usage, *texts = (fields[column].strip() for column in columns)
    if usage not in USAGES:
        raise ValueError(f"its Usage is {usage[:40]!r}, expected one of {', '.join(USAGES)}")
    for name, text in zip(VOTES, texts, strict=True):
        if not (text.isascii() and text.isdecimal() and int(text[:9]) <= TAGGERS):
            raise ValueError(
                f"its {name} is {text[:40]!r}, expected a whole number of votes in 0..{TAGGERS}"
            )
    return usage, [int(text) for text in texts]
