"""Up-sampling by two, alone and folded into the 3x3 convolution that follows it."""

import jax
import jax.numpy as jnp

from fer_jax.ops.convolution import conv


def upsample_2x(x: jax.Array) -> jax.Array:
    """Repeat every pixel twice in both directions: [b, h, w, c] -> [b, 2h, 2w, c] (nearest)."""
    b, h, w, c = x.shape
    repeated = jnp.broadcast_to(x[:, :, None, :, None, :], (b, h, 2, w, 2, c))
    return repeated.reshape(b, 2 * h, 2 * w, c)


def upsample_2x_conv(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Up-sample [b, h, w, i] by two and convolve with a 3x3 kernel [3, 3, i, o], "SAME", in one.

    Gives [b, 2h, 2w, o], equal to the two steps but for rounding. The kernel taps that meet the
    same source pixel are added first, so one 3x3 convolution at the small size makes the four
    output pixels of each source pixel. On a CPU this pays for few outputs (16 -> 1 is four times as
    fast with its gradient) and not for many (16 -> 16 is slower). Raises ValueError for a kernel
    that is not 3x3.
    """
    if kernel.ndim != 4 or kernel.shape[:2] != (3, 3):
        raise ValueError(f"kernel is {list(kernel.shape)}; expected [3, 3, inputs, outputs]")
    b, h, w, inputs = x.shape
    outputs = kernel.shape[-1]
    # By rows [2, 3, 3, i, o], then by columns [2, 3, 2, 3, i, o].
    folded = _fold(jnp.moveaxis(_fold(kernel), 2, 0)).transpose(3, 1, 4, 2, 0, 5)
    phases = conv(
        x, folded.reshape(3, 3, inputs, 4 * outputs), (1, 1), "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    grid = phases.reshape(b, h, w, 2, 2, outputs).transpose(0, 1, 3, 2, 4, 5)
    return grid.reshape(b, 2 * h, 2 * w, outputs)


def _fold(kernel):
    """Give by phase and source offset [2, 3, ...] what the taps [3, ...] along an axis sum to.

    The even output pixel sees the source pixel before it with its first tap and its own with the
    other two; the odd one mirrors this.
    """
    first, middle, last = kernel
    nothing = jnp.zeros_like(first)
    even, odd = (first, middle + last, nothing), (nothing, first + middle, last)
    return jnp.stack([jnp.stack(even), jnp.stack(odd)])
