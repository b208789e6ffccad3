"""What networks of several papers make their layers by."""

from collections.abc import Callable
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp

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


def make_norm(network: nn.Module, *, train: bool) -> Callable[..., nn.BatchNorm]:
    """Give the maker of a network's BatchNorms: by its `momentum`, `epsilon` and `dtype`."""
    return partial(
        nn.BatchNorm,
        use_running_average=not train,
        momentum=network.momentum,
        epsilon=network.epsilon,
        dtype=network.dtype,
    )
