"""Resizing and crops against slow NumPy loops and PyTorch, and what the random twins draw."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fer_jax.ops import crops

pytestmark = pytest.mark.usefixtures("quick_compile")

KEY = jax.random.key(3)
B, H, W = 4, 9, 12


def draw_images(channels=2):
    return np.random.default_rng(1).random((B, H, W, channels), np.float32)


def numpy_resized(image, height, width):
    """Resize image [h, w, c] bilinearly about pixel centres, its edge repeated, pixel by pixel."""
    h, w = image.shape[:2]
    out = np.zeros((height, width, image.shape[2]))
    for i, j in np.ndindex(height, width):
        row = np.clip((i + 0.5) * h / height - 0.5, 0, h - 1)
        column = np.clip((j + 0.5) * w / width - 0.5, 0, w - 1)
        top, left = int(row), int(column)
        for y, x in np.ndindex(2, 2):
            share = (1 - abs(row - top - y)) * (1 - abs(column - left - x))
            out[i, j] += share * image[min(top + y, h - 1), min(left + x, w - 1)]
    return out


def test_resize_up_matches_numpy():
    images = draw_images()
    out = jax.jit(lambda x: crops.resize(x, size=(20, 30)))(images)
    expected = [numpy_resized(image, 20, 30) for image in images]
    np.testing.assert_allclose(out, expected, atol=1e-5)
    assert crops.resize(images, size=(H, W)) is images


def test_resize_down_is_pytorchs_with_antialiasing():
    torch = pytest.importorskip("torch", reason="needs PyTorch: the extra `reference`")
    images = draw_images()
    theirs = torch.nn.functional.interpolate(
        torch.from_numpy(images.transpose(0, 3, 1, 2)), (5, 7), mode="bilinear", antialias=True
    )
    out = crops.resize(jnp.asarray(images), size=(5, 7))
    np.testing.assert_allclose(out, theirs.numpy().transpose(0, 2, 3, 1), atol=1e-5)


@pytest.mark.parametrize("size, top, left", [((5, 6), 2, 3), ((6, 5), 2, 4), ((9, 12), 0, 0)])
def test_centre_crop_is_torchvisions(size, top, left):
    # (9 - 6) / 2 = 1.5 rounds to 2, (12 - 5) / 2 = 3.5 to 4: to the even side.
    images = draw_images()
    expected = images[:, top : top + size[0], left : left + size[1]]
    np.testing.assert_array_equal(crops.centre_crop(images, size=size), expected)


def test_ten_crop_is_the_corners_the_centre_and_their_mirror_images():
    images = draw_images()
    out = jax.jit(lambda x: crops.ten_crop(x, size=5))(images)
    places = [(0, 0), (0, 7), (4, 0), (4, 7), (2, 4)]  # of 9x12; the centre's 3.5 rounds to 4
    assert len(out) == 10
    for i, (top, left) in enumerate(places):
        crop = images[:, top : top + 5, left : left + 5]
        np.testing.assert_array_equal(out[i], crop)
        np.testing.assert_array_equal(out[i + 5], crop[:, :, ::-1])


BOXES = np.array([[0, 0, 9, 12], [2, 3, 4, 5], [8, 11, 1, 1], [0, 6, 9, 6]])


@pytest.mark.parametrize("size", [None, (15, 7)])
def test_resized_crop_matches_numpy(size):
    images = draw_images()
    out = jax.jit(lambda x: crops.resized_crop(x, BOXES, size=size))(images)
    for b, (top, left, height, width) in enumerate(BOXES):
        cut = images[b, top : top + height, left : left + width]
        expected = numpy_resized(cut, *(size or (H, W)))
        np.testing.assert_allclose(out[b], expected, atol=1e-5)
    # The whole image at its own size comes back as it is.
    if size is None:
        np.testing.assert_allclose(out[0], images[0], atol=1e-6)


def test_vmap_and_gradient_of_the_resized_crop():
    images = jnp.asarray(draw_images())
    swept = jax.vmap(crops.resized_crop, in_axes=(None, 0))(images, jnp.asarray(BOXES[:2]))
    for out, box in zip(swept, BOXES, strict=False):
        np.testing.assert_allclose(out, crops.resized_crop(images, box), atol=1e-6)
    # Linear in the image: the gradient of a weighted sum times the image is that sum.
    weights = images[::-1]

    def weighted(x):
        return (crops.resized_crop(x, BOXES) * weights).sum()

    gradient = jax.grad(weighted)(jnp.zeros_like(images))
    np.testing.assert_allclose((gradient * images).sum(), weighted(images), rtol=1e-4)


def test_boxes_have_the_areas_ratios_and_places_of_torchvisions_draw():
    n, side = 4000, 100
    boxes = np.asarray(
        crops.draw_boxes(KEY, (n, side, side), scale=(0.08, 1.0), ratio=(3 / 4, 4 / 3))
    )
    top, left, height, width = boxes.T
    assert (boxes >= 0).all() and (top + height <= side).all() and (left + width <= side).all()
    area, ratio = height * width / side**2, width / height
    # Rounding a side of at least sqrt(.08 * 3 / 4) * 100 = 24 pixels moves it by 2 %.
    assert 0.08 * 0.96 < area.min() < 0.1 and area.max() == 1.0
    assert 0.75 * 0.96 < ratio.min() < 0.78 and 1.28 < ratio.max() < 1.34 * 1.04
    # The same draw by a slow loop, as torchvision's get_params has it.
    generator, expected = np.random.default_rng(0), []
    for _ in range(n):
        for _ in range(10):
            target, aspect = side**2 * generator.uniform(0.08, 1), np.exp(
                generator.uniform(np.log(3 / 4), np.log(4 / 3))
            )
            w, h = round(np.sqrt(target * aspect)), round(np.sqrt(target / aspect))
            if 0 < w <= side and 0 < h <= side:
                expected.append((h * w / side**2, w / h))
                break
        else:
            expected.append((1.0, 1.0))
    expected = np.array(expected)
    # Means of 4,000 draws on both sides: standard errors of about .25 / 63 * 1.4 = .006.
    assert abs(area.mean() - expected[:, 0].mean()) < 4 * 0.006
    assert abs(np.log(ratio).mean() - np.log(expected[:, 1]).mean()) < 4 * 0.004
    # Wherever there is room the corner is uniform: its mean is half of what is left.
    room = side - height
    assert abs((top[room > 0] / room[room > 0]).mean() - 0.5) < 4 * 0.29 / np.sqrt(n * 0.9)


@pytest.mark.parametrize("shape, box", [((10, 40), (0, 13, 10, 13)), ((40, 10), (13, 0, 13, 10))])
def test_where_no_try_fits_the_box_is_the_largest_in_the_centre(shape, box):
    # Of 10x40 pixels .9 with a ratio of at most 4 / 3 would be over 16 high: the fallback is
    # 10 * 4 / 3 = 13 wide, (40 - 13) // 2 from the left.
    boxes = crops.draw_boxes(KEY, (3, *shape), scale=(0.9, 1.0), ratio=(3 / 4, 4 / 3))
    np.testing.assert_array_equal(boxes, [box] * 3)


def test_the_random_twin_is_its_draw():
    images = draw_images()
    boxes = crops.draw_boxes(KEY, (B, H, W), scale=(0.3, 1.0), ratio=(3 / 4, 4 / 3))
    out = jax.jit(lambda x: crops.random_resized_crop(KEY, x, scale=(0.3, 1.0)))(images)
    np.testing.assert_allclose(out, crops.resized_crop(images, boxes), atol=1e-6)


def test_a_crop_larger_than_the_image_is_refused():
    for crop in (crops.centre_crop, crops.ten_crop):
        with pytest.raises(ValueError, match="10x10 does not fit in images of 9x12"):
            crop(draw_images(), size=10)
