"""List a dataset's image files with their labels, and read them as faces of one size."""

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from fer_jax.data.faces import Faces, canonical_order, take
from fer_jax.data.read_archive import archive_kind, unpacked
from fer_jax.data.read_image import IMAGE_SUFFIXES, read_image
from fer_jax.data.read_tree import name_inside, visible
from fer_jax.data.sources import Source, Track
from fer_jax.errors import UserError

GREY_MODES = ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L")
ARCHIVES = r"\.(zip|tar|tgz|tar\.(gz|bz2|xz)|rar|7z)$"
MAX_DEPTH = 3  # of folders around the dataset's folder
MAX_FOLDERS = 20  # in one folder: where there are more, the dataset is not looked for inside
MAX_BYTES = 8 << 30  # of all pixels; they are held in memory several times


class LabelledFile(NamedTuple):
    """Hold what a layout says of one image."""

    path: Path
    usage: str
    label: int  # index into EMOTIONS


class Listing(NamedTuple):
    """Hold the images of a dataset, and what is to be said about them."""

    root: Path  # `source_name` is the path from here
    files: list[LabelledFile]
    layout: str
    remarks: list[str]


class Shape(NamedTuple):
    """Say which shape the faces of a dataset get; None is what the images have in common."""

    size: tuple[int, int] | None = None  # height, width
    channels: int | None = None  # 1 or 3
    stretch: bool = False  # resize also where that changes the proportions


def read_listed(
    path: Path, *, find: Callable, shape: Shape, track: Track = lambda items, total: items
) -> Source:
    """Read the faces that `find` lists in a folder, or in a zip or tar archive of one.

    Args:
      path: the folder or archive.
      find: lists the images: folder -> Listing.
      shape: the faces' shape. The images' own size is taken only if all have the same, and they
        are grey only if all are stored so.
      track: shows the progress: of an archive's members first, then of the faces.

    Raises:
      UserError: there is nothing at `path`, or no such dataset, or an image cannot be read; the
        message names the file.
    """
    try:
        if not path.exists():
            raise UserError(f"there is no source at {path.absolute()}.")
        if path.is_dir():
            return _read(find(path), shape, track)
        kind = archive_kind(path) if path.is_file() else None
        if kind in (None, "npz"):
            raise UserError(
                f"{path} is neither a folder nor a zip or tar archive of one. Give the folder that "
                "holds the images."
            )
        with unpacked(path, track=track) as folder:
            source = _read(find(folder), shape, track)
            return source._replace(layout=f"{kind} archive, {source.layout}")
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error}).") from error


def find_root(folder: Path, fits: Callable, *, expected: str) -> Path:
    """Return the folder that `fits`: `folder` or one inside of it, without which it is an error.

    Raises:
      UserError: there is none, or more than one; says what was `expected`.
    """
    roots = _roots(folder, fits, MAX_DEPTH)
    if len(roots) > 1:
        raise UserError(
            f"{folder} holds more than one dataset: {roots[0]} and {roots[1]}. Give one of them as "
            "the source."
        )
    if not roots:
        refuse_packed(folder)
        found = ", ".join(path.name for path in visible(folder)[:8]) or "nothing"
        raise UserError(f"{folder} holds {found}. Expected {expected}.")
    return roots[0]


def refuse_packed(folder: Path) -> None:
    """Raise a UserError if an archive lies in the folder: what is missing may be inside."""
    packed = [path for path in visible(folder) if re.search(ARCHIVES, path.name.lower())]
    if packed:
        raise UserError(
            f"{folder} holds {packed[0].name}, which is not unpacked. Unpack what lies in the "
            "source, or give one archive of the whole dataset as the source."
        )


def is_image(path: Path) -> bool:
    """Say whether a file's name is an image's."""
    return path.suffix.lower() in IMAGE_SUFFIXES


def _roots(folder: Path, fits: Callable, depth: int) -> list[Path]:
    if fits(folder):
        return [folder]
    inside = [path for path in visible(folder) if path.is_dir()]
    if not depth or len(inside) > MAX_FOLDERS:
        return []
    return [root for path in inside for root in _roots(path, fits, depth - 1)]


def _read(listing: Listing, shape: Shape, track: Track) -> Source:
    files = sorted(listing.files)
    paths = [file.path for file in files]
    if shape.size is None or shape.channels is None:
        shape = _common_shape(paths, shape)
    height, width = shape.size
    colour = (3,) if shape.channels == 3 else ()
    if len(paths) * height * width * shape.channels > MAX_BYTES:
        raise UserError(
            f"{len(paths):,} images of {height}x{width} pixels are more than the {MAX_BYTES:,} "
            "bytes that are held in memory. Have them made smaller by --size=HxW."
        )
    images = np.empty((len(paths), height, width, *colour), np.uint8)
    converted = []
    for i, path in enumerate(track(paths, len(paths))):
        images[i], changed = read_image(
            path, size=shape.size, grey=shape.channels == 1, stretch=shape.stretch
        )
        if changed:
            converted.append(path)
    remarks = list(listing.remarks)
    if converted:
        remarks.append(
            f"converted {len(converted):,} images to 8-bit {'RGB' if colour else 'grey'} of "
            f"{height}x{width}; the first: {converted[0].relative_to(listing.root)}"
        )
    faces = Faces(
        images=images,
        emotion=np.array([file.label for file in files], np.uint8),
        usage=np.array([file.usage for file in files], str),
        source_name=np.array([name_inside(listing.root, path) for path in paths], str),
        source_row=np.full(len(files), -1, np.int64),
    )
    return Source(take(faces, canonical_order(faces)), listing.layout, remarks)


def _common_shape(paths: list[Path], shape: Shape) -> Shape:
    """Fill in what `shape` leaves open from the images' heads."""
    first, grey = None, True
    for path in paths:
        size, mode = _head(path)
        first = first or (size, path)
        grey &= mode in GREY_MODES
        if shape.size is None and size != first[0]:
            raise UserError(
                f"{first[1]} is {_text(first[0])} pixels (height x width) and {path} "
                f"{_text(size)}, and the faces of a dataset have one size. Have them resized by "
                f"--size=HxW, for example --size={_text(first[0])}."
            )
    return shape._replace(
        size=shape.size or first[0], channels=shape.channels or (1 if grey else 3)
    )


def _head(path: Path) -> tuple[tuple[int, int], str]:
    """Return an image's (height, width) and mode without decoding it."""
    try:
        if not path.is_file():  # to open a pipe would wait for ever
            raise OSError
        with warnings.catch_warnings(action="ignore"), Image.open(path) as image:
            return (image.height, image.width), image.mode
    except Exception:  # Pillow raises nearly anything on a damaged file
        pixels, _ = read_image(path)  # which says what is wrong with it
        return pixels.shape, "L"


def _text(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
