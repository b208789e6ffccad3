"""Convolutions in forms that are quick on a CPU: with any kernel, and one kernel a channel."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from fer_jax.ops import winograd

# What the maps and the gradient of a group of images may take, in bytes: about the second-level
# cache of one core, in which XLA's kernel gradient takes a half to a quarter of the time.
GROUP_BYTES = 5 << 19


def conv(
    x: jax.Array,
    kernel: jax.Array,
    strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    **options: Any,
) -> jax.Array:
    """Convolve as `jax.lax.conv_general_dilated` does, in forms that are quick on a CPU.

    On a CPU wide 3x3 convolutions of float32 go by Winograd's filtering (`ops/winograd.py`), and
    other kernels' gradients are summed over groups of few images; everywhere a 1x1 convolution is a
    matrix product. All are equal but for rounding, and all else is XLA's to the last bit. For the
    attribute `conv_general_dilated` of `nn.Conv`. It can be differentiated in reverse mode alone.

    Args:
      x: maps `[b, h, w, c]`.
      kernel: `[height, width, c, outputs]`.
      strides: rows and columns from one window to the next.
      padding: "SAME", "VALID" or what to pad before and after, for rows and columns.
      options: as `conv_general_dilated` takes them.
    """
    dense = tuple(strides) == (1, 1)
    undilated = set(options.get("lhs_dilation") or (1,)) == {1}
    if kernel.shape[:3] == (1, 1, x.shape[-1]) and isinstance(padding, str) and dense and undilated:
        return _pixelwise(x, kernel)
    plain = partial(
        jax.lax.conv_general_dilated, window_strides=strides, padding=padding, **options
    )
    # With strides the groups lose: 47 instead of 13 ms for AlexNet's 11x11 of stride 4, batch 16.
    if not dense:
        return plain(x, kernel)
    undilated &= set(options.get("rhs_dilation") or (1,)) == {1}
    if undilated and padding == "SAME" and winograd.pays(x, kernel):
        return jax.lax.platform_dependent(x, kernel, cpu=winograd.convolve, default=plain)

    def forward(x, kernel):
        return plain(x, kernel), (x, kernel)

    def backward(saved, gradient):
        x, kernel = saved
        (for_x,) = jax.linear_transpose(lambda x: plain(x, kernel), x)(gradient)

        def whole(x, gradient):
            return jax.linear_transpose(lambda kernel: plain(x, kernel), kernel)(gradient)[0]

        by_groups = partial(_sum_over_groups, whole)
        return for_x, jax.lax.platform_dependent(x, gradient, cpu=by_groups, default=whole)

    convolve = jax.custom_vjp(plain)
    convolve.defvjp(forward, backward)
    return convolve(x, kernel)


def _pixelwise(x, kernel):
    """Convolve with a 1x1 kernel: a matrix product, whose kernel gradient is one too."""
    inputs, outputs = kernel.shape[2:]
    product = jnp.dot(x.reshape(-1, inputs), kernel.reshape(inputs, outputs))
    return product.reshape(*x.shape[:3], outputs)


def _sum_over_groups(function, x, gradient):
    """Sum a function of maps and gradients over groups of the batch's images."""
    groups = _count_groups(x, gradient)
    # Every `groups`-th image, so that a batch split over devices needs no exchange.
    xs, gradients = (
        a.reshape(a.shape[0] // groups, groups, *a.shape[1:]) for a in (x, gradient)
    )
    return sum(function(xs[:, i], gradients[:, i]) for i in range(groups))


def _count_groups(x, gradient) -> int:
    """Give the fewest equal groups of a batch that each fit in `GROUP_BYTES`."""
    images = x.shape[0]
    size = (x.size + gradient.size) * x.dtype.itemsize
    fitting = (n for n in range(1, images) if images % n == 0 and size <= n * GROUP_BYTES)
    return next(fitting, images)


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
    return _depthwise(x, kernel)


# JAX's own gradients pad and add a map for each tap, and copy a part of x for each: here they take
# 0.7 of that time on a CPU core (3x3, 48x48x32, batch 64: 44 instead of 59 ms).
@jax.custom_vjp
def _depthwise(x, kernel):
    height, width = kernel.shape[:2]
    rows, columns = x.shape[1:3]
    # As "SAME" pads: an even kernel has one more at the end.
    before = ((height - 1) // 2, (width - 1) // 2)
    padded = jnp.pad(x, ((0, 0), (before[0], height // 2), (before[1], width // 2), (0, 0)))
    return sum(
        padded[:, i : i + rows, j : j + columns, :] * kernel[i, j].reshape(1, 1, 1, -1)
        for i in range(height) for j in range(width)
    )


def _depthwise_forward(x, kernel):
    return _depthwise(x, kernel), (x, kernel)


def _depthwise_backward(saved, gradient):
    x, kernel = saved
    height, width = kernel.shape[:2]
    # With as many taps after its middle as the kernel has before, so odd.
    odd = ((0, 1 - height % 2), (0, 1 - width % 2), (0, 0), (0, 0))
    flipped = jnp.pad(kernel[::-1, ::-1], odd)
    # Columns are shifted in x and rows in the gradient: six copies for nine taps.
    columns = [_shift(x, 2, j - (width - 1) // 2) for j in range(width)]
    rows = [_shift(gradient, 1, (height - 1) // 2 - i) for i in range(height)]
    dtype = jnp.promote_types(x.dtype, jnp.float32)
    taps = [(a * b).sum((0, 1, 2), dtype=dtype) for b in rows for a in columns]
    return _depthwise(gradient, flipped), jnp.stack(taps).reshape(kernel.shape).astype(kernel.dtype)


def _shift(x, axis, by):
    """Give the `x` that stands `by` places further on, zero where there is none."""
    widths = [(0, 0, 0)] * x.ndim
    widths[axis] = (-by, by, 0)
    return jax.lax.pad(x, jnp.zeros((), x.dtype), widths)


_depthwise.defvjp(_depthwise_forward, _depthwise_backward)
