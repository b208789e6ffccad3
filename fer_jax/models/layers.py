"""What networks of several papers make their layers by."""

from collections.abc import Callable
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from fer_jax.ops.batch_norm import batch_norm
from fer_jax.ops.convolution import conv
from fer_jax.ops.dense import dot_general

# Flax's, with their names, parameters and values, in forms that are quick on a CPU.
Conv = partial(nn.Conv, conv_general_dilated=conv)
Dense = partial(nn.Dense, dot_general=dot_general)


class Dropout(nn.Module):
    """Drop units as `nn.Dropout` does, by the same draws, at a rate that may be a traced number.

    Points of a grid that differ in their dropout train as one program so.

    Attributes:
      rate: probability of a zero, 0..1 without 1.
      deterministic: nothing is dropped.
    """

    rate: float | jax.Array
    deterministic: bool

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Zero elements of `x` and divide the others by the probability to be kept."""
        off = not isinstance(self.rate, jax.Array) and self.rate == 0
        if self.deterministic or off:
            return x
        keep = 1.0 - self.rate
        mask = jax.random.bernoulli(self.make_rng("dropout"), keep, x.shape)
        return jnp.where(mask, x / jnp.asarray(keep, x.dtype), jnp.zeros_like(x))


class BatchNorm(nn.Module):
    """Normalise channels as `nn.BatchNorm` does, by its names and values, in fewer passes.

    Attributes:
      use_running_average: normalise by the running statistics, and leave them.
      momentum: share of them that a batch leaves.
      epsilon: what is added to the variance.
      dtype: dtype of the result; parameters and statistics stay float32.
    """

    use_running_average: bool
    momentum: float = 0.99
    epsilon: float = 1e-5
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Map `[..., c]` to the same shape."""
        channels = x.shape[-1:]
        mean = self.variable("batch_stats", "mean", jnp.zeros, channels)
        variance = self.variable("batch_stats", "var", jnp.ones, channels)
        scale = self.param("scale", nn.initializers.ones, channels)
        bias = self.param("bias", nn.initializers.zeros, channels)
        if self.use_running_average:
            sizes = (1,) * (x.ndim - 1) + channels
            factor = jax.lax.rsqrt(variance.value + self.epsilon) * scale
            y = (x - mean.value.reshape(sizes)) * factor.reshape(sizes) + bias.reshape(sizes)
            return y.astype(self.dtype)
        y, *batch = batch_norm(x, scale, bias, epsilon=self.epsilon)
        if not self.is_initializing():
            for running, of_batch in zip((mean, variance), batch, strict=True):
                kept = self.momentum * running.value
                running.value = kept + (1 - self.momentum) * of_batch
        return y.astype(self.dtype)


def make_norm(network: nn.Module, *, train: bool) -> Callable[..., BatchNorm]:
    """Give the maker of a network's BatchNorms: by its `momentum`, `epsilon` and `dtype`."""
    return partial(
        BatchNorm,
        use_running_average=not train,
        momentum=network.momentum,
        epsilon=network.epsilon,
        dtype=network.dtype,
    )
