"""Photos that a person drops: read within limits, and cut to faces as `fer_jax.predict` does."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from fer_jax import files
from fer_jax.data.faces import SIZE
from fer_jax.data.find_faces import centre_square, cut, find_faces, square_around
from fer_jax.data.fit_faces import fit_faces
from fer_jax.data.read_photo import Photo, read_photo
from fer_jax.errors import UserError
from fer_jax.playground.answers import encode_face

MAX_BYTES = 32 << 20
MAX_FACES = 7  # the largest ones of a photo: a row on the page


def read_faces(data: bytes) -> list[dict[str, Any]]:
    """Cut the faces out of a photo, the largest first: [{"face": encoded, "note": words}].

    Where none is found, or OpenCV is not there to look, it is the square in the photo's centre,
    and the note says so.

    Raises:
      UserError: it is no picture, a damaged one, or one of too many pixels.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "photo"
        with files.replacing(path) as file:
            file.write(data)
        photo = read_photo(path)
    boxes, note = _find(photo)
    faces = fit_faces([cut(photo.pixels, box) for box in boxes], shape=(SIZE, SIZE, 1))
    notes = ", ".join(filter(None, (note, *photo.notes)))
    return [{"face": encode_face(face[..., 0]), "note": notes} for face in faces]


def _find(photo: Photo) -> tuple[list, str]:
    shape = photo.pixels.shape[:2]
    try:
        found = find_faces(photo)
        note = "no face found, so the centre"
    except UserError:  # without OpenCV
        found, note = [], "the centre; to find faces, pip install fer_jax[predict]"
    if not found:
        return [centre_square(shape)], note
    kept = f"the {MAX_FACES} largest of {len(found)} faces" if len(found) > MAX_FACES else ""
    return [square_around(box, shape) for box in found[:MAX_FACES]], kept
