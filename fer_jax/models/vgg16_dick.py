"""Dick's VGG-16: BatchNorm and dropout after every activation, and a last pool of stride 1."""

from collections.abc import Callable
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from fer_jax.models.layers import Conv, Dense, Dropout, make_norm
from fer_jax.models.vgg import VGG16_BLOCKS, scaled
from fer_jax.ops.pooling import max_pool_2x2


class DickVGG(nn.Module):
    """Classify faces with VGG-16 as Dick changed it (2024, section 3.C).

    One input channel, the last max-pool 2x2 with stride 1, so that 48x48 faces end as 2x2x512, and
    dropout .2 and BatchNorm "after each activation function", dense ones included: convolution,
    ReLU, BatchNorm, dropout. Which of the last two comes first is not stated. 39,941,063
    parameters; the paper gives no count.

    Attributes:
      blocks: (filters, depth) of each block at width 1.
      dense: units of the hidden dense layers at width 1.
      width: factor on every filter and unit count, at least one unit each.
      last_stride: stride of the last pool, 1 or 2; the others have 2.
      dropout: rate of every dropout layer, 0..1 (Dick tried .2 to .8).
      momentum, epsilon: BatchNorm's (PyTorch's defaults, .9 in our terms and 1e-5).
      dtype: dtype of the computation; parameters, statistics and logits stay float32.
    """

    classes: int = 7
    blocks: tuple[tuple[int, int], ...] = VGG16_BLOCKS
    dense: tuple[int, ...] = (4096, 4096)
    width: float = 1.0
    last_stride: int = 1
    dropout: float = 0.2
    momentum: float = 0.9
    epsilon: float = 1e-5
    dtype: Any = jnp.float32
    kernel_init: Callable = nn.initializers.he_normal()

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Map images `[b, h, w, c]` in 0..1 to logits `[b, classes]`.

        The dict has `features` `[b, d]`, the last hidden layer, and each block's map, `pool1`, ...
        """
        options = {"dtype": self.dtype, "kernel_init": self.kernel_init}
        conv, linear = partial(Conv, **options), partial(Dense, **options)
        norm = make_norm(self, train=train)

        def activate(x, name):
            x = norm(name=name)(nn.relu(x))
            return Dropout(self.dropout, deterministic=not train)(x)

        out = {}
        x = x.astype(self.dtype)
        for i, (filters, depth) in enumerate(self.blocks, start=1):
            for j in range(1, depth + 1):
                layer = conv(scaled(filters, self.width), (3, 3), name=f"conv{i}_{j}")
                x = activate(layer(x), f"bn{i}_{j}")
            if i == len(self.blocks) and self.last_stride == 1:
                x = nn.max_pool(x, (2, 2), (1, 1))
            else:
                x = max_pool_2x2(x)
            out[f"pool{i}"] = x
        x = x.reshape(x.shape[0], -1)
        for i, units in enumerate(self.dense, start=len(self.blocks) + 1):
            x = activate(linear(scaled(units, self.width), name=f"fc{i}")(x), f"bn{i}")
        logits = linear(self.classes, name="head")(x)
        return logits.astype(jnp.float32), {"features": x, **out}
