"""Channel attention: layers that weigh each channel of a map by what all of them hold."""

import math
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from fer_jax.errors import suggest


def make_attention(kind: str, *, ratio: int, **options: Any) -> Callable[[jax.Array], jax.Array]:
    """Make the layer "se" or "eca", or for "none" the identity.

    Args:
      kind: one of `ATTENTIONS`.
      ratio: channels to hidden units of "se"; the others do not read it.
      options: `dtype`, `kernel_init` and `name` of the layer.

    Raises:
      ValueError: an unknown kind, or a ratio below 1.
    """
    if ratio < 1:
        raise ValueError(f"config.model.ratio is {ratio}; expected at least 1")
    if kind not in ATTENTIONS:
        raise ValueError(f"config.model.attention is {kind!r}. {suggest(kind, ATTENTIONS)}")
    return ATTENTIONS[kind](ratio, options)


class SqueezeExcite(nn.Module):
    """Weigh channels by two dense layers on their means (Hu, Shen and Sun 2018).

    Mean over the map, dense c/ratio, ReLU, dense c, sigmoid, product with the map: 2c * c/ratio +
    c/ratio + c parameters.

    Attributes:
      ratio: channels to hidden units, of which there is at least one.
    """

    ratio: int = 16
    dtype: Any = jnp.float32
    kernel_init: Callable = nn.initializers.lecun_normal()

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Weigh the channels of maps `[b, h, w, c]`."""
        channels = x.shape[-1]
        options = {"dtype": self.dtype, "kernel_init": self.kernel_init}
        hidden = nn.Dense(max(1, channels // self.ratio), **options, name="reduce")(mean_map(x))
        weights = nn.sigmoid(nn.Dense(channels, **options, name="expand")(nn.relu(hidden)))
        return x * weights[:, None, None, :].astype(x.dtype)


class EfficientChannelAttention(nn.Module):
    """Weigh channels by a convolution over their means (Wang et al. 2020).

    Mean over the map, one kernel along the channels, sigmoid, product with the map. The kernel's
    size follows from the channels, `kernel_size`: as many parameters as that.
    """

    gamma: float = 2.0
    b: float = 1.0
    dtype: Any = jnp.float32
    kernel_init: Callable = nn.initializers.lecun_normal()

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Weigh the channels of maps `[b, h, w, c]`."""
        size = kernel_size(x.shape[-1], gamma=self.gamma, b=self.b)
        conv = nn.Conv(
            1, (size,), use_bias=False, dtype=self.dtype, kernel_init=self.kernel_init, name="conv"
        )
        weights = nn.sigmoid(conv(mean_map(x)[:, :, None]))
        return x * weights.reshape(x.shape[0], 1, 1, -1).astype(x.dtype)


def kernel_size(channels: int, *, gamma: float = 2.0, b: float = 1.0) -> int:
    """Return log2(channels) / gamma + b / gamma, cut to a whole number, the next if it is even."""
    size = int(abs((math.log2(channels) + b) / gamma))
    return size if size % 2 else size + 1


def mean_map(x: jax.Array) -> jax.Array:
    """Average maps `[b, h, w, c]` over their pixels, in float32: `[b, c]`."""
    return x.mean((1, 2), dtype=jnp.float32)


ATTENTIONS = {
    "none": lambda ratio, options: lambda x: x,
    "se": lambda ratio, options: SqueezeExcite(ratio=ratio, **options),
    "eca": lambda ratio, options: EfficientChannelAttention(**options),
}
