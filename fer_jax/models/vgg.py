"""Li's VGG: thirteen 3x3 convolutions in five blocks, one BatchNorm a block, three dense layers."""

from collections.abc import Callable
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from fer_jax.models.layers import BatchNorm, Conv, Dense, Dropout
from fer_jax.ops.pooling import max_pool_2x2

VGG16_BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))


class VGG(nn.Module):
    """Classify faces with a VGG (Li 2023, section 2.2.1; Simonyan & Zisserman 2015).

    A block is `depth` times (convolution, ReLU), then BatchNorm, 2x2 max-pool and dropout; each
    hidden dense layer is followed by ReLU, BatchNorm and dropout. That order and one BatchNorm a
    block give the paper's counts at width 1: 33,644,103 trainable, 19,328 running statistics.

    Attributes:
      blocks: (filters, depth) of each block at width 1.
      dense: units of the hidden dense layers at width 1.
      width: factor on every filter and unit count, at least one unit each.
      dropout: rate of every dropout layer, 0..1.
      momentum: BatchNorm's running-average momentum (Keras' default .99).
      dtype: dtype of the computation; parameters, statistics and logits stay float32.
    """

    classes: int = 7
    blocks: tuple[tuple[int, int], ...] = VGG16_BLOCKS
    dense: tuple[int, ...] = (4096, 4096)
    width: float = 1.0
    dropout: float = 0.4
    momentum: float = 0.99
    dtype: Any = jnp.float32
    kernel_init: Callable = nn.initializers.glorot_uniform()

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Map images `[b, h, w, c]` in 0..1 to logits `[b, classes]` and `features` `[b, d]`."""
        conv = partial(Conv, kernel_size=(3, 3), dtype=self.dtype, kernel_init=self.kernel_init)
        linear = partial(Dense, dtype=self.dtype, kernel_init=self.kernel_init)
        norm = partial(
            BatchNorm,
            use_running_average=not train,
            momentum=self.momentum,
            epsilon=1e-3,
            dtype=self.dtype,
        )
        drop = partial(Dropout, self.dropout, deterministic=not train)

        x = x.astype(self.dtype)
        for i, (filters, depth) in enumerate(self.blocks, start=1):
            for j in range(1, depth + 1):
                x = nn.relu(conv(scaled(filters, self.width), name=f"conv{i}_{j}")(x))
            x = norm(name=f"bn{i}")(x)
            x = drop()(max_pool_2x2(x))
        x = x.reshape(x.shape[0], -1)
        for i, units in enumerate(self.dense, start=len(self.blocks) + 1):
            x = nn.relu(linear(scaled(units, self.width), name=f"fc{i}")(x))
            x = drop()(norm(name=f"bn{i}")(x))
        logits = linear(self.classes, name="head")(x)
        return logits.astype(jnp.float32), {"features": x}


def scaled(units: int, width: float) -> int:
    """Scale a layer's number of units, keeping at least one."""
    return max(1, round(units * width))
