"""Annotated pictures hold the photo, its boxes and a panel for each face."""

import numpy as np
import pytest

from fer_jax.report.annotated import FACE, GAP, MOST, Annotation, annotate, file_name

LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


def annotation(*, box=(100, 50, 80, 80), sure=0.7, denoised=False):
    probabilities = [(1 - sure) / 6] * 3 + [sure] + [(1 - sure) / 6] * 3
    pixels = np.full((80, 80, 3), 60, np.uint8)
    clean = np.full((48, 48, 1), 0.5, np.float32) if denoised else None
    return Annotation(box, "happy", probabilities, 0.01, pixels, clean)


def draw(pixels, faces, scale=1.0):
    return np.asarray(annotate(pixels, faces, labels=LABELS, scale=scale, shape=(48, 48, 1)))


def test_the_box_is_drawn_where_the_face_is():
    photo = np.full((300, 400, 3), 128, np.uint8)
    page = draw(photo, [annotation()])
    # White and black lines around the box, the photo inside it.
    row = page[GAP + 90, GAP + 96 : GAP + 104].mean(-1)
    assert row.max() == 255 and row.min() == 0 and (page[GAP + 90, GAP + 140] == 128).all()
    # The same box of a photo that is shown at half its size.
    half = draw(photo, [annotation(box=(200, 100, 160, 160))], scale=2.0)
    np.testing.assert_array_equal(half, page)


def test_a_panel_shows_the_denoised_face_beside_the_one_as_cut():
    photo = np.full((300, 400, 3), 200, np.uint8)
    page = draw(photo, [annotation(denoised=True)])
    left = 400 + 2 * GAP
    middle = GAP + 24 + FACE // 2
    assert (page[middle, left + 10] == 60).all()
    assert (page[middle, left + FACE + GAP + 10] == 128).all()  # 0.5 of 255


@pytest.mark.parametrize("shape", [(1, 1, 3), (4000, 10, 3), (10, 4000, 3)])
def test_odd_photos_are_drawn_too(shape):
    page = draw(np.zeros(shape, np.uint8), [annotation(box=(0, 0, 1, 1))])
    assert page.shape[2] == 3 and max(page.shape) < 2000


def test_many_faces_do_not_make_the_page_endless():
    many = [annotation(box=(9 * i, 5, 8, 8)) for i in range(MOST + 10)]
    page = draw(np.zeros((200, 500, 3), np.uint8), many)
    assert page.shape[1] < 500 + 3 * 420 + 2 * GAP


def test_names_are_plain_and_do_not_collide():
    taken = set()
    assert file_name("a b/c\nd.jpg@1.0s", taken) == "c_d.jpg@1.0s.faces.png"
    assert file_name("x/c_d.jpg@1.0s", taken) == "c_d.jpg@1.0s-2.faces.png"
    assert len(file_name("n" * 500, taken)) < 120
