"""Normalisation by hand, and the pictures it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fer_jax.ops.normalisation import IMAGENET_MEAN, IMAGENET_STD, channels_after, normalise

pytestmark = pytest.mark.usefixtures("quick_compile")


@pytest.mark.parametrize("channels", [1, 3])
def test_imagenets_units_by_hand(channels):
    images = np.random.default_rng(0).random((2, 3, 4, channels), np.float32)
    out = jax.jit(lambda x: normalise(x, name="imagenet"))(images)
    assert out.shape == (2, 3, 4, 3)
    for colour in range(3):
        seen = images[..., colour if channels == 3 else 0]
        expected = (seen - IMAGENET_MEAN[colour]) / IMAGENET_STD[colour]
        np.testing.assert_allclose(out[..., colour], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
def test_symmetric_is_from_minus_one_to_one(channels):
    images = jnp.linspace(0, 1, 5 * channels).reshape(1, 1, 5, channels)
    np.testing.assert_allclose(normalise(images, name="symmetric"), 2 * images - 1, atol=1e-6)
    assert normalise(images, name="none") is images


def test_two_channels_are_refused():
    with pytest.raises(ValueError, match="2 channels; 'imagenet' expects 1 .grey. or 3 .RGB."):
        normalise(jnp.zeros((1, 8, 8, 2)), name="imagenet")
    assert channels_after(2, name="symmetric") == 2
