"""The SE-separable family: separable convolutions, shortcuts and channel attention."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from fer_jax.models.attention import make_attention, mean_map
from fer_jax.models.layers import Conv, Dropout, make_norm
from fer_jax.models.vgg import scaled
from fer_jax.ops.depthwise import depthwise_conv
from fer_jax.ops.pooling import max_pool_2x2


class SESeparable(nn.Module):
    """Classify faces with separable convolutions and squeeze-and-excitation (Gao).

    The paper names the parts and leaves the layers to figures that are lost. This is the nearest
    public relative, mini-Xception (Arriaga et al. 2017), with attention in every module: 3x3
    convolutions (the stem), residual modules, a 3x3 convolution to the classes and its maps' means.
    A module is two separable convolutions, each with BatchNorm, ReLU between them, then a 2x2
    max-pool, attention and dropout; a strided 1x1 convolution with BatchNorm is added to it. Where
    a map has an odd last row or column, both ways drop it. No convolution but the last has a bias.
    Ours are also the widths, the ratio and the dropout. At width 1 it has 801,475 parameters on
    grey faces.

    Attributes:
      stem: filters of the first convolutions at width 1.
      modules: filters of each module at width 1; each halves the map.
      width: factor on every filter count, at least one filter each.
      attention: "se", "eca" or "none", in every module.
      ratio: channels to hidden units of "se".
      dropout: rate after each module's attention, 0..1.
      momentum, epsilon: BatchNorm's (Keras' defaults .99 and 1e-3).
      dtype: dtype of the computation; parameters, statistics and logits stay float32.
    """

    classes: int = 7
    stem: tuple[int, ...] = (32, 32)
    modules: tuple[int, ...] = (64, 128, 256, 512)
    width: float = 1.0
    attention: str = "se"
    ratio: int = 16
    dropout: float = 0.2
    momentum: float = 0.99
    epsilon: float = 1e-3
    dtype: Any = jnp.float32
    kernel_init: Callable = nn.initializers.he_normal()

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Map images `[b, h, w, c]` in 0..1 to logits `[b, classes]`.

        The dict has `features` `[b, d]`, the last module's mean, the modules' maps `module1`, ...,
        and `maps` `[b, h', w', classes]`, whose means are the logits.

        Raises:
          ValueError: an unknown attention, or faces too small for the modules.
        """
        options = {"dtype": self.dtype, "kernel_init": self.kernel_init}
        norm = make_norm(self, train=train)
        out = {}
        x = x.astype(self.dtype)
        for i, filters in enumerate(self.stem, start=1):
            conv = Conv(
                scaled(filters, self.width), (3, 3), use_bias=False, **options, name=f"conv{i}"
            )
            x = nn.relu(norm(name=f"bn{i}")(conv(x)))
        for i, filters in enumerate(self.modules, start=1):
            module = ResidualModule(
                scaled(filters, self.width), norm, self.attention, self.ratio, **options,
                name=f"module{i}",
            )
            x = Dropout(self.dropout, deterministic=not train)(module(x))
            out[f"module{i}"] = x
        maps = Conv(self.classes, (3, 3), **options, name="head")(x)
        return mean_map(maps), {"features": mean_map(x), "maps": maps, **out}


class ResidualModule(nn.Module):
    """Halve a map by two separable convolutions and a pool, beside a strided 1x1 convolution.

    Attributes:
      norm: makes a BatchNorm, given its name.
      attention, ratio: as in `SESeparable`.
    """

    filters: int
    norm: Callable[..., nn.Module]
    attention: str = "se"
    ratio: int = 16
    dtype: Any = jnp.float32
    kernel_init: Callable = nn.initializers.he_normal()

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Map `[b, h, w, c]` to `[b, h // 2, w // 2, filters]`."""
        options = {"dtype": self.dtype, "kernel_init": self.kernel_init}
        y = nn.relu(self.norm(name="bn1")(SeparableConv(self.filters, **options, name="sep1")(x)))
        y = self.norm(name="bn2")(SeparableConv(self.filters, **options, name="sep2")(y))
        y = max_pool_2x2(y)
        attend = make_attention(self.attention, ratio=self.ratio, **options, name="attend")
        rows, columns = y.shape[1:3]
        picked = x[:, : 2 * rows : 2, : 2 * columns : 2, :]
        shortcut = Conv(self.filters, (1, 1), use_bias=False, **options, name="shortcut")(picked)
        return attend(y) + self.norm(name="shortcut_bn")(shortcut)


class SeparableConv(nn.Module):
    """Convolve each channel by itself, then mix the channels: a depthwise-separable convolution.

    From c channels it has k * k * c + c * filters parameters, 1 / filters + 1 / k^2 of a
    convolution's (equation 1 of Gao). There is no bias.

    Attributes:
      kernel: k, height and width of the depthwise kernels.
    """

    filters: int
    kernel: int = 3
    dtype: Any = jnp.float32
    kernel_init: Callable = nn.initializers.he_normal()

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Map `[b, h, w, c]` to `[b, h, w, filters]`."""
        x = DepthwiseConv(self.kernel, self.dtype, self.kernel_init, name="depthwise")(x)
        return Conv(
            self.filters, (1, 1), use_bias=False, dtype=self.dtype, kernel_init=self.kernel_init,
            name="pointwise",
        )(x)


class DepthwiseConv(nn.Module):
    """Convolve each channel with a kernel of its own, with a grouped convolution's parameters."""

    size: int = 3
    dtype: Any = jnp.float32
    kernel_init: Callable = nn.initializers.he_normal()

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Map `[b, h, w, c]` to the same shape."""
        shape = (self.size, self.size, 1, x.shape[-1])
        kernel = self.param("kernel", self.kernel_init, shape)
        return depthwise_conv(x.astype(self.dtype), kernel.astype(self.dtype))
