"""Colour jitter against Pillow, colorsys and slow loops, and what its twin draws."""

import colorsys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image, ImageEnhance

from fer_jax.ops import colour

pytestmark = pytest.mark.usefixtures("quick_compile")

KEY = jax.random.key(3)
IMAGES = np.random.default_rng(1).integers(0, 256, (3, 6, 5, 3), np.uint8)
IMAGES[0, 0, :3] = [[0, 0, 0], [255, 255, 255], [90, 90, 90]]  # without a hue
UNIT = (IMAGES / 255).astype(np.float32)
ENHANCERS = {
    "brightness": ImageEnhance.Brightness,
    "contrast": ImageEnhance.Contrast,
    "saturation": ImageEnhance.Color,
}


@pytest.mark.parametrize("name", ENHANCERS)
@pytest.mark.parametrize("factors", [(0.4, 1.0, 1.7), (0.0, 0.9, 2.0)])
def test_enhancing_is_pillows(name, factors):
    # torchvision's ColorJitter on pictures calls these. Pillow rounds the mean and each pixel to
    # whole levels of 255, and cuts pixels down: two levels.
    out = jax.jit(colour.OPS[name])(UNIT, jnp.array(factors))
    for image, factor, found in zip(IMAGES, factors, out, strict=True):
        expected = np.asarray(ENHANCERS[name](Image.fromarray(image)).enhance(factor)) / 255
        np.testing.assert_allclose(found, expected, atol=2.5 / 255)
    np.testing.assert_allclose(colour.OPS[name](UNIT, 1.0), UNIT, atol=1e-6)


@pytest.mark.parametrize("turn", [-0.5, -0.1, 0.0, 0.25, 0.45])
def test_the_hue_is_colorsys(turn):
    out = jax.jit(colour.hue)(UNIT, turn)
    expected = np.zeros(UNIT.shape)
    for index in np.ndindex(UNIT.shape[:3]):
        h, s, v = colorsys.rgb_to_hsv(*UNIT[index].astype(float))
        expected[index] = colorsys.hsv_to_rgb((h + turn) % 1, s, v)
    np.testing.assert_allclose(out, expected, atol=1e-5)


def test_grey_images_have_brightness_and_contrast_only():
    grey = UNIT[..., :1]
    for op in (colour.saturation, colour.hue):
        assert op(grey, 0.3) is grey
    np.testing.assert_allclose(colour.brightness(grey, 0.5), 0.5 * grey, atol=1e-6)
    mean = grey.mean(axis=(1, 2, 3), keepdims=True)
    np.testing.assert_allclose(
        colour.contrast(grey, 0.5), 0.5 * grey + 0.5 * mean, atol=1e-6
    )


@pytest.mark.parametrize("name", colour.OPS)
def test_vmap_and_gradient(name):
    op = colour.OPS[name]
    values = jnp.array([0.2, 0.45])
    swept = jax.vmap(op, in_axes=(None, 0))(UNIT, values)
    np.testing.assert_allclose(swept[1], op(UNIT, values[1]), atol=1e-6)
    # Black, white and grey pixels too.
    gradient = jax.grad(lambda x: op(x, 0.2).sum())(jnp.asarray(UNIT))
    assert np.isfinite(gradient).all() and abs(gradient).max() > 0


def test_factors_are_uniform_about_one():
    images = jnp.full((1000, 2, 2, 1), 0.5)
    out = np.asarray(jax.jit(lambda x: colour.random_jitter(KEY, x, brightness=0.4))(images))
    factors = out[:, 0, 0, 0] / 0.5
    assert 0.6 - 1e-5 <= factors.min() < 0.61 and 1.39 < factors.max() <= 1.4 + 1e-5
    # The standard error of 1,000 uniform draws of width .8: .8 / sqrt(12 * 1000).
    assert abs(factors.mean() - 1) < 4 * 0.0073


def test_each_image_has_an_order_of_its_own():
    b = 400
    images = jnp.tile(jnp.asarray(UNIT[:1]), (b, 1, 1, 1))
    spans = {"brightness": 0.4, "contrast": 0.4}
    out = np.asarray(jax.jit(lambda x: colour.random_jitter(KEY, x, **spans))(images))
    _, factor_key = jax.random.split(KEY)
    bright, contrast = (
        jax.random.uniform(jax.random.fold_in(factor_key, i), (b,), minval=0.6, maxval=1.4)
        for i in range(2)
    )
    first = colour.contrast(colour.brightness(images, bright), contrast)
    second = colour.brightness(colour.contrast(images, contrast), bright)
    is_first = abs(out - first).max(axis=(1, 2, 3)) < 1e-5
    is_second = abs(out - second).max(axis=(1, 2, 3)) < 1e-5
    assert (is_first | is_second).all()
    # Half of 400 each, standard deviation 10; without clipping the two come out alike.
    assert abs(is_first[~(is_first & is_second)].mean() - 0.5) < 0.1


def test_nothing_asked_is_nothing_done():
    assert colour.random_jitter(KEY, UNIT) is UNIT
    everything = {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1}
    out = np.asarray(jax.jit(lambda x: colour.random_jitter(KEY, x, **everything))(UNIT))
    assert out.min() >= 0 and out.max() <= 1 and (abs(out - UNIT).max(axis=(1, 2, 3)) > 0.01).all()
