"""VGG16 as Dong improves it: a convolutional head, local importance pooling, channel attention."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from fer_jax.errors import suggest
from fer_jax.models.attention import make_attention, mean_map
from fer_jax.models.layers import Conv, Dense, Dropout, make_norm
from fer_jax.models.lip import LOGITS, LocalImportancePool
from fer_jax.models.vgg import VGG16_BLOCKS, scaled
from fer_jax.ops.pooling import max_pool_2x2

POOLS = ("max", *LOGITS)
PLACES = ("head", "trunk")


class VGG16(nn.Module):
    """Classify faces with VGG16, plain or with local importance pooling (Dong 2021).

    A block is `depth` times (3x3 convolution with bias, BatchNorm, ReLU), then a 2x2 pool; two more
    such convolutions and one dense layer stand where VGG16 had three dense ones. On 90x90x3 the
    plain network has 19,448,391 parameters. What the paper leaves open and is our choice: all about
    the head but its layers (`head_filters`, `head_kernel`, `flatten`, `dropout`), which logit
    network LIP has (`pool`), and which attention is meant by "adaptive channel attention at the
    end" and where that is (`attention`, `attention_at`).

    Attributes:
      blocks: (filters, depth) of each block at width 1.
      head_filters: filters of the head's convolutions at width 1.
      head_kernel: their kernels' height and width. Where the last pool leaves one pixel, as of
        48x48, only the middle of a larger kernel learns.
      width: factor on every filter count, at least one filter each.
      pool: "max", or LIP by the logit network "projection", "simplified" or "bottleneck".
      bottleneck: width of LIP's logit network of that name, at width 1.
      attention: "none", "se" or "eca".
      attention_at: "head", after its convolutions, or "trunk", after the last pool.
      ratio: channels to hidden units of "se".
      flatten: the dense layer reads all pixels of the last map, not their mean. The mean keeps its
        parameters the same for faces of any size, as RAF-DB's 90x90 and SFEW's 112x112.
      dropout: rate before the dense layer, 0..1.
      momentum, epsilon: BatchNorm's (PyTorch's defaults, .9 in our terms and 1e-5).
      dtype: dtype of the computation; parameters, statistics and logits stay float32.
    """

    classes: int = 7
    blocks: tuple[tuple[int, int], ...] = VGG16_BLOCKS
    head_filters: tuple[int, ...] = (512, 512)
    head_kernel: int = 3
    width: float = 1.0
    pool: str = "max"
    bottleneck: int = 128
    attention: str = "none"
    attention_at: str = "head"
    ratio: int = 16
    flatten: bool = False
    dropout: float = 0.5
    momentum: float = 0.9
    epsilon: float = 1e-5
    dtype: Any = jnp.float32
    kernel_init: Callable = nn.initializers.he_normal()

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Map images `[b, h, w, c]` in 0..1 to logits `[b, classes]`.

        The dict has `features` `[b, d]`, the dense layer's input before dropout, the pooled maps
        `pool1`, ..., and `maps`, the last map `[b, h', w', d']`, weighed by attention.

        Raises:
          ValueError: an unknown pool, attention or place, or faces too small for the pools.
        """
        for field, known in (("pool", POOLS), ("attention_at", PLACES)):
            if getattr(self, field) not in known:
                value = getattr(self, field)
                raise ValueError(f"config.model.{field} is {value!r}. {suggest(value, known)}")
        options = {"dtype": self.dtype, "kernel_init": self.kernel_init}
        norm = make_norm(self, train=train)

        def unit(x, filters, kernel, place):
            conv = Conv(
                scaled(filters, self.width), (kernel, kernel), **options, name=f"conv{place}"
            )
            return nn.relu(norm(name=f"bn{place}")(conv(x)))

        def pool(x, place):
            if self.pool == "max":
                return max_pool_2x2(x)
            narrow = scaled(self.bottleneck, self.width)
            return LocalImportancePool(self.pool, bottleneck=narrow, **options, name=place)(x)

        attend = make_attention(self.attention, ratio=self.ratio, **options, name="attend")
        out = {}
        x = x.astype(self.dtype)
        for i, (filters, depth) in enumerate(self.blocks, start=1):
            for j in range(1, depth + 1):
                x = unit(x, filters, 3, f"{i}_{j}")
            x = out[f"pool{i}"] = pool(x, f"pool{i}")
        if self.attention_at == "trunk":
            x = attend(x)
        for i, filters in enumerate(self.head_filters, start=len(self.blocks) + 1):
            x = unit(x, filters, self.head_kernel, str(i))
        if self.attention_at == "head":
            x = attend(x)
        out["maps"] = x
        x = x.reshape(x.shape[0], -1) if self.flatten else mean_map(x)
        dropped = Dropout(self.dropout, deterministic=not train)(x)
        logits = Dense(self.classes, **options, name="head")(dropped)
        return logits.astype(jnp.float32), {"features": x, **out}
