"""AlexNet in torchvision's shape, on pictures that were resized and normalised before."""

from collections.abc import Callable
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from fer_jax.models.layers import Conv, Dense, Dropout
from fer_jax.models.vgg import scaled
from fer_jax.ops.pooling import max_pool_3x3

# (filters, kernel, stride, padding, pool after): torchvision's, after Krizhevsky (2014).
LAYERS = (
    (64, 11, 4, 2, True),
    (192, 5, 1, 2, True),
    (384, 3, 1, 1, False),
    (256, 3, 1, 1, False),
    (256, 3, 1, 1, True),
)
SMALLEST = 63  # pixels a side that leave one pixel after the last pool


class AlexNet(nn.Module):
    """Classify faces with torchvision's AlexNet (Dick 2024, section 3.B).

    57,032,519 parameters for 7 classes on 224x224x3, which `config.preprocess` makes of grey faces
    as of others. There torchvision's adaptive average pool changes nothing, and it is left out:
    another size changes the first dense layer.

    Attributes:
      layers: (filters, kernel, stride, padding, pool after) of each convolution at width 1; the
        pools are 3x3 with stride 2.
      dense: units of the hidden dense layers at width 1.
      width: factor on every filter and unit count, at least one unit each.
      dropout: rate before each hidden dense layer, 0..1 (torchvision's .5; Dick states none).
      dtype: dtype of the computation; parameters and logits stay float32.
    """

    classes: int = 7
    layers: tuple[tuple[int, int, int, int, bool], ...] = LAYERS
    dense: tuple[int, ...] = (4096, 4096)
    width: float = 1.0
    dropout: float = 0.5
    dtype: Any = jnp.float32
    kernel_init: Callable = nn.initializers.he_normal()

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Map images `[b, h, w, c]`, at least 63 pixels a side, to logits `[b, classes]`.

        The dict has `features` `[b, d]`, the last hidden layer, and the maps `conv1`, ... after
        their ReLUs: the second is the one that Dick found black.

        Raises:
          ValueError: images so small that the pools would use them up.
        """
        if min(x.shape[1:3]) < SMALLEST:
            raise ValueError(
                f"AlexNet needs at least {SMALLEST} pixels a side and got "
                f"{x.shape[1]}x{x.shape[2]}; set config.preprocess.size (torchvision's is 224)"
            )
        conv = partial(Conv, dtype=self.dtype, kernel_init=self.kernel_init)
        linear = partial(Dense, dtype=self.dtype, kernel_init=self.kernel_init)
        drop = partial(Dropout, self.dropout, deterministic=not train)

        x = x.astype(self.dtype)
        out = {}
        for i, (filters, kernel, stride, padding, pooled) in enumerate(self.layers, start=1):
            layer = conv(
                scaled(filters, self.width), (kernel, kernel), (stride, stride), padding,
                name=f"conv{i}",
            )
            x = out[f"conv{i}"] = nn.relu(layer(x))
            if pooled:
                x = max_pool_3x3(x)
        x = x.reshape(x.shape[0], -1)
        for i, units in enumerate(self.dense, start=len(self.layers) + 1):
            x = nn.relu(linear(scaled(units, self.width), name=f"fc{i}")(drop()(x)))
        logits = linear(self.classes, name="head")(x)
        return logits.astype(jnp.float32), {"features": x, **out}
