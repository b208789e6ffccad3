"""Read FER2013 from the forms it is handed round in: the challenge's CSV, folders, an .npz."""

import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fer_jax.data.faces import EMOTIONS, SIZE, USAGES, Faces, canonical_order, take
from fer_jax.data.read_csv import read_csv
from fer_jax.data.read_tree import read_tree
from fer_jax.errors import UserError

LAYOUTS = (
    "the challenge's fer2013.csv, a folder {train,test}/{" + ",".join(EMOTIONS) + "}/*.png, or an "
    ".npz with images, emotion and usage"
)

# Wraps the iteration over a source's faces: (items, how many there are) -> the same items.
Track = Callable[[Iterable, int], Iterable]


class Source(NamedTuple):
    """Hold what was read from a source, and what is to be said about it."""

    faces: Faces  # in canonical order
    layout: str
    remarks: list[str]


def read_source(
    path: Path, *, skip_bad_rows: bool = False, track: Track = lambda items, total: items
) -> Source:
    """Detect the layout of FER2013 at `path` and read every face.

    Args:
      path: a CSV file, a folder or an .npz file.
      skip_bad_rows: leave bad rows of a CSV out and count them, where else the first is an error.
      track: shows the progress.

    Raises:
      UserError: there is nothing at `path`, its layout is none of those known, or a face cannot
        be read; the message names the row or file.
    """
    if not path.exists():
        raise UserError(f"there is no source at {path.absolute()}. It can be {LAYOUTS}.")
    if path.is_dir():
        faces, layout, remarks = read_tree(path, track=track)
    elif zipfile.is_zipfile(path):
        faces, layout, remarks = _read_npz(path)
    elif _is_binary(path):
        raise UserError(f"{path} is a binary file of no known kind. A source is {LAYOUTS}.")
    else:
        faces, layout, remarks = read_csv(path, skip_bad_rows=skip_bad_rows, track=track)
    if not len(faces.images):
        raise UserError(f"{path} ({layout}) holds no face. It can be {LAYOUTS}.")
    return Source(take(faces, canonical_order(faces)), layout, remarks)


def _is_binary(path: Path) -> bool:
    with open(path, "rb") as file:
        return b"\0" in file.read(4096)


def _read_npz(path: Path) -> tuple[Faces, str, list[str]]:
    try:
        # Opened here, for np.load leaves a damaged file open.
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as npz:
            arrays = {name: npz[name] for name in npz.files if name in Faces._fields}
    except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} cannot be read as .npz ({error}).") from error
    missing = [name for name in ("images", "emotion", "usage") if name not in arrays]
    if missing:
        raise UserError(f"{path} lacks {', '.join(missing)}. A source is {LAYOUTS}.")
    n = len(arrays["images"])
    arrays.setdefault("source_name", np.full(n, ""))
    arrays.setdefault("source_row", np.arange(n))  # without rows the file is in the CSV's order
    faces = Faces(**arrays)
    _check_npz(path, faces)
    images = faces.images.reshape(n, SIZE, SIZE)
    emotion, row = faces.emotion.astype(np.uint8), faces.source_row.astype(np.int64)
    return faces._replace(images=images, emotion=emotion, source_row=row), ".npz arrays", []


def _check_npz(path: Path, faces: Faces) -> None:
    lengths = {name: len(field) for name, field in faces._asdict().items()}
    if len(set(lengths.values())) > 1:
        raise UserError(f"{path} holds arrays of unequal length: {lengths}.")
    shape = faces.images.shape[1:]
    if faces.images.dtype != np.uint8 or shape not in ((SIZE, SIZE), (SIZE, SIZE, 1)):
        raise UserError(
            f"{path} holds images {faces.images.dtype} {list(faces.images.shape)}, expected uint8 "
            f"[n, {SIZE}, {SIZE}]."
        )
    emotion = faces.emotion
    if emotion.dtype.kind not in "iu" or not np.isin(emotion, np.arange(len(EMOTIONS))).all():
        raise UserError(f"{path} holds emotions other than the whole numbers 0..6.")
    strange = sorted({str(usage) for usage in np.unique(faces.usage)} - {*USAGES, "Test"})
    if strange:
        raise UserError(
            f"{path} holds the usage {strange[0]!r}, expected one of {', '.join(USAGES)}, Test."
        )
