"""Find faces in a photo, and cut them out as FER2013's faces were cut.

The detector is OpenCV's cascade `haarcascade_frontalface_alt2` (Lienhart and Maydt 2002). Of the
detectors whose weights lie inside a package of the registry it is the one that is kept up
(opencv-python-headless 4.14, July 2026), needs nothing besides, and reads videos too; and FER2013
itself was cut by OpenCV's detector, so that its boxes are what the networks were trained on.
What was looked at instead, with its reasons, is in docs/predict.md.
"""

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fer_jax.data.read_photo import Photo
from fer_jax.errors import UserError

# Side of a cut to that of the detector's box: its boxes in FER2013's own faces, enlarged on a grey
# ground, have a median side of 0.97 of the face's (benchmarks/face_margin.py).
MARGIN = 1.03
# A side longer than this is shrunk for the search: a cascade takes seconds beyond it.
SEARCHED = 1600
NEIGHBOURS = 4  # hits that must lie together: with 3 an emblem on a hat is a face too
SMALLEST = 24  # pixels a side of a face in what is searched


class Box(NamedTuple):
    """A part of a picture in whole pixels from its top left."""

    left: int
    top: int
    width: int
    height: int


def find_faces(photo: Photo) -> list[Box]:
    """Find the frontal faces of a photo, the largest first, as boxes in `photo.pixels`.

    Raises:
      UserError: OpenCV is not installed, or is one without cascades.
    """
    cv2 = import_opencv()
    grey = cv2.cvtColor(photo.pixels, cv2.COLOR_RGB2GRAY)
    factor = max(1.0, max(grey.shape) / SEARCHED)
    if factor > 1:
        size = (round(grey.shape[1] / factor), round(grey.shape[0] / factor))
        grey = cv2.resize(grey, (max(1, size[0]), max(1, size[1])), interpolation=cv2.INTER_AREA)
    if min(grey.shape) < SMALLEST:
        return []
    found = _cascade().detectMultiScale(
        grey, scaleFactor=1.1, minNeighbors=NEIGHBOURS, minSize=(SMALLEST, SMALLEST)
    )
    boxes = [Box(*(round(float(value) * factor) for value in box)) for box in found]
    return sorted(boxes, key=lambda box: (-box.width * box.height, box))


def square_around(box: Box, shape: tuple[int, ...], *, margin: float = MARGIN) -> Box:
    """Give the square to cut around a face's box: `margin` times its longer side.

    It is moved, and where it must be shrunk, to lie inside a picture of `shape` (h, w, ...).
    """
    height, width = shape[:2]
    side = min(max(1, round(margin * max(box.width, box.height))), height, width)
    left = round(box.left + box.width / 2 - side / 2)
    top = round(box.top + box.height / 2 - side / 2)
    return Box(min(max(left, 0), width - side), min(max(top, 0), height - side), side, side)


def centre_square(shape: tuple[int, ...]) -> Box:
    """Give the largest square in the centre of a picture of `shape` (h, w, ...)."""
    height, width = shape[:2]
    side = min(height, width)
    return Box((width - side) // 2, (height - side) // 2, side, side)


def cut(pixels: np.ndarray, box: Box) -> np.ndarray:
    """Cut a box out of pixels `[h, w, ...]`."""
    return pixels[box.top : box.top + box.height, box.left : box.left + box.width]


def read_frames(source: Path | int, *, every: float) -> Iterator[tuple[float, np.ndarray]]:
    """Read a video's or a camera's frames, `every` seconds one: (second, u8 `[h, w, 3]` RGB).

    Raises:
      UserError: it cannot be opened or has no frame that can be read.
    """
    cv2 = import_opencv()
    camera = isinstance(source, int)
    capture = cv2.VideoCapture(source if camera else str(source))
    try:
        rate = capture.get(cv2.CAP_PROP_FPS) or 25.0
        step, number, read = max(1, round(every * rate)), 0, 0
        while capture.isOpened() and capture.grab():
            if number % step == 0:
                whole, frame = capture.retrieve()
                if whole and frame is not None:
                    read += 1
                    yield number / rate, np.ascontiguousarray(frame[..., ::-1])
            number += 1
    finally:
        capture.release()
    if not read:
        raise UserError(
            f"camera {source} gives no picture; is it there, and free?" if camera
            else "it has no frame that can be read"
        )


@cache
def import_opencv() -> Any:
    """Import OpenCV, silent about what it cannot read: we say that ourselves.

    Raises:
      UserError: it is not installed, or is one without cascades.
    """
    import os

    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    try:
        cv2 = import_module("cv2")
    except ImportError:
        raise UserError(
            "finding faces and reading videos needs OpenCV: pip install 'fer_jax[predict]'. "
            "--crop=center and --crop=none take pictures without it"
        ) from None
    if not hasattr(cv2, "CascadeClassifier"):
        raise UserError(
            f"OpenCV {cv2.__version__} has no cascades; install a version 4: "
            "pip install 'fer_jax[predict]'"
        )
    return cv2


@cache
def _cascade() -> Any:
    cv2 = import_opencv()
    path = Path(cv2.data.haarcascades) / "haarcascade_frontalface_alt2.xml"
    cascade = cv2.CascadeClassifier(str(path))
    if cascade.empty():
        raise UserError(f"OpenCV's cascade {path} cannot be read; install opencv-python-headless")
    return cascade
