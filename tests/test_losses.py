"""Losses: against NumPy, and what a perfect reconstruction still costs."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

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


def test_smoothed_labels_are_optaxs():
    generator = np.random.default_rng(0)
    logits, labels = jnp.asarray(generator.normal(0, 3, (5, 7))), np.array([0, 6, 3, 3, 1])
    targets = jnp.eye(7)[labels]
    found = losses.weighted_cross_entropy(logits, targets, label_smoothing=0.1)
    expected = optax.softmax_cross_entropy(logits, optax.smooth_labels(targets, 0.1))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    # Nothing weighted and nothing smoothed is the plain cross-entropy.
    np.testing.assert_allclose(
        losses.weighted_cross_entropy(logits, targets),
        losses.cross_entropy(logits, jnp.asarray(labels)), rtol=1e-5,
    )


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_weighted_terms_are_pytorchs_but_for_its_mean(smoothing):
    torch = pytest.importorskip("torch", reason="needs PyTorch: the extra `reference`")
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 3, (6, 7)).astype(np.float32)
    targets = generator.dirichlet(np.ones(7), 6).astype(np.float32)
    weights = tuple(generator.uniform(0.2, 5, 7))
    theirs = torch.nn.functional.cross_entropy(
        torch.from_numpy(logits), torch.from_numpy(targets), reduction="none",
        weight=torch.tensor(weights, dtype=torch.float32), label_smoothing=smoothing,
    )
    found = losses.weighted_cross_entropy(
        jnp.asarray(logits), jnp.asarray(targets), class_weights=weights,
        label_smoothing=smoothing,
    )
    np.testing.assert_allclose(found, theirs.numpy(), rtol=1e-5)


def test_balanced_weights_by_hand():
    # Five examples in two of three classes: 5 / (2 * 4) and 5 / (2 * 1).
    labels = np.array([0, 0, 0, 2, 0])
    assert losses.balanced_weights(labels, classes=3) == (0.625, 0.0, 2.5)
    # Of distributions the sums count: 1.5 and .5 of two examples in three classes.
    targets = np.array([[1.0, 0, 0], [0.5, 0, 0.5]])
    weights = losses.balanced_weights(labels[:2], targets, classes=3)
    np.testing.assert_allclose(weights, (2 / (2 * 1.5), 0, 2 / (2 * 0.5)))
