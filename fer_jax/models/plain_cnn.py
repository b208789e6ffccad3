"""Plain networks from a table: convolution blocks with a pool each, then dense layers."""

from collections.abc import Callable
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from fer_jax.models.layers import Conv, Dense, Dropout, make_norm
from fer_jax.models.vgg import scaled
from fer_jax.ops.pooling import max_pool_2x2

ALIZADEH_SHALLOW = {"blocks": ((64, 3), (128, 3)), "dense": (512,)}
ALIZADEH_DEEP = {"blocks": ((64, 3), (128, 5), (512, 3), (512, 3)), "dense": (256, 512)}

_THREE = {"blocks": ((16, 3), (32, 3), (64, 3)), "dense": (128,)}
# The versions of Dick's custom network (2024, section 3.A), which states the first three's filters,
# the numbers of layers and version 4's dropout; kernel size, dense units, version 3's dropout and
# version 4's widths are our choice.
CUSTOM_CNN = {
    "v1": {**_THREE, "batch_norm": False, "dropout": 0.0},
    "v2": {**_THREE, "batch_norm": True, "dropout": 0.0},
    "v3": {**_THREE, "batch_norm": True, "dropout": 0.2},
    "v4": {
        "blocks": ((16, 3), (32, 3), (64, 3), (128, 3)), "dense": (256, 128, 64),
        "batch_norm": True, "dropout": 0.2,
    },
}


class PlainCNN(nn.Module):
    """Classify faces as Alizadeh & Fazel (2017) do, and as Dick's custom network (2024) does.

    `[Conv - (BatchNorm) - ReLU - (Dropout) - MaxPool] x M - [Affine - (BatchNorm) - ReLU -
    (Dropout)] x N - Affine`. With all of it, on 48x48x1, the shallow table has the 9,517,191
    parameters and the deep one the 4,474,759 that Bokanyi & Meszegeto call 9.5 and 4.5 million.
    Dick does not state the order of the custom network's layers: ours is the same.

    Attributes:
      blocks: (filters, kernel) of each convolution at width 1: stride 1, "SAME", a 2x2 pool after.
      dense: units of the hidden dense layers at width 1.
      width: factor on every filter and unit count, at least one unit each.
      batch_norm: normalise before each ReLU.
      dropout: rate of every dropout layer, 0..1; Bokanyi's best is .3.
      momentum: BatchNorm's running-average momentum (Keras' default .99, PyTorch's .9 here).
      epsilon: BatchNorm's addition to the variance (Keras' default 1e-3, PyTorch's 1e-5).
      dtype: dtype of the computation; parameters, statistics and logits stay float32.
    """

    classes: int = 7
    blocks: tuple[tuple[int, int], ...] = ALIZADEH_SHALLOW["blocks"]
    dense: tuple[int, ...] = ALIZADEH_SHALLOW["dense"]
    width: float = 1.0
    batch_norm: bool = True
    dropout: float = 0.3
    momentum: float = 0.99
    epsilon: float = 1e-3
    dtype: Any = jnp.float32
    kernel_init: Callable = nn.initializers.glorot_uniform()

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Map images `[b, h, w, c]` in 0..1 to logits `[b, classes]`.

        The dict has `features` `[b, d]`, the last hidden layer, and each block's map, `pool1`, ...
        """
        options = {"dtype": self.dtype, "kernel_init": self.kernel_init}
        conv, linear = partial(Conv, **options), partial(Dense, **options)
        norm = make_norm(self, train=train)

        def activate(x, i):
            if self.batch_norm:
                x = norm(name=f"bn{i}")(x)
            return Dropout(self.dropout, deterministic=not train)(nn.relu(x))

        out = {}
        x = x.astype(self.dtype)
        for i, (filters, kernel) in enumerate(self.blocks, start=1):
            x = conv(scaled(filters, self.width), (kernel, kernel), name=f"conv{i}")(x)
            x = out[f"pool{i}"] = max_pool_2x2(activate(x, i))
        x = x.reshape(x.shape[0], -1)
        for i, units in enumerate(self.dense, start=len(self.blocks) + 1):
            x = activate(linear(scaled(units, self.width), name=f"fc{i}")(x), i)
        logits = linear(self.classes, name="head")(x)
        return logits.astype(jnp.float32), {"features": x, **out}
