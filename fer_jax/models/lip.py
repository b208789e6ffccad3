"""Local importance pooling: a pool that learns which pixels of a window count."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from fer_jax.models.layers import Conv
from fer_jax.ops.pooling import lip_pool

# The networks that give the logits: (kernel, whether the filters are `bottleneck`) of each
# convolution; the others have as many filters as the map has channels.
LOGITS = {
    "projection": ((1, False),),
    "simplified": ((3, False),),
    "bottleneck": ((1, True), (3, True), (1, False)),
}


class LocalImportancePool(nn.Module):
    """Pool maps by weights that a small network reads off them (Gao, Wang and Wu 2019).

    Each convolution of the logit network is without bias and has an affine InstanceNorm after it,
    and between two there is a ReLU. A gate, `gate` * sigmoid, keeps the logits in 0..gate. The last
    convolution starts at zero, so that all logits are equal and the layer starts as average
    pooling. On maps of c channels, `projection` has c * c + 2c parameters, `simplified` 9 * c * c +
    2c, and `bottleneck` of width n 2 * c * n + 9 * n * n + 4n + 2c.

    Attributes:
      logit: the logit network, one of `LOGITS`.
      window, strides, padding: as in `ops.pooling.lip_pool`.
      bottleneck: width of the logit network of that name.
      gate: the largest logit; at 12 a pixel can outweigh another by e^12.
      epsilon: InstanceNorm's (PyTorch's default).
    """

    logit: str = "projection"
    window: tuple[int, int] = (2, 2)
    strides: tuple[int, int] = (2, 2)
    padding: str = "VALID"
    bottleneck: int = 128
    gate: float = 12.0
    epsilon: float = 1e-5
    dtype: Any = jnp.float32
    kernel_init: Callable = nn.initializers.he_normal()

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Pool maps `[b, h, w, c]`."""
        y, layers = x, LOGITS[self.logit]
        for i, (kernel, narrow) in enumerate(layers, start=1):
            last = i == len(layers)
            filters = self.bottleneck if narrow else x.shape[-1]
            y = Conv(
                filters, (kernel, kernel), use_bias=False, dtype=self.dtype, name=f"conv{i}",
                kernel_init=nn.initializers.zeros if last else self.kernel_init,
            )(y)
            y = nn.InstanceNorm(epsilon=self.epsilon, dtype=self.dtype, name=f"norm{i}")(y)
            y = y if last else nn.relu(y)
        # In float32: rounded to bfloat16 near 12, a logit would be off by up to .03.
        logits = self.gate * nn.sigmoid(y.astype(jnp.float32))
        return lip_pool(
            x, logits, window=self.window, strides=self.strides, padding=self.padding
        )
