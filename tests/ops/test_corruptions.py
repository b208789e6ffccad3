"""Corruptions: each op against NumPy, SciPy or Pillow, and the table as a whole."""

import colorsys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage, stats

from fer_jax.data import synthetic
from fer_jax.ops import blur, digital, noise, occlusion
from fer_jax.ops.corruptions import CORRUPTIONS, GROUPS, corrupt_each
from fer_jax.ops.distortion import DISTORTIONS
from fer_jax.ops.median import median_filter

pytestmark = pytest.mark.usefixtures("quick_compile")

KEY = jax.random.key(7)
IN_JIT = [name for name, row in CORRUPTIONS.items() if row.apply]
corrupt = jax.jit(corrupt_each, static_argnames="name")


def jitted(op, **static):
    """Compile an op with everything traced that may be."""
    return jax.jit(partial(op, **static))


@pytest.fixture(scope="module")
def faces():
    split = synthetic.load(seed=0, sizes=(7, 7, 14))["test"]
    return np.asarray(split.images[:8] / 255, np.float32)


def draw_images(shape=(3, 10, 12, 1)):
    """Draw images of bytes, as all faces are."""
    return np.random.default_rng(1).integers(0, 256, shape).astype(np.float32) / 255


def test_the_table_has_fifteen_corruptions_in_order():
    groups = [row.group for row in CORRUPTIONS.values()]
    # Five of noise, three of blur, two of occlusion, five digital.
    assert [groups.count(group) for group in GROUPS] == [5, 3, 2, 5]
    assert groups == sorted(groups, key=GROUPS.index)
    assert {row.distortion for row in CORRUPTIONS.values()} == {"", *DISTORTIONS}
    assert [name for name, row in CORRUPTIONS.items() if row.apply is None] == ["jpeg"]


@pytest.mark.parametrize("name", IN_JIT)
def test_severity_rises_and_a_face_does_not_depend_on_its_neighbours(name, faces):
    keys = jax.random.split(KEY, len(faces))
    changes = []
    for level in CORRUPTIONS[name].levels:
        seen = np.asarray(corrupt(keys, faces, level, name=name))
        assert seen.shape == faces.shape and seen.dtype == np.float32
        assert np.isfinite(seen).all() and seen.min() >= 0 and seen.max() <= 1
        changes.append(np.abs(seen - faces).mean())
    assert changes[0] > 0 and np.all(np.diff(changes) > 0)
    backwards = np.asarray(corrupt(keys[::-1], faces[::-1], level, name=name))
    np.testing.assert_array_equal(backwards[::-1], seen)
    others = np.asarray(corrupt(jax.random.split(KEY, 9)[1:], faces, level, name=name))
    assert np.array_equal(others, seen) != CORRUPTIONS[name].random


def test_what_is_not_in_the_table_or_not_in_jit_is_refused(faces):
    for name in ("fog", "jpeg"):
        with pytest.raises(ValueError, match=f"no corruption '{name}' inside jit: choose one of g"):
            corrupt_each(jax.random.split(KEY, 8), faces, 1.0, name=name)


@pytest.mark.parametrize("photons", [15, 250])
def test_shot_noise_is_poissons(photons):
    images = draw_images((3, 40, 40, 1))
    seen = np.asarray(jitted(noise.shot_noise)(KEY, images, photons=photons))
    draw = np.asarray(jax.random.uniform(KEY, images.shape), np.float64)
    counts = stats.poisson.ppf(draw, images.astype(np.float64) * photons)
    np.testing.assert_allclose(seen, np.clip(counts / photons, 0, 1), atol=1.001 / photons)
    # In float32 a draw next to a step may fall on its other side.
    assert np.mean(np.isclose(seen, np.clip(counts / photons, 0, 1), atol=1e-5)) > 0.999
    black = noise.shot_noise(KEY, jnp.zeros((2, 40, 40, 1)), photons=photons)
    assert not np.asarray(black).any()
    with pytest.raises(ValueError, match="600 photons: give at most 512"):
        noise.shot_noise(KEY, images, photons=600)


def test_speckle_noise_is_proportional_to_the_level():
    images = np.full((2, 64, 64, 1), 0.4, np.float32)
    images[1] = 0.2
    seen = np.asarray(jitted(noise.speckle_noise)(KEY, images, sigma=0.2))
    draw = np.asarray(jax.random.normal(KEY, images.shape))
    np.testing.assert_allclose(seen, np.clip(images * (1 + 0.2 * draw), 0, 1), atol=1e-6)
    # 4,096 draws: a standard deviation is known to 1 / sqrt(2 n) = 1.1 %.
    np.testing.assert_allclose(seen.std((1, 2, 3)), [0.08, 0.04], rtol=0.06)


@pytest.mark.parametrize("radius", [0.3, 0.86, 2.14])
def test_defocus_is_a_convolution_with_a_disk(radius):
    images = draw_images((2, 10, 12, 1))
    seen = jitted(blur.defocus_blur)(images, radius=radius)
    points = (np.arange(63) + 0.5) / 9 - 3.5  # 7 pixels of 9 points
    disk = (points[:, None] ** 2 + points**2 <= radius**2).reshape(7, 9, 7, 9).mean((1, 3))
    expected = [ndimage.convolve(i, disk / disk.sum(), mode="reflect") for i in images[..., 0]]
    np.testing.assert_allclose(np.asarray(seen)[..., 0], expected, atol=1e-6)
    with pytest.raises(ValueError, match="defocus radius 3.5 exceeds max_radius=3.0"):
        blur.defocus_blur(images, radius=3.5)


def test_motion_blur_is_a_trail_of_half_a_gaussian():
    images, angles = draw_images(), np.array([0.0, 30.0, -45.0], np.float32)
    seen = np.asarray(jitted(blur.motion_blur)(images, sigma=1.5, angle=angles))
    weights = np.exp(-0.5 * (np.arange(10) / 1.5) ** 2)
    rows, columns = np.mgrid[:10, :12]
    for image, angle, after in zip(images, np.deg2rad(angles), seen, strict=True):
        trail = [
            ndimage.map_coordinates(
                image[..., 0], [rows + i * np.sin(angle), columns + i * np.cos(angle)],
                order=1, mode="nearest",
            )
            for i in range(10)
        ]
        expected = np.tensordot(weights / weights.sum(), trail, 1)
        np.testing.assert_allclose(after[..., 0], expected, atol=1e-5)


def test_a_random_block_covers_one_square_with_one_level():
    images = np.full((200, 12, 10, 1), 0.1234, np.float32)
    seen = np.asarray(jitted(occlusion.random_block)(KEY, images, side=4))[..., 0]
    corners, levels = set(), set()
    for face in seen:
        rows, columns = np.nonzero(face != images[0, 0, 0, 0])
        assert len(rows) == 16 and np.ptp(rows) == np.ptp(columns) == 3
        corners.add((rows[0], columns[0]))
        levels |= {float(level) for level in np.unique(face[rows, columns])}
    # 9 * 7 places; of 200 draws 63 * (1 - 1/63)^200 = 2.6 are missed on average.
    assert len(corners) > 50
    assert {row for row, _ in corners} == set(range(9))
    # One level a face, of 256: 200 draws hit 256 * (1 - (1 - 1/256)^200) = 139 on average.
    assert 110 < len(levels) < 165


def test_dead_lines_are_so_many_whole_rows_or_columns():
    images = np.full((100, 12, 10, 1), 0.5, np.float32)
    dead_lines = jitted(occlusion.dead_lines)
    fewer, more = (np.asarray(dead_lines(KEY, images, count=n))[..., 0] == 0 for n in (2, 3))
    assert (more >= fewer).all()  # the same lines and another
    across = more.all(2).any(1)
    assert 30 < across.sum() < 70  # half of 100, sd 5
    for face, rows in zip(more, across, strict=True):
        lines = face if rows else face.T
        assert lines.all(1).sum() == 3 and lines.sum() == 3 * lines.shape[1]


@pytest.mark.parametrize("share, cells", [(0.9, 43), (0.7, 33), (0.5, 24)])
def test_pixelate_is_pillows(share, cells, faces):
    seen = np.asarray(jitted(digital.pixelate)(faces, share=share))
    for face, after in zip(faces, seen, strict=True):
        picture = Image.fromarray(np.round(face[..., 0] * 255).astype(np.uint8))
        expected = picture.resize((cells, cells), Image.BOX).resize((48, 48), Image.BOX)
        # Pillow rounds to a byte after each of its two passes.
        np.testing.assert_allclose(after[..., 0] * 255, np.asarray(expected), atol=1.01)


def test_contrast_and_quantise_by_hand():
    image = np.array([0.0, 0.2, 0.4, 1.0], np.float32).reshape(1, 2, 2, 1)  # mean .4
    seen = digital.contrast(image, factor=0.5)
    np.testing.assert_allclose(np.ravel(seen), [0.2, 0.3, 0.4, 0.7], atol=1e-6)
    seen = digital.quantise(image, levels=jnp.asarray(3.0))
    np.testing.assert_array_equal(np.ravel(seen), [0, 0, 0.5, 1])


def test_brightness_raises_the_value_of_hsv():
    grey = np.array([0.0, 0.3, 0.9], np.float32).reshape(1, 1, 3, 1)
    np.testing.assert_allclose(np.ravel(digital.brightness(grey, shift=0.2)), [0.2, 0.5, 1.0])
    colour = draw_images((1, 4, 4, 3))
    seen = np.asarray(digital.brightness(colour, shift=0.3))
    for before, after in zip(colour.reshape(-1, 3), seen.reshape(-1, 3), strict=True):
        hue, saturation, value = colorsys.rgb_to_hsv(*before)
        expected = colorsys.hsv_to_rgb(hue, saturation, min(value + 0.3, 1))
        np.testing.assert_allclose(after, expected, atol=1e-5)


@pytest.mark.parametrize("size", [3, 5])
def test_median_is_scipys(size):
    images = (draw_images((2, 9, 8, 1)) * 255).astype(np.uint8)
    seen = np.asarray(jitted(median_filter, size=size)(images))
    expected = [ndimage.median_filter(i, size=size, mode="nearest") for i in images[..., 0]]
    np.testing.assert_array_equal(seen[..., 0], expected)
    with pytest.raises(ValueError, match="got size=4; expected an odd one"):
        median_filter(images, size=4)
