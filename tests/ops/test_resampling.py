"""Up-sampling against NumPy, and the folded convolution against its two plain steps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fer_jax.ops.resampling import upsample_2x, upsample_2x_conv


def numpy_upsample(x):
    return x.repeat(2, axis=1).repeat(2, axis=2)


def numpy_convolve(x, kernel):
    """Convolve [b, h, w, i] with [3, 3, i, o], zeros around the border."""
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    h, w = x.shape[1:3]
    return sum(
        padded[:, i : i + h, j : j + w] @ kernel[i, j] for i in range(3) for j in range(3)
    )


@pytest.fixture
def x():
    return jax.random.normal(jax.random.key(0), (2, 3, 5, 4))


@pytest.fixture
def kernel():
    return jax.random.normal(jax.random.key(1), (3, 3, 4, 2))


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.uint8])
def test_upsample_repeats_pixels(x, dtype):
    x = (x * 10).astype(dtype)
    expected = numpy_upsample(np.asarray(x))
    for form in (upsample_2x, jax.jit(upsample_2x)):
        assert form(x).dtype == dtype
        np.testing.assert_array_equal(form(x), expected)
    stacked = jnp.stack([x, x[::-1]])
    np.testing.assert_array_equal(jax.vmap(upsample_2x)(stacked)[0], expected)


def test_upsample_gradient_sums_the_four_copies(x):
    weights = np.arange(2 * 6 * 10 * 4, dtype=np.float32).reshape(2, 6, 10, 4)
    gradient = jax.vjp(upsample_2x, x)[1](jnp.asarray(weights))[0]
    expected = weights.reshape(2, 3, 2, 5, 2, 4).sum(axis=(2, 4))
    np.testing.assert_array_equal(gradient, expected)  # whole numbers below 2**24: exact


def test_folded_convolution_matches_numpy(x, kernel):
    expected = numpy_convolve(numpy_upsample(np.asarray(x)), np.asarray(kernel))
    for form in (upsample_2x_conv, jax.jit(upsample_2x_conv)):
        np.testing.assert_allclose(form(x, kernel), expected, rtol=1e-5, atol=1e-5)
    stacked = jax.vmap(upsample_2x_conv, in_axes=(0, None))(jnp.stack([x, -x]), kernel)
    np.testing.assert_allclose(stacked[1], -expected, rtol=1e-5, atol=1e-5)


def test_folded_convolution_has_the_gradients_of_the_two_steps(x, kernel):
    def two_steps(x, kernel):
        return jax.lax.conv_general_dilated(
            upsample_2x(x), kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    weights = jax.random.normal(jax.random.key(2), (2, 6, 10, 2))
    ours = jax.vjp(upsample_2x_conv, x, kernel)[1](weights)
    theirs = jax.vjp(two_steps, x, kernel)[1](weights)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_a_kernel_that_is_not_3x3_is_named(x):
    with pytest.raises(ValueError, match=r"kernel is \[5, 5, 4, 2\]; expected \[3, 3"):
        upsample_2x_conv(x, jnp.zeros((5, 5, 4, 2)))
