"""Finding copies: identical pixels, and photographs that come again a little changed."""

import numpy as np
import pytest
from PIL import Image

from fer_jax.data.duplicates import (
    SIMILARITY,
    find_constant,
    find_near_copies,
    group_identical,
)
from fer_jax.data.faces import take


def smooth_images(n, *, size=48, seed=0):
    """Draw unrelated pictures as soft as photographs: 4x4 noise, enlarged."""
    coarse = np.random.default_rng(seed).integers(40, 216, (n, 4, 4), np.uint8)
    return np.stack([
        Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC) for image in coarse
    ])


def pairs_of(images):
    pairs = find_near_copies(images)
    fields = (pairs.first.tolist(), pairs.second.tolist(), pairs.mirrored.tolist())
    return sorted(zip(*fields, strict=True))


def test_identical_images_have_one_number(made_faces):
    group = group_identical(made_faces.images)
    by_pixels = {}
    for i, image in enumerate(made_faces.images):
        by_pixels.setdefault(image.tobytes(), []).append(i)
    assert len(by_pixels) == 124  # of 126 faces, two repeat another
    for faces in by_pixels.values():
        assert (np.flatnonzero(group == group[faces[0]]) == faces).all()
    assert set(group) == set(range(124))


def test_constant_images_have_equal_pixels(made_faces):
    images = made_faces.images[:4].copy()
    images[1], images[2] = 0, 255
    images[2, 47, 47] = 254
    assert find_constant(images).tolist() == [False, True, False, False]
    colour = np.repeat(images[..., None], 3, axis=-1)
    colour[3] = (200, 10, 10)  # a red wall
    assert find_constant(colour).tolist() == [False, True, False, True]


def darker(image):
    return (image * 0.5 + 20).astype(np.uint8)


def shifted(image):
    return np.roll(image, (1, -2), axis=(0, 1))


def noisy(image):
    noise = np.random.default_rng(1).normal(0, 6, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def marked(image):
    image = image.copy()
    image[22:25, 8:40:5] = 255
    return image


def mirrored(image):
    return image[:, ::-1]


@pytest.mark.parametrize("change", [darker, shifted, noisy, marked, mirrored])
@pytest.mark.parametrize("first", [0, 3])
def test_a_changed_copy_is_found_and_nothing_else(change, first):
    images = smooth_images(21)
    images[20] = change(images[first])
    assert pairs_of(images) == [(first, 20, change is mirrored)]


def test_similarity_of_identical_images_is_one():
    images = smooth_images(3)[[0, 1, 2, 1]]
    pairs = find_near_copies(images)
    assert (pairs.first, pairs.second) == (1, 3)
    np.testing.assert_allclose(pairs.similarity, 1, atol=1e-5)


def test_a_symmetric_image_is_no_copy_of_itself():
    images = smooth_images(3)
    images[0, :, 24:] = images[0, :, 23::-1]
    assert pairs_of(images) == []


def test_constant_images_are_in_no_pair_and_few_images_are_no_trouble():
    images = smooth_images(4)
    images[1:3] = 7
    assert pairs_of(images) == []
    for n in (0, 1):
        assert pairs_of(images[:n]) == []
    assert pairs_of(np.zeros((3, 48, 48), np.uint8)) == []


def test_pairs_do_not_depend_on_how_many_are_compared_at_once(monkeypatch):
    images = smooth_images(30)[[*range(30), 5, 7, 7, 29]]
    whole = pairs_of(images)
    assert whole == [(5, 30, False), (7, 31, False), (7, 32, False), (29, 33, False),
                     (31, 32, False)]
    monkeypatch.setattr("fer_jax.data.duplicates._ROWS_AT_ONCE", 7)
    monkeypatch.setattr("fer_jax.data.duplicates._PAIRS_AT_ONCE", 2)
    assert pairs_of(images) == whole


def test_size_and_colour_do_not_matter():
    colour = np.repeat(smooth_images(8, size=100)[..., None], 3, axis=-1)
    colour[7] = darker(colour[2])[:, ::-1]
    assert pairs_of(colour) == [(2, 7, True)]


def test_near_copies_among_the_real_test_faces(real_faces):
    tests = take(real_faces, real_faces.usage != "Training")
    distinct = tests.images[np.unique(group_identical(tests.images), return_index=True)[1]]
    pairs = find_near_copies(distinct)
    assert (pairs.similarity >= SIMILARITY).all() and (pairs.first < pairs.second).all()
    # Counted once, and looked at: both of a pair show one photograph. Rounding may move a pair
    # that lies at the limit.
    assert len(pairs.first) == pytest.approx(134, abs=2)
    assert pairs.mirrored.sum() == pytest.approx(2, abs=1)
