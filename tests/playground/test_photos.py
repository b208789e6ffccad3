"""Photos become faces: found, or cut from the centre, or refused."""

import io

import numpy as np
import pytest
from PIL import Image

from fer_jax.data import synthetic
from fer_jax.data.find_faces import Box
from fer_jax.errors import UserError
from fer_jax.playground import photos
from fer_jax.playground.answers import decode_face


def encode(image: Image.Image, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="png", **options)
    return buffer.getvalue()


def test_faces_are_cut_out_the_largest_first(monkeypatch):
    boxes = [Box(0, 0, 40, 40), Box(50, 0, 30, 30)]
    monkeypatch.setattr(photos, "find_faces", lambda photo: boxes)
    pixels = np.full((50, 100), 10, np.uint8)
    pixels[:, 45:] = 200
    first, second = photos.read_faces(encode(Image.fromarray(pixels)))
    assert decode_face(first["face"]).max() == 10 and first["note"] == ""
    assert decode_face(second["face"]).min() == 200


def test_of_many_faces_a_row_is_kept(monkeypatch):
    monkeypatch.setattr(photos, "find_faces", lambda photo: [Box(0, 0, 10, 10)] * 40)
    faces = photos.read_faces(encode(Image.new("L", (50, 50))))
    assert len(faces) == photos.MAX_FACES
    assert faces[0]["note"] == "the 7 largest of 40 faces"


def test_without_a_face_it_is_the_centre(monkeypatch):
    monkeypatch.setattr(photos, "find_faces", lambda photo: [])
    pixels = np.zeros((48, 144), np.uint8)
    pixels[:, 48:96] = synthetic.draw_faces(0, 1)[0][0]
    [face] = photos.read_faces(encode(Image.fromarray(pixels)))
    np.testing.assert_array_equal(decode_face(face["face"]), pixels[:, 48:96])
    assert face["note"] == "no face found, so the centre"


def test_without_a_detector_it_is_the_centre_too(monkeypatch):
    def missing(photo):
        raise UserError("needs OpenCV")

    monkeypatch.setattr(photos, "find_faces", missing)
    [face] = photos.read_faces(encode(Image.new("RGB", (1, 1), (255, 255, 255))))
    assert set(decode_face(face["face"]).ravel()) == {255}  # a single pixel, enlarged
    assert "pip install fer_jax[predict]" in face["note"]


def test_what_cannot_be_decoded_is_refused():
    for data, message in ((b"", "empty"), (b"text", "no picture")):
        with pytest.raises(UserError, match=message):
            photos.read_faces(data)
    png = encode(Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)))
    with pytest.raises(UserError, match="damaged"):
        photos.read_faces(png[: len(png) // 2])
