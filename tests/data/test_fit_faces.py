"""Faces of any size and colour become the network's: by luma and by area, or are refused."""

import numpy as np
import pytest

from fer_jax.data.fit_faces import fit_faces

GREY = (48, 48, 1)


def draw(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def test_faces_of_the_size_stay_as_they_are():
    faces = draw(3, 48, 48)
    for given in (faces, faces[..., None], list(faces)):
        np.testing.assert_array_equal(fit_faces(given, shape=GREY)[..., 0], faces)


def test_larger_faces_become_the_mean_of_the_area():
    face = draw(96, 144)
    expected = face.reshape(48, 2, 48, 3).mean((1, 3))
    fitted = fit_faces([face], shape=GREY)[0, ..., 0]
    # Rounded to whole grey levels twice, along each axis.
    assert np.abs(fitted - expected).max() < 1


def test_colour_becomes_luma_and_grey_equal_colours():
    face = draw(48, 48, 3)
    expected = face @ np.array([0.299, 0.587, 0.114])
    fitted = fit_faces(face[None], shape=GREY)[0, ..., 0]
    assert np.abs(fitted - expected).max() <= 1  # Pillow's weights are in 65536ths
    grey = draw(48, 48)
    coloured = fit_faces([grey], shape=(48, 48, 3))
    np.testing.assert_array_equal(coloured, np.repeat(grey[None, ..., None], 3, -1))


def test_one_pixel_and_no_face_have_a_result():
    assert fit_faces([np.full((1, 1), 7, np.uint8)], shape=GREY).tolist() == [[[[7]] * 48] * 48]
    assert fit_faces([], shape=GREY).shape == (0, 48, 48, 1)
    assert fit_faces(draw(0, 20, 20), shape=GREY).shape == (0, 48, 48, 1)


@pytest.mark.parametrize(
    "images, message",
    [
        (draw(48, 48), r"shape \[48, 48\]; expected \[n, h, w\]"),
        (draw(48, 48, 3), r"of one face: images\[None\]"),
        (draw(2, 48, 48, 4), r"face 0 has the shape \[48, 48, 4\]"),
        ([draw(48, 48), draw(48, 48) / 255], "face 1 has dtype float64; expected uint8"),
        ([draw(0, 5)], r"face 0 has the shape \[0, 5\]"),
    ],
)
def test_other_arrays_are_refused(images, message):
    with pytest.raises(ValueError, match=message):
        fit_faces(images, shape=GREY)
