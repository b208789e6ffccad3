"""The faces of a dataset as arrays, their canonical order, and the file that training reads."""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fer_jax import files
from fer_jax.data.lazy import map_array
from fer_jax.errors import UserError

# The order of the ids in FER2013's CSV. Sorted folder names have neutral before sad.
EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")

USAGES = ("Training", "PublicTest", "PrivateTest")
SIZE = 48  # pixels a side of a FER2013 face


class Faces(NamedTuple):
    """Hold a whole dataset, one entry a face in every field.

    Usage is "Training", "PublicTest", "PrivateTest", or "Test" where the official halves of the
    test faces are unknown.
    """

    images: np.ndarray  # u8 [n, h, w] or [n, h, w, 3]
    emotion: np.ndarray  # u8 [n], index into EMOTIONS
    usage: np.ndarray  # str [n]
    source_name: np.ndarray  # str [n]: file path inside the source, "" where there are no files
    source_row: np.ndarray  # i64 [n]: row of FER2013's CSV counted from 0, -1 if unknown
    ferplus: np.ndarray | None = None  # u8 [n, 10]: FER+ votes, where they were joined


def stack_faces(rows: list[tuple], *, shape: tuple[int, ...] = (SIZE, SIZE)) -> Faces:
    """Make arrays of (image, emotion, usage, name, row) tuples; images have `shape`."""
    images, emotion, usage, name, row = zip(*rows, strict=True) if rows else ((),) * 5
    return Faces(
        images=np.array(images, np.uint8).reshape(-1, *shape),
        emotion=np.array(emotion, np.uint8),
        usage=np.array(usage, str),
        source_name=np.array(name, str),
        source_row=np.array(row, np.int64),
    )


def take(faces: Faces, index: np.ndarray) -> Faces:
    """Select faces by index or mask, in the order of `index`."""
    return Faces(*(None if field is None else field[index] for field in faces))


def pixel_digests(images: np.ndarray) -> np.ndarray:
    """Hash each image's pixels, u8 [n, ...], to its SHA-256 as big-endian words, u32 [n, 8]."""
    digests = b"".join(hashlib.sha256(np.ascontiguousarray(image)).digest() for image in images)
    return np.frombuffer(digests, ">u4").reshape(-1, 8).astype(np.uint32)


def pixel_keys(images: np.ndarray) -> np.ndarray:
    """Return the first four bytes, big-endian, of each image's SHA-256, u32 [n]."""
    return pixel_digests(images)[:, 0]


def canonical_order(faces: Faces) -> np.ndarray:
    """Return the index that sorts faces by (usage, SHA-256 of the pixels, emotion, source order).

    Usages sort as strings: PrivateTest, PublicTest, Test, Training. Source order is the CSV row,
    then the file name, then the place in `faces`. Pixels, emotion and usage in this order do not
    depend on the layout the faces came in, since faces that tie on them are equal.
    """
    words = pixel_digests(faces.images).T
    # lexsort's last key is the first to compare.
    return np.lexsort(
        (faces.source_name, faces.source_row, faces.emotion, *words[::-1], faces.usage)
    )


def save_faces(path: Path, faces: Faces) -> None:
    """Write the array file; a reader finds the old file or the new one, never half of one."""
    with files.replacing(path) as file:
        np.savez(file, **{name: a for name, a in faces._asdict().items() if a is not None})


def load_faces(path: Path, *, mapped: bool = False) -> Faces:
    """Read the array file that `save_faces` wrote.

    With `mapped` the images stay in the file, as an array that reads what is asked of it.

    Raises:
      UserError: the file is damaged or is not such a file.
    """
    try:
        # Opened here, for np.load leaves a damaged file open.
        images = map_array(path, "images") if mapped else None
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            return Faces(**{
                name: arrays[name] if name != "images" or images is None else images
                for name in Faces._fields
                if name in arrays or name not in Faces._field_defaults
            })
    except Exception as error:  # zipfile and NumPy raise nearly anything on damaged bytes
        raise UserError(
            f"{path} cannot be read as a prepared dataset ({error}). "
            "Write it again with python -m fer_jax.data.prepare."
        ) from error
