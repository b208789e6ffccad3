"""lip_pool: its identities, and its value and gradients against NumPy, PyTorch and differences."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from fer_jax.ops.pooling import lip_pool, max_pool_2x2

TILES = {"window": (2, 2), "strides": (2, 2)}
# (shape, options): tiles with and without a rest, tiles of unequal sides, overlaps, gaps, padding.
CASES = [
    ((2, 4, 6, 3), TILES),
    ((1, 5, 7, 2), {**TILES, "padding": "SAME"}),
    ((2, 7, 6, 2), {"window": (3, 2), "strides": (3, 2)}),
    ((2, 7, 6, 2), {"window": (3, 3), "strides": (2, 2)}),
    ((2, 7, 6, 2), {"window": (3, 3), "strides": (2, 2), "padding": "SAME"}),
    ((1, 6, 6, 2), {"window": (2, 2), "strides": (1, 1), "padding": "SAME"}),
    ((1, 8, 5, 2), {"window": (1, 2), "strides": (3, 3)}),
]
every_case = pytest.mark.parametrize("shape, options", CASES)


def numpy_pool(x, logits, *, window, strides, padding="VALID"):
    """Loop over windows in float64; what lies beyond the border is left out."""
    x, logits = np.asarray(x, np.float64), np.asarray(logits, np.float64)
    sides = x.shape[1:3]
    if padding == "VALID":
        sizes = [(n - k) // s + 1 for n, k, s in zip(sides, window, strides)]
        before = [0, 0]
    else:
        sizes = [-(-n // s) for n, s in zip(sides, strides)]
        padded = [(m - 1) * s + k for m, k, s in zip(sizes, window, strides)]
        before = [max(p - n, 0) // 2 for p, n in zip(padded, sides)]
    out = np.empty((x.shape[0], *sizes, x.shape[3]))
    for i, j in np.ndindex(*sizes):
        top, left = i * strides[0] - before[0], j * strides[1] - before[1]
        rows, columns = slice(max(top, 0), top + window[0]), slice(max(left, 0), left + window[1])
        tile = logits[:, rows, columns]
        weights = np.exp(tile - tile.max((1, 2), keepdims=True))
        out[:, i, j] = (x[:, rows, columns] * weights).sum((1, 2)) / weights.sum((1, 2))
    return out


def draw(shape, *, spread=2.0):
    x, logits = np.random.default_rng(sum(shape)).normal(size=(2, *shape)).astype(np.float32)
    return jnp.asarray(x), jnp.asarray(spread * logits)


@every_case
def test_value_and_gradients_match_numpy_under_jit_and_vmap(shape, options):
    x, logits = draw(shape)
    expected = numpy_pool(x, logits, **options)
    weights = np.random.default_rng(0).normal(size=expected.shape)

    def value_and_gradients(x, logits):
        pooled, pull = jax.vjp(partial(lip_pool, **options), x, logits)
        return pooled, *pull(jnp.asarray(weights, jnp.float32))

    @jax.jit
    def once_and_mapped(x, logits):
        both = jnp.stack([x, -x]), jnp.stack([logits, logits])
        return value_and_gradients(x, logits), jax.vmap(value_and_gradients)(*both)

    (pooled, *gradients), (mapped, *mapped_gradients) = once_and_mapped(x, logits)
    np.testing.assert_allclose(pooled, expected, atol=1e-6)
    np.testing.assert_allclose(mapped, np.stack([expected, -expected]), atol=1e-6)
    # The slope along a direction, by differences of the float64 loop: exact to the step squared.
    direction, step = np.random.default_rng(1).normal(size=shape), 1e-4
    x, logits = np.asarray(x, np.float64), np.asarray(logits, np.float64)
    ends = (
        [numpy_pool(x + s * direction, logits, **options) for s in (step, -step)],
        [numpy_pool(x, logits + s * direction, **options) for s in (step, -step)],
    )
    for (above, below), one, two in zip(ends, gradients, mapped_gradients, strict=True):
        slope = ((above - below) * weights).sum() / (2 * step)
        assert (np.asarray(one) * direction).sum() == pytest.approx(slope, rel=1e-4, abs=1e-4)
        np.testing.assert_allclose(two[0], one, atol=1e-6)


@pytest.mark.parametrize("shape, options", [CASES[0], CASES[4]])
def test_gradients_match_finite_differences(shape, options):
    pool = jax.jit(partial(lip_pool, **options))
    check_grads(pool, draw(shape), order=1, modes=["rev"], rtol=1e-2)


@pytest.mark.parametrize("options", [CASES[0][1], CASES[3][1]])
def test_value_and_both_gradients_match_pytorch(options):
    torch = pytest.importorskip("torch", reason="needs PyTorch: the extra `reference`")
    x, logits = draw((2, 7, 6, 3))
    shape = jax.eval_shape(partial(lip_pool, **options), x, logits).shape
    weights = np.random.default_rng(9).normal(size=shape).astype(np.float32)

    @jax.jit
    def pool(x, logits):
        pooled, pull = jax.vjp(partial(lip_pool, **options), x, logits)
        return pooled, pull(jnp.asarray(weights))

    ours, gradients = pool(x, logits)
    # The formula as it stands, by PyTorch's average pooling: the windows' sizes cancel.
    torch_x, torch_logits = (
        torch.from_numpy(np.moveaxis(np.array(a), -1, 1).copy()).requires_grad_()
        for a in (x, logits)
    )
    average = partial(
        torch.nn.functional.avg_pool2d, kernel_size=options["window"], stride=options["strides"]
    )
    importance = torch.exp(torch_logits)
    theirs = average(torch_x * importance) / average(importance)
    theirs.backward(torch.from_numpy(np.moveaxis(weights, -1, 1).copy()))
    np.testing.assert_allclose(ours, np.moveaxis(theirs.detach().numpy(), 1, -1), atol=1e-5)
    for mine, torchs in zip(gradients, (torch_x.grad, torch_logits.grad), strict=True):
        np.testing.assert_allclose(mine, np.moveaxis(torchs.numpy(), 1, -1), atol=1e-5)


def test_equal_logits_give_the_average():
    x, _ = draw((2, 4, 6, 3))
    average = np.asarray(x).reshape(2, 2, 2, 3, 2, 3).mean((2, 4))
    pool = jax.jit(partial(lip_pool, **TILES))
    for level in (0.0, 6.0, -1e4):
        np.testing.assert_allclose(pool(x, jnp.full(x.shape, level)), average, atol=1e-6)


def test_logits_of_x_give_softpool():
    x, _ = draw((2, 4, 6, 3))
    tiles = np.asarray(x, np.float64).reshape(2, 2, 2, 3, 2, 3)
    softpool = (tiles * np.exp(tiles)).sum((2, 4)) / np.exp(tiles).sum((2, 4))
    np.testing.assert_allclose(jax.jit(partial(lip_pool, **TILES))(x, x), softpool, atol=1e-6)


def test_logits_of_a_large_multiple_of_x_tend_to_the_maximum():
    x, _ = draw((2, 4, 6, 3))
    error = jax.jit(lambda x, factor: abs(lip_pool(x, factor * x, **TILES) - max_pool_2x2(x)).max())
    errors = [float(error(x, factor)) for factor in (1.0, 10.0, 100.0, 1e5)]
    assert errors == sorted(errors, reverse=True)
    # The two largest of a window differ by .06 or more here: at 1e5 the other's weight is zero.
    assert errors[0] > 0.1 and errors[-1] == 0


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("options", [TILES, {**TILES, "strides": (1, 1), "padding": "SAME"}])
def test_logits_of_any_size_give_finite_values_and_gradients(options, dtype):
    x, signs = draw((2, 5, 6, 3))
    x = x.astype(dtype)

    @jax.jit
    def pool(x, logits):
        pooled, pull = jax.vjp(partial(lip_pool, **options), x, logits)
        return pooled, pull(jnp.ones_like(pooled))

    for size in (1e4, 1e30):
        logits = (jnp.sign(signs) * size).astype(dtype)  # mixed in most windows, equal in some
        pooled, gradients = pool(x, logits)
        assert pooled.dtype == gradients[0].dtype == gradients[1].dtype == dtype
        pooled, *gradients = (np.asarray(a, np.float32) for a in (pooled, *gradients))
        expected = numpy_pool(np.asarray(x, np.float32), np.asarray(logits, np.float32), **options)
        # bfloat16 has 8 bits, so that its rounding is off by up to 2^-9.
        rtol = 1e-6 if dtype == jnp.float32 else 2**-8
        np.testing.assert_allclose(pooled, expected, atol=1e-6, rtol=rtol)
        assert all(np.isfinite(gradient).all() for gradient in gradients)


def test_bfloat16_weights_are_not_rounded():
    # 300 and 301 are one number in bfloat16 (steps of 2 from 256 on): the logits come in float32.
    x = jnp.array([0.0, 1.0], jnp.bfloat16).reshape(1, 1, 2, 1)
    logits = jnp.array([300.0, 301.0]).reshape(1, 1, 2, 1)
    pooled = lip_pool(x, logits, window=(1, 2), strides=(1, 2))
    assert pooled.dtype == jnp.bfloat16
    assert float(pooled[0, 0, 0, 0]) == pytest.approx(1 / (1 + np.exp(-1)), rel=2**-8)


def test_what_same_pads_does_not_count():
    # One pixel is left in the last window of a 3x3 map: it is the average of itself.
    x = jnp.arange(1.0, 10.0).reshape(1, 3, 3, 1)
    pooled = lip_pool(x, jnp.zeros_like(x), **TILES, padding="SAME")
    np.testing.assert_allclose(pooled[0, :, :, 0], [[3, 4.5], [7.5, 9]])


@pytest.mark.parametrize(
    "shape, logits_shape, options, message",
    [
        ((1, 4, 4, 2), (1, 4, 4, 1), TILES, r"logits \[1, 4, 4, 1\] for x \[1, 4, 4, 2\]"),
        ((1, 1, 4, 2), (1, 1, 4, 2), TILES, r"\[1, 1, 4, 2\], smaller than its window \(2, 2\)"),
        ((1, 4, 4, 2), (1, 4, 4, 2), {**TILES, "padding": "same"}, "unknown padding 'same'"),
    ],
)
def test_what_cannot_be_pooled_is_named(shape, logits_shape, options, message):
    with pytest.raises(ValueError, match=message):
        lip_pool(jnp.zeros(shape), jnp.zeros(logits_shape), **options)
