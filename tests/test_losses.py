"""Losses: against NumPy, and what a perfect reconstruction still costs."""

import jax
import jax.numpy as jnp
import numpy as np

from fer_jax import losses


def test_cross_entropy_matches_numpy():
    generator = np.random.default_rng(0)
    logits, labels = generator.normal(0, 3, (5, 7)), np.array([0, 6, 3, 3, 1])
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = -np.log(shares[np.arange(5), labels])
    # float32 against float64.
    np.testing.assert_allclose(
        losses.cross_entropy(jnp.asarray(logits), jnp.asarray(labels)), expected, rtol=1e-5
    )


def test_pixel_cross_entropy_matches_numpy():
    generator = np.random.default_rng(0)
    logits, clean = generator.normal(0, 3, (3, 4, 5, 1)), generator.uniform(0, 1, (3, 4, 5, 1))
    share = 1 / (1 + np.exp(-logits))
    pixels = -(clean * np.log(share) + (1 - clean) * np.log(1 - share))
    found = losses.pixel_cross_entropy(jnp.asarray(logits), jnp.asarray(clean))
    assert found.shape == (3,)
    np.testing.assert_allclose(found, pixels.mean(axis=(1, 2, 3)), rtol=1e-5)


def test_a_perfect_reconstruction_costs_the_pixels_own_entropy():
    clean = jnp.asarray(np.random.default_rng(0).uniform(0.05, 0.95, (2, 4, 4, 1)), jnp.float32)
    perfect = jnp.log(clean) - jnp.log1p(-clean)
    entropy = -(clean * jnp.log(clean) + (1 - clean) * jnp.log1p(-clean)).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(losses.pixel_cross_entropy(perfect, clean), entropy, rtol=1e-5)
    gradient = jax.grad(lambda x: losses.pixel_cross_entropy(x, clean).sum())(perfect)
    np.testing.assert_allclose(gradient, 0, atol=1e-7)


def test_sure_and_wrong_pixels_cost_much_but_not_infinity():
    # log(1 + e^100) = 100 in float32.
    wrong = losses.pixel_cross_entropy(jnp.full((1, 2, 2, 1), 100.0), jnp.zeros((1, 2, 2, 1)))
    np.testing.assert_allclose(wrong, 100.0)
