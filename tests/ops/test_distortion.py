"""Distortions: what they do to pixels on average, exactly, and one image at a time."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fer_jax.ops.distortion import (
    DISTORTIONS,
    distort,
    distort_each,
    gaussian_blur,
    gaussian_noise,
    random_grey,
    salt_pepper,
)

pytestmark = pytest.mark.usefixtures("quick_compile")

NAMES = ["random_grey", "gaussian", "salt_pepper", "blur"]
# 0.5 lies between the grey levels 127/255 and 128/255: a pixel that left it was distorted.
GREY = jnp.full((64, 48, 48, 1), 0.5)
KEY = jax.random.key(7)
# Compiled whole: op by op, each test would compile dozens of small programs.
distort_jit = jax.jit(distort, static_argnames="name")
distort_each_jit = jax.jit(distort_each, static_argnames="name")


def draw_images(shape=(4, 10, 12, 1), dtype=jnp.float32):
    return jax.random.uniform(jax.random.key(1), shape, dtype)


def test_the_table_holds_the_four_names():
    assert list(DISTORTIONS) == NAMES


@pytest.mark.parametrize("p", [0.05, 0.3])
def test_random_grey_replaces_a_share_p_of_pixels(p):
    share = jnp.mean(random_grey(KEY, GREY, p=p) != 0.5)
    # 147,456 pixels: the share's standard deviation is at most sqrt(.3 * .7 / 147456) = .0012.
    assert abs(share - p) < 5 * 0.0012


def test_random_grey_levels_are_uniform_over_256():
    replaced = np.asarray(random_grey(KEY, GREY, p=1.0))
    levels, counts = np.unique(replaced, return_counts=True)
    # XLA divides by 255 as a product with 1/255: one unit in the last place, about 1e-7.
    np.testing.assert_allclose(levels, np.arange(256) / 255, rtol=0, atol=1.2e-7)
    # 147,456 / 256 = 576 expected a level, standard deviation 24; 256 levels stay within 5.
    assert abs(counts - 576).max() < 5 * 24


def test_random_grey_matches_numpy():
    images = np.asarray(draw_images())
    where_key, level_key = jax.random.split(KEY)
    draws = np.asarray(jax.random.uniform(where_key, images.shape))
    levels = np.asarray(jax.random.bits(level_key, images.shape, jnp.uint8))
    expected = images.copy()
    for index in np.ndindex(images.shape):
        if draws[index] < 0.4:
            expected[index] = levels[index] / 255
    np.testing.assert_allclose(random_grey(KEY, images, p=0.4), expected, rtol=0, atol=1.2e-7)


def test_salt_pepper_is_half_black_half_white():
    out = salt_pepper(KEY, GREY, p=0.2)
    # Each share is .1 with standard deviation sqrt(.1 * .9 / 147456) = .0008.
    assert abs(jnp.mean(out == 0) - 0.1) < 5 * 0.0008
    assert abs(jnp.mean(out == 1) - 0.1) < 5 * 0.0008
    assert set(np.unique(out)) == {0.0, 0.5, 1.0}
    assert set(np.unique(salt_pepper(KEY, GREY, p=1.0))) == {0.0, 1.0}


@pytest.mark.parametrize("of_255", [10, 20, 30])
def test_gaussian_noise_has_its_standard_deviation(of_255):
    noise = (gaussian_noise(KEY, GREY, sigma=of_255 / 255) - 0.5) * 255
    # 147,456 draws: relative error of a standard deviation 1 / sqrt(2 n) = .0018; grey .5 is
    # more than four sigma from either end, so clipping takes nothing away.
    assert abs(noise.std() / of_255 - 1) < 5 * 0.0018
    assert abs(noise.mean()) < 5 * of_255 / 384  # sqrt(147456) = 384


def test_gaussian_noise_is_clipped():
    out = gaussian_noise(KEY, GREY, sigma=1.0)
    assert out.min() == 0 and out.max() == 1
    # P(|z| > .5) = .617 of all pixels end at one of the ends.
    assert abs(jnp.mean((out == 0) | (out == 1)) - 0.617) < 0.01


@pytest.mark.parametrize("name", ["random_grey", "salt_pepper"])
def test_channels_of_a_pixel_change_together(name):
    colour = jnp.full((2, 16, 16, 3), 0.5)
    out = np.asarray(distort_jit(KEY, colour, 0.5, name=name))
    np.testing.assert_array_equal(out[..., :1].repeat(3, axis=-1), out)
    assert (out != 0.5).any() and (out == 0.5).any()


def test_gaussian_noise_differs_between_channels():
    out = gaussian_noise(KEY, jnp.full((1, 4, 4, 3), 0.5), sigma=0.1)
    assert (out[..., 0] != out[..., 1]).all()


def numpy_blur(images, sigma, radius):
    offsets = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 * (offsets / sigma) ** 2)
    weights /= weights.sum()
    for axis in (1, 2):
        widths = [(radius, radius) if i == axis else (0, 0) for i in range(4)]
        padded = np.pad(images, widths, mode="symmetric")
        images = np.apply_along_axis(np.convolve, axis, padded, weights, mode="valid")
    return images


@pytest.mark.parametrize("sigma", [0.8, 1.4, 4.0])
def test_blur_matches_numpy(sigma):
    images = draw_images((2, 10, 12, 3))  # smaller than the kernel of 25: reflected twice
    out = jax.jit(gaussian_blur)(images, sigma=sigma)
    np.testing.assert_allclose(out, numpy_blur(np.asarray(images), sigma, 12), atol=1e-6)
    # Reflection that repeats the edge keeps the mean.
    np.testing.assert_allclose(out.mean((1, 2)), images.mean((1, 2)), atol=1e-6)


def test_blur_gradient_is_the_blur_itself():
    """With reflected edges the blur is a symmetric linear map: its transpose is itself."""
    images, weights = draw_images(), draw_images()[::-1]
    blur = jax.jit(lambda x, sigma: gaussian_blur(x, sigma=sigma, max_sigma=1.5))
    gradient = jax.grad(lambda x: (blur(x, 1.4) * weights).sum())(images)
    np.testing.assert_allclose(gradient, blur(weights, 1.4), atol=1e-6)


@pytest.mark.parametrize("name", ["random_grey", "gaussian", "salt_pepper"])
def test_gradient_is_one_where_the_pixel_was_kept(name):
    images = 0.4 + 0.2 * draw_images()
    strength = 0.05 if name == "gaussian" else 0.5  # .05: no pixel of .4...6 reaches an end
    out, pull = jax.vjp(lambda x: distort_jit(KEY, x, strength, name=name), images)
    expected = jnp.ones_like(images) if name == "gaussian" else out == images
    np.testing.assert_array_equal(pull(jnp.ones_like(images))[0], expected)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("name", NAMES)
def test_range_shape_and_dtype_are_kept_and_strength_zero_is_the_identity(name, dtype):
    images = draw_images(dtype=dtype).at[0, 0, :2, 0].set(jnp.array([0, 1], dtype))
    out = distort_jit(KEY, images, jnp.array([0.9, 0.0, 0.5, 0.0]), name=name)
    assert out.shape == images.shape and out.dtype == dtype
    assert out.min() >= 0 and out.max() <= 1
    for i, distorted in enumerate([True, False, True, False]):
        assert (out[i] != images[i]).any() == distorted
    nothing = distort_jit(KEY, images, jnp.zeros(4), name=name)
    np.testing.assert_array_equal(nothing, images)


def test_clean_is_the_identity():
    images, keys = draw_images(), jax.random.split(KEY, 4)
    np.testing.assert_array_equal(distort(KEY, images, 0.5, name="clean"), images)
    np.testing.assert_array_equal(distort_each(keys, images, 0.5, name="clean"), images)


@pytest.mark.parametrize("name", NAMES)
def test_a_strength_for_each_image_equals_one_for_all(name):
    images = draw_images()
    strengths = jnp.array([0.0, 0.3, 0.6, 0.9])
    together = distort_jit(KEY, images, strengths, name=name)
    for i, strength in enumerate(np.asarray(strengths).tolist()):
        alone = distort_jit(KEY, images, strength, name=name)[i]
        np.testing.assert_allclose(together[i], alone, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_jit_and_vmap_over_strengths_equal_the_plain_call(name):
    images, strengths = draw_images(), [0.2, 0.8]
    swept = jax.vmap(lambda s: distort_jit(KEY, images, s, name=name))(jnp.array(strengths))
    for out, strength in zip(swept, strengths, strict=True):
        plain = distort(KEY, images, strength, name=name)
        np.testing.assert_allclose(out, plain, atol=1e-6)
        np.testing.assert_allclose(
            distort_jit(KEY, images, strength, name=name), plain, atol=1e-6
        )


@pytest.mark.parametrize("name", ["random_grey", "gaussian", "salt_pepper"])
def test_the_key_decides(name):
    images = draw_images()[:1].repeat(4, 0)
    out = distort_jit(KEY, images, 0.5, name=name)
    np.testing.assert_array_equal(out, distort_jit(KEY, images, 0.5, name=name))
    assert (out != distort_jit(jax.random.key(8), images, 0.5, name=name)).any()
    assert (out[0] != out[1]).any()  # equal images get draws of their own


@pytest.mark.parametrize("name", NAMES)
def test_distort_each_does_not_see_the_batch(name):
    images, keys = draw_images((5, 10, 12, 1)), jax.random.split(KEY, 5)
    strengths = jnp.array([0.1, 0.3, 0.5, 0.7, 0.9])
    whole = distort_each_jit(keys, images, strengths, name=name)
    for i in range(5):
        one = slice(i, i + 1)
        alone = distort_each_jit(keys[one], images[one], strengths[one], name=name)
        np.testing.assert_array_equal(alone[0], whole[i])
    turned = distort_each_jit(keys[::-1], images[::-1], strengths[::-1], name=name)
    np.testing.assert_array_equal(turned[::-1], whole)


def test_distort_each_is_distort_of_each_image():
    images, keys = draw_images(), jax.random.split(KEY, 4)
    together = distort_each(keys, images, 0.4, name="random_grey")
    for i in range(4):
        alone = distort(keys[i], images[i : i + 1], 0.4, name="random_grey")
        np.testing.assert_array_equal(together[i], alone[0])


def test_four_devices_draw_what_one_draws():
    mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    images = draw_images()
    spread = jax.device_put(images, jax.NamedSharding(mesh, jax.P("data")))
    expected = distort_jit(KEY, images, 0.4, name="random_grey")
    out = distort_jit(KEY, spread, 0.4, name="random_grey")
    np.testing.assert_array_equal(out, expected)


def test_errors_say_what_to_do():
    images = draw_images()
    with pytest.raises(ValueError, match="'fog'.*clean, random_grey, gaussian, salt_pepper, blur"):
        distort(KEY, images, 0.1, name="fog")
    with pytest.raises(ValueError, match="unknown distortion"):
        distort_each(jax.random.split(KEY, 4), images, 0.1, name="fog")
    with pytest.raises(ValueError, match="divide bytes by 255"):
        random_grey(KEY, jnp.zeros((4, 8, 8, 1), jnp.uint8), p=0.1)
    with pytest.raises(ValueError, match="add the missing axis"):
        salt_pepper(KEY, images[0], p=0.1)
    with pytest.raises(ValueError, match=r"\(3,\).*the 4 images"):
        gaussian_noise(KEY, images, sigma=jnp.zeros(3))
    with pytest.raises(ValueError, match="exceeds max_sigma=4.0"):
        gaussian_blur(images, sigma=5.0)
    with pytest.raises(ValueError, match="exceeds max_sigma"):
        jax.jit(lambda x: gaussian_blur(x, sigma=5.0))(images)
