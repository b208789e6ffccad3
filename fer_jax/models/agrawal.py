"""Agrawal & Mittal's network of large kernels, without a dense layer."""

from collections.abc import Callable
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from fer_jax.models.layers import Conv, make_norm
from fer_jax.ops.pooling import max_pool_2x2


class FullyConvolutional(nn.Module):
    """Classify faces with convolutions alone (Agrawal & Mittal 2020, as Bokanyi describes it).

    A constituent layer is convolution, convolution, BatchNorm, ReLU, all kernels 8x8; a 1x1
    convolution gives the classes' maps, whose means are the logits. There is no dropout. Bokanyi
    states seven constituents and "roughly 464 000" parameters. Widths, pools, padding and the end
    of the network are our choice: these widths give 464,231.

    Attributes:
      widths: filters of both convolutions of each constituent.
      kernel: height and width of every kernel; "SAME" pads an even one by one more at the end.
      pool_after: constituents, counted from 1, that a 2x2 max-pool follows. Without any, an image
        would cost 1.06 billion multiplications.
      momentum, epsilon: BatchNorm's (Keras' defaults .99 and 1e-3).
      dtype: dtype of the computation; parameters, statistics and logits stay float32.
    """

    classes: int = 7
    widths: tuple[int, ...] = (8, 24, 24, 24, 24, 24, 32)
    kernel: int = 8
    pool_after: tuple[int, ...] = (1, 2, 3, 4)
    momentum: float = 0.99
    epsilon: float = 1e-3
    dtype: Any = jnp.float32
    kernel_init: Callable = nn.initializers.glorot_uniform()

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Map images `[b, h, w, c]` in 0..1 to logits `[b, classes]`.

        The dict has `features` `[b, d]`, the last map's mean, and the pooled maps `pool1`, ...
        """
        conv = partial(Conv, dtype=self.dtype, kernel_init=self.kernel_init)
        norm = make_norm(self, train=train)

        out = {}
        x = x.astype(self.dtype)
        for i, filters in enumerate(self.widths, start=1):
            for j in (1, 2):
                x = conv(filters, (self.kernel, self.kernel), name=f"conv{i}_{j}")(x)
            x = nn.relu(norm(name=f"bn{i}")(x))
            if i in self.pool_after:
                x = out[f"pool{i}"] = max_pool_2x2(x)
        maps = conv(self.classes, (1, 1), name="head")(x)
        logits = maps.astype(jnp.float32).mean((1, 2))
        return logits, {"features": x.mean((1, 2)), **out}
