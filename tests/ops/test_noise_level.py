"""The noise estimate finds what was added, and nothing in what is even."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.signal import convolve2d

from fer_jax.ops.noise_level import noise_level


def test_gaussian_noise_on_a_ramp_is_found():
    generator = np.random.default_rng(0)
    ramp = np.linspace(0.2, 0.8, 200)[None, :, None, None] * np.ones((2, 1, 200, 1))
    sigmas = np.array([0.02, 0.1])
    images = ramp + sigmas[:, None, None, None] * generator.normal(size=ramp.shape)
    # About 40,000 pixels: the estimate's own spread is below 1 %.
    np.testing.assert_allclose(noise_level(images), sigmas, rtol=0.02)
    # 2-4-2 weights cancel a rising grey but for rounding.
    np.testing.assert_allclose(noise_level(ramp), 0, atol=1e-6)


def test_it_is_immerkaers_sum_under_jit_and_vmap():
    image = np.random.default_rng(1).random((3, 9, 7, 2)).astype(np.float32)
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]])
    expected = [
        np.sqrt(np.pi / 2) / 6
        * np.mean([abs(convolve2d(one[..., c], kernel, "valid")) for c in range(2)])
        for one in image
    ]
    np.testing.assert_allclose(jax.jit(noise_level)(image), expected, rtol=1e-5)
    mapped = jax.vmap(lambda one: noise_level(one[None])[0])(jnp.asarray(image))
    np.testing.assert_allclose(mapped, expected, rtol=1e-5)


def test_too_small_pictures_are_refused():
    with pytest.raises(ValueError, match="2x5 pixels; expected at least 3x3"):
        noise_level(jnp.zeros((1, 2, 5, 1)))
