"""Normalisation of channels by their batch's mean and variance, with gradients in few passes."""

from functools import partial

import jax
import jax.numpy as jnp

from fer_jax.ops.backend import keep


def batch_norm(
    x: jax.Array, scale: jax.Array, bias: jax.Array, *, epsilon: float
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Normalise each channel by its mean and variance over the batch (Ioffe and Szegedy 2015).

    Values, mean and variance are those of `flax.linen.BatchNorm` in training. The gradients are
    Ioffe and Szegedy's closed form, of two sums and one pass over the maps, where those that JAX
    derives take two passes more.

    Args:
      x: maps `[..., c]`.
      scale, bias: of each channel `[c]`.
      epsilon: what is added to the variance.

    Returns:
      The normalised maps, in float32 or wider, and mean and (biased) variance `[c]`, through which
      no gradient goes.
    """
    y, mean, variance = _batch_norm(x, scale, bias, epsilon)
    return y, jax.lax.stop_gradient(mean), jax.lax.stop_gradient(variance)


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def _batch_norm(x, scale, bias, epsilon):
    return _forward(x, scale, bias, epsilon)[0]


def _forward(x, scale, bias, epsilon):
    wide, sizes, axes = _widen(x), _sizes(x), tuple(range(x.ndim - 1))
    mean = wide.mean(axes)
    # Rounding can take the difference below zero.
    variance = jnp.maximum(0.0, jnp.square(wide).mean(axes) - jnp.square(mean))
    inverse = jax.lax.rsqrt(variance + epsilon)
    y = (wide - mean.reshape(sizes)) * (inverse * scale).reshape(sizes) + bias.reshape(sizes)
    return (y, mean, variance), (x, scale, mean, inverse)


def _backward(epsilon, saved, gradients):
    del epsilon
    x, scale, mean, inverse = saved
    gradient, sizes, axes = gradients[0], _sizes(x), tuple(range(x.ndim - 1))
    wide = _widen(x)
    of_bias = gradient.sum(axes)
    of_scale = ((gradient * wide).sum(axes) - mean * of_bias) * inverse
    centred = wide - mean.reshape(sizes)
    n = x.size // x.shape[-1]
    along = (of_bias / n).reshape(sizes) + centred * (inverse * of_scale / n).reshape(sizes)
    of_x = (gradient - along) * (inverse * scale).reshape(sizes)
    # Convolutions read it in several shapes.
    return keep(of_x.astype(x.dtype)), of_scale.astype(scale.dtype), of_bias.astype(scale.dtype)


_batch_norm.defvjp(_forward, _backward)


def _widen(x):
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def _sizes(x):
    """Give the shape in which a number a channel stands beside maps."""
    return (1,) * (x.ndim - 1) + x.shape[-1:]
