"""Batch normalisation against linen's, in value, statistics and gradients, also far from zero."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from fer_jax.ops.batch_norm import batch_norm

EPSILON = 1e-3


def draw(shape, *, offset=0.0):
    generator = np.random.default_rng(0)
    x = generator.normal(offset, 2.0, shape)
    scale, bias = generator.normal(1, 0.5, (2, shape[-1]))
    weights = generator.normal(size=shape)
    return tuple(jnp.asarray(a, jnp.float32) for a in (x, scale, bias, weights))


def linens(x, scale, bias):
    y, mutated = nn.BatchNorm(use_running_average=False, momentum=0.0, epsilon=EPSILON).apply(
        {"params": {"scale": scale, "bias": bias},
         "batch_stats": {"mean": jnp.zeros_like(bias), "var": jnp.ones_like(bias)}},
        x, mutable=["batch_stats"],
    )
    return y, mutated["batch_stats"]


@pytest.mark.parametrize("shape", [(4, 5, 6, 3), (8, 7), (2, 3, 4)])
def test_values_and_statistics_are_linens(shape):
    x, scale, bias, _ = draw(shape, offset=3.0)
    y, mean, variance = batch_norm(x, scale, bias, epsilon=EPSILON)
    expected, statistics = linens(x, scale, bias)
    np.testing.assert_allclose(y, expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(mean, statistics["mean"], rtol=1e-6)
    np.testing.assert_allclose(variance, statistics["var"], rtol=1e-5)


@pytest.mark.parametrize("offset", [0.0, 30.0])
@pytest.mark.parametrize("shape", [(4, 5, 6, 3), (16, 7)])
def test_gradients_are_those_jax_derives_in_double_precision(shape, offset):
    arrays = draw(shape, offset=offset)

    def gradients(norm, arrays):
        *inputs, weights = arrays
        return jax.grad(lambda *inputs: (norm(*inputs) * weights).sum(), (0, 1, 2))(*inputs)

    ours = jax.jit(
        lambda *arrays: gradients(lambda *i: batch_norm(*i, epsilon=EPSILON)[0], arrays)
    )(*arrays)

    def plain(x, scale, bias):
        axes = tuple(range(x.ndim - 1))
        mean, variance = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
        sizes = mean.shape
        y = (x - mean) * jax.lax.rsqrt(variance + EPSILON)
        return y * scale.reshape(sizes) + bias.reshape(sizes)

    with jax.enable_x64(True):
        theirs = gradients(plain, [jnp.asarray(np.asarray(a), jnp.float64) for a in arrays])
    for mine, other in zip(ours, theirs, strict=True):
        # Float32 at 30 of a spread of 2: the variance, from two sums near 900, is off by 2e-5.
        np.testing.assert_allclose(mine, other, rtol=1e-4 if offset else 1e-5, atol=1e-5)


def test_no_gradient_goes_through_the_statistics():
    x, scale, bias, _ = draw((4, 5))
    of_mean, of_variance = (
        jax.grad(lambda x, i=i: batch_norm(x, scale, bias, epsilon=EPSILON)[i].sum())(x)
        for i in (1, 2)
    )
    assert not of_mean.any() and not of_variance.any()


def test_half_precision_is_summed_in_float32():
    # 4,096 numbers near 1: their sum in bfloat16, of eight bits, would stop at 256.
    x = jnp.ones((4096, 2), jnp.bfloat16)
    ones = jnp.ones((2,))
    y, mean, _ = batch_norm(x, ones, 0 * ones, epsilon=EPSILON)
    np.testing.assert_array_equal(mean, ones)
    assert y.dtype == mean.dtype == jnp.float32
    gradient = jax.grad(lambda x: batch_norm(x, ones, ones, epsilon=EPSILON)[0].sum())(x)
    assert gradient.dtype == jnp.bfloat16
