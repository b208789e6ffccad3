"""ResNet9: the network behind the table of layers that Dick (2024) calls ResNet-18."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from fer_jax.models.layers import Conv, make_norm
from fer_jax.models.vgg import scaled
from fer_jax.ops.pooling import max_pool_2x2

# (filters, pool after, residual after) of each stage.
STAGES = (
    (64, False, False),
    (128, True, True),
    (256, True, False),
    (512, True, True),
)


class ResNet9(nn.Module):
    """Classify faces with ResNet9 (Dick 2024, figure 3: its layers one by one).

    A unit is convolution 3x3 with bias, BatchNorm, ReLU. A stage is a unit, then maybe a 2x2
    max-pool, then maybe a residual: two units whose result is added to their input. A 4x4 max-pool
    and one dense layer end it. 6,572,679 parameters for 7 classes; the printed 6,573,192 are those
    of EIGHT outputs, of which the seven labels never ask the last.

    Attributes:
      stages: (filters, pool after, residual after) of each stage at width 1.
      width: factor on every filter count, at least one filter each.
      last_pool: size and stride of the last max-pool; a rest at the border is dropped.
      momentum, epsilon: BatchNorm's (PyTorch's defaults, .9 in our terms and 1e-5).
      dtype: dtype of the computation; parameters, statistics and logits stay float32.
    """

    classes: int = 7
    stages: tuple[tuple[int, bool, bool], ...] = STAGES
    width: float = 1.0
    last_pool: int = 4
    momentum: float = 0.9
    epsilon: float = 1e-5
    dtype: Any = jnp.float32
    kernel_init: Callable = nn.initializers.he_normal()

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Map images `[b, h, w, c]` in 0..1 to logits `[b, classes]`.

        The dict has `features` `[b, d]`, the dense layer's input, and each stage's map, `stage1`,
        ... Raises ValueError where the last pool does not fit in the last map.
        """
        options = {"dtype": self.dtype, "kernel_init": self.kernel_init}
        norm = make_norm(self, train=train)

        def unit(x, filters, name):
            x = Conv(filters, (3, 3), **options, name=f"{name}_conv")(x)
            return nn.relu(norm(name=f"{name}_bn")(x))

        out = {}
        x = x.astype(self.dtype)
        for i, (filters, pooled, residual) in enumerate(self.stages, start=1):
            filters = scaled(filters, self.width)
            x = unit(x, filters, f"stage{i}")
            if pooled:
                x = max_pool_2x2(x)
            if residual:
                x = x + unit(unit(x, filters, f"stage{i}_res1"), filters, f"stage{i}_res2")
            out[f"stage{i}"] = x
        if min(x.shape[1:3]) < self.last_pool:
            raise ValueError(
                f"the last map is {x.shape[1]}x{x.shape[2]} and the last pool {self.last_pool}x"
                f"{self.last_pool}; take larger faces or a smaller config.model.last_pool"
            )
        window = (self.last_pool, self.last_pool)
        x = nn.max_pool(x, window, window)
        x = x.reshape(x.shape[0], -1)
        logits = nn.Dense(self.classes, **options, name="head")(x)
        return logits.astype(jnp.float32), {"features": x, **out}
