"""Mixup and CutMix against slow NumPy loops, and what their random twins draw."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fer_jax.ops import mixing

pytestmark = pytest.mark.usefixtures("quick_compile")

KEY = jax.random.key(3)
B, H, W = 4, 6, 8
IMAGES = np.random.default_rng(1).random((B, H, W, 2), np.float32)
ORDER, SHARE = np.array([2, 1, 3, 0]), np.array([0.3, 0.5, 1.0, 0.0], np.float32)
# The second leaves the image at the top, the third everywhere, the fourth is empty.
BOXES = np.array([[1, 2, 3, 4], [-2, 3, 4, 2], [-9, -9, 40, 40], [2, 2, 0, 5]])


@pytest.mark.parametrize("form", [mixing.mixup, jax.jit(mixing.mixup)])
def test_mixup_matches_numpy(form):
    out = form(IMAGES, ORDER, jnp.asarray(SHARE))
    for b in range(B):
        expected = SHARE[b] * IMAGES[b] + (1 - SHARE[b]) * IMAGES[ORDER[b]]
        np.testing.assert_allclose(out[b], expected, atol=1e-6)
    targets = mixing.blend(jnp.eye(7)[:B], ORDER, jnp.asarray(SHARE))
    np.testing.assert_allclose(targets[0], [0.3, 0, 0.7, 0, 0, 0, 0], atol=1e-6)


@pytest.mark.parametrize("form", [mixing.cutmix, jax.jit(mixing.cutmix)])
def test_cutmix_matches_numpy(form):
    out, share = form(jnp.asarray(IMAGES), ORDER, BOXES)
    for b, (top, left, height, width) in enumerate(BOXES):
        expected, foreign = IMAGES[b].copy(), 0
        for i, j in np.ndindex(H, W):
            if top <= i < top + height and left <= j < left + width:
                expected[i, j], foreign = IMAGES[ORDER[b], i, j], foreign + 1
        np.testing.assert_array_equal(out[b], expected)
        assert float(share[b]) == pytest.approx(1 - foreign / (H * W))


def test_vmap_and_gradient():
    shares = jnp.stack([SHARE, SHARE[::-1]])
    swept = jax.vmap(mixing.mixup, in_axes=(None, None, 0))(IMAGES, ORDER, shares)
    np.testing.assert_allclose(swept[1], mixing.mixup(IMAGES, ORDER, shares[1]), atol=1e-6)
    # Each pixel counts once with its own share and once with its partner's rest.
    gradient = jax.grad(lambda x: mixing.mixup(x, ORDER, jnp.asarray(SHARE)).sum())(IMAGES)
    taken = np.array([SHARE[b] + (1 - SHARE)[ORDER == b].sum() for b in range(B)])
    np.testing.assert_allclose(gradient[:, 0, 0, 0], taken, atol=1e-6)


def flat(b, size=20):
    """Give images [b, size, size, 1] that hold their number in the batch."""
    return jnp.broadcast_to(jnp.arange(b, dtype=jnp.float32).reshape(-1, 1, 1, 1), (b, size, size, 1))


@pytest.mark.parametrize("alpha", [0.4, 2.0])
def test_random_mixup_draws_shares_from_beta_and_partners_from_the_batch(alpha):
    n = 2000
    out, order, share = jax.jit(lambda x: mixing.random_mixup(KEY, x, alpha=alpha))(flat(n, 1))
    np.testing.assert_array_equal(np.sort(order), np.arange(n))
    np.testing.assert_allclose(
        out[:, 0, 0, 0], share * np.arange(n) + (1 - share) * order, rtol=1e-4, atol=1e-3
    )
    # Beta(a, a) has mean 1/2 and variance 1 / (4 (2 a + 1)).
    variance = 1 / (4 * (2 * alpha + 1))
    assert abs(share.mean() - 0.5) < 4 * np.sqrt(variance / n)
    assert share.var() == pytest.approx(variance, rel=0.1)


def test_random_cutmix_pastes_a_box_of_the_drawn_area():
    n, size = 2000, 40
    out, order, share = jax.jit(lambda x: mixing.random_cutmix(KEY, x, alpha=1.0))(flat(n, size))
    own = np.asarray(out == flat(n, size)).mean(axis=(1, 2, 3))
    stays = np.asarray(order) == np.arange(n)
    np.testing.assert_allclose(own[~stays], np.asarray(share)[~stays], atol=1e-6)
    # Yun's own draw by a slow loop: a box about a uniform centre, cut to the image.
    generator, expected = np.random.default_rng(0), []
    for _ in range(n):
        side = int(size * np.sqrt(1 - generator.beta(1, 1)))
        low = generator.integers(size, size=2) - side // 2
        high = np.minimum(low + 2 * (side // 2), size)
        expected.append(1 - np.prod(high - np.maximum(low, 0)) / size**2)
    # Both means are of 2,000 draws with a standard deviation of .25: 4 * .25 * sqrt(2 / 2000).
    assert abs(share.mean() - np.mean(expected)) < 4 * 0.008


def test_both_on_take_turns_by_the_batch_and_one_alone_is_its_twin():
    def kind(key):
        out, _, _ = mixing.random_mix(key, flat(16, 4), mixup=0.4, cutmix=1.0)
        # A blend of whole numbers is none; what is pasted is.
        return (out != jnp.round(out)).any()

    blended = jax.jit(jax.vmap(kind))(jax.random.split(KEY, 200))
    assert abs(blended.mean() - 0.5) < 4 * 0.036  # sqrt(.25 / 200)
    for name, twin, stage in (
        ("mixup", mixing.random_mixup, 0), ("cutmix", mixing.random_cutmix, 1)
    ):
        alone = mixing.random_mix(KEY, IMAGES, **{name: 0.7})
        expected = twin(jax.random.fold_in(KEY, stage), IMAGES, alpha=0.7)
        jax.tree.map(np.testing.assert_array_equal, alone, expected)
    with pytest.raises(ValueError, match="neither mixup nor cutmix"):
        mixing.random_mix(KEY, IMAGES)
