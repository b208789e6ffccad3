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


def test_soft_cross_entropy_matches_numpy():
    generator = np.random.default_rng(0)
    logits, targets = generator.normal(0, 3, (5, 8)), generator.dirichlet(np.ones(8), 5)
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = -(targets * np.log(shares)).sum(1)
    found = losses.soft_cross_entropy(jnp.asarray(logits), jnp.asarray(targets))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    # One-hot targets are labels.
    labels = np.array([0, 7, 3, 3, 1])
    np.testing.assert_allclose(
        losses.soft_cross_entropy(jnp.asarray(logits), jnp.eye(8)[labels]),
        losses.cross_entropy(jnp.asarray(logits), jnp.asarray(labels)),
        rtol=1e-5,
    )


def test_any_label_cross_entropy_matches_numpy():
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 3, (5, 8))
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    # One, two and eight accepted classes; how large their shares are does not matter.
    targets = np.zeros((5, 8))
    targets[0, 7], targets[1, [2, 5]], targets[2:] = 1, (0.9, 0.1), 1 / 8
    expected = -np.log(np.where(targets > 0, shares, 0).max(1))
    found = losses.any_label_cross_entropy(jnp.asarray(logits), jnp.asarray(targets))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_any_accepted_class_costs_nothing_and_learns_towards_the_likelier():
    targets = jnp.array([[0.5, 0.5, 0.0]])
    sure = losses.any_label_cross_entropy(jnp.array([[0.0, 90.0, 0.0]]), targets)
    np.testing.assert_allclose(sure, 0, atol=1e-6)
    gradient = jax.grad(lambda x: losses.any_label_cross_entropy(x, targets).sum())
    # The gradient is that of the label 1, the likelier of the two: shares less one-hot.
    logits = jnp.array([[0.0, 1.0, 2.0]])
    shares = np.exp([0, 1, 2]) / np.exp([0, 1, 2]).sum()
    np.testing.assert_allclose(gradient(logits)[0], shares - [0, 1, 0], rtol=1e-5)
    # A sure wrong answer costs much, and its gradient is finite.
    wrong = jnp.array([[-100.0, -100.0, 100.0]])
    np.testing.assert_allclose(losses.any_label_cross_entropy(wrong, targets), 200.0)
    assert np.isfinite(gradient(wrong)).all()


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
