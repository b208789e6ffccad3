"""Li's denoising autoencoder: a noisy face in, a clean face of the same size out."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from fer_jax.models.layers import Conv
from fer_jax.ops.pooling import max_pool_2x2
from fer_jax.ops.resampling import upsample_2x, upsample_2x_conv


class DAE(nn.Module):
    """Reconstruct clean faces (Li 2023, section 2.2.2).

    "4 layers encoder, 5 layers decoder": conv16-pool-conv24-pool | conv24-up-conv16-up-conv1,
    all 3x3 with ReLU, the last with a sigmoid: 12,465 parameters on grey images. Train it by the
    pixels' binary cross-entropy against the clean face, from the returned logits.

    Attributes:
      filters: filters of the outer and of the inner convolutions.
      dtype: dtype of the computation; parameters and outputs stay float32.
    """

    filters: tuple[int, int] = (16, 24)
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Map images `[b, h, w, c]` in 0..1, h and w divisible by 4, to the reconstruction.

        Returns the pixels' logits `[b, h, w, c]`, and `recon`, their sigmoid in 0..1, and
        `features`, the code `[b, h/4, w/4, filters[1]]`. It has no layer that depends on `train`.

        Raises:
          ValueError: h or w is not divisible by 4.
        """
        del train
        height, width, channels = x.shape[1:]
        if height % 4 or width % 4:
            raise ValueError(
                f"the DAE halves a face twice and got {height}x{width} pixels; "
                "resize to a multiple of 4"
            )
        outer, inner = self.filters

        def conv(filters, name):
            return Conv(
                filters, (3, 3), dtype=self.dtype, name=name,
                kernel_init=nn.initializers.glorot_uniform(),
            )

        x = x.astype(self.dtype)
        x = max_pool_2x2(nn.relu(conv(outer, "encode1")(x)))
        code = max_pool_2x2(nn.relu(conv(inner, "encode2")(x)))
        x = nn.relu(conv(inner, "decode1")(code))
        x = nn.relu(UpsampledConv(outer, self.dtype, name="decode2")(x))
        logits = UpsampledConv(channels, self.dtype, name="decode3")(x).astype(jnp.float32)
        return logits, {"recon": nn.sigmoid(logits), "features": code}


class UpsampledConv(nn.Module):
    """Double the size and convolve 3x3 in one operation, with a convolution's own parameters."""

    filters: int
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Map `[b, h, w, c]` to `[b, 2h, 2w, filters]`."""
        shape = (3, 3, x.shape[-1], self.filters)
        kernel = self.param("kernel", nn.initializers.glorot_uniform(), shape)
        bias = self.param("bias", nn.initializers.zeros, (self.filters,))
        convolved = upsample_2x_conv(x, kernel.astype(self.dtype))
        return convolved + bias.astype(self.dtype).reshape(1, 1, 1, -1)
