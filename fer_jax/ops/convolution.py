"""Convolutions in forms that are quick on a CPU."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from fer_jax.ops import shifting, winograd
from fer_jax.ops.backend import by_backend, keep

# What the maps and the gradient of a group of images may take, in bytes: about the second-level
# cache of one core, in which XLA's kernel gradient takes a half to a quarter of the time.
GROUP_BYTES = 5 << 19
# From so many pixels on a 1x1 kernel's gradient is summed image by image: 15.9 ms are 10.4 at
# 48x48, 64 to 64, batch 64, and 3.6 are 4.4 at 24x24, 64 to 128 (two cores).
LARGE_MAP = 2048
# The most channels of a picture.
PICTURE = 4


def conv(
    x: jax.Array,
    kernel: jax.Array,
    strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    **options: Any,
) -> jax.Array:
    """Convolve as `jax.lax.conv_general_dilated` does, in forms that are quick on a CPU.

    On a CPU wide 3x3 and 5x5 convolutions of float32 go by Winograd's filtering
    (`ops/winograd.py`), small ones of a grey picture by their taps, those to few outputs by a
    product, the gradients of other kernels are summed over groups of few images, and that of a
    picture's strided one is a dense one's; everywhere a 1x1 convolution is a matrix product. All
    are equal but for rounding, and all else is XLA's to the last bit. For the attribute
    `conv_general_dilated` of `nn.Conv`. It can be differentiated in reverse mode alone.

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
    undilated &= set(options.get("rhs_dilation") or (1,)) == {1}
    simple = undilated and x.shape[-1] == kernel.shape[2]  # not grouped either
    same = dense and simple and _keeps_size(padding, kernel)
    if same and winograd.pays(x, kernel):
        return by_backend(x, kernel, cpu=winograd.convolve, default=plain)
    # In half precision the nine sums would each be rounded.
    if same and x.dtype == jnp.float32 and _is_narrow(kernel):
        gradient = partial(_gradient_by_product, kernel.shape)
        return _differentiable(plain, _by_product, gradient)(x, kernel)
    if dense:
        thin = same and _is_thin(kernel)
        return _differentiable(plain, _by_taps if thin else plain, _sum_over_groups)(x, kernel)
    if simple and x.shape[-1] <= PICTURE:
        pads = padding
        if isinstance(padding, str):
            pads = jax.lax.padtype_to_pads(x.shape[1:3], kernel.shape[:2], strides, padding)
        folded = partial(_by_folding, kernel.shape, strides, pads)
        return _differentiable(plain, plain, folded)(x, kernel)
    # Groups lose here: 47 instead of 13 ms for 16 filters of 11x11, stride 4, batch 16.
    return plain(x, kernel)


def _differentiable(plain, quick_value, quick_kernel_gradient):
    """Make a convolution that is `plain` but on a CPU, where value and kernel gradient are these.

    The second takes XLA's kernel gradient, as a function, before the maps and their gradient.
    """

    def value(x, kernel):
        if quick_value is plain:
            return plain(x, kernel)
        return by_backend(x, kernel, cpu=quick_value, default=plain)

    def forward(x, kernel):
        return value(x, kernel), (x, kernel)

    def backward(saved, gradient):
        x, kernel = saved
        (for_x,) = jax.linear_transpose(lambda x: plain(x, kernel), x)(gradient)

        def whole(x, gradient):
            return jax.linear_transpose(lambda kernel: plain(x, kernel), kernel)(gradient)[0]

        quick = partial(quick_kernel_gradient, whole)
        return for_x, by_backend(x, gradient, cpu=quick, default=whole)

    convolve = jax.custom_vjp(value)
    convolve.defvjp(forward, backward)
    return convolve


def _is_thin(kernel) -> bool:
    """Tell whether the kernel is for few channels and outputs, or one and a few taps.

    There a sum of shifted products takes less than XLA's convolution: .5 instead of 5 ms for 1 to
    16 channels at 48x48, batch 64.
    """
    height, width, inputs, outputs = kernel.shape
    return inputs < PICTURE and (outputs <= 16 or height * width * inputs <= 9)


def _by_taps(x, kernel):
    """Convolve, "SAME", as a sum of shifted products."""
    height, width, inputs, _ = kernel.shape
    padded = shifting.pad_for_taps(x, height, width)
    return sum(
        seen[..., c, None] * kernel[i, j, c].reshape(1, 1, 1, -1)
        for i, j, seen in shifting.taps(padded, height, width) for c in range(inputs)
    )


def _is_narrow(kernel) -> bool:
    """Tell whether an odd kernel is for some channels and few outputs.

    There XLA's convolution leaves most of a vector empty: 1.7 instead of 1.3 ms for 16 channels to
    4 at 24x24, batch 64 (two cores).
    """
    height, width, inputs, outputs = kernel.shape
    return inputs > PICTURE >= outputs and height % 2 == width % 2 == 1


def _by_product(x, kernel):
    """Convolve, "SAME", by one product for all taps, whose results are shifted and summed."""
    height, width, inputs, outputs = kernel.shape
    products = jnp.dot(x.reshape(-1, inputs), kernel.transpose(2, 0, 1, 3).reshape(inputs, -1))
    padded = shifting.pad_for_taps(products.reshape(*x.shape[:3], -1), height, width)
    return sum(
        seen[..., tap * outputs : (tap + 1) * outputs]
        for tap, (_, _, seen) in enumerate(shifting.taps(padded, height, width))
    )


def _gradient_by_product(shape, whole, x, gradient):
    """Give the kernel's gradient as one product of maps and shifted gradients."""
    del whole
    height, width, inputs, outputs = shape
    padded = shifting.pad_for_taps(gradient, height, width)
    shifted = jnp.concatenate([seen for *_, seen in shifting.taps(padded, height, width)], -1)
    found = jnp.dot(x.reshape(-1, inputs).T, shifted.reshape(-1, height * width * outputs))
    # A tap of the gradient's meets the opposite tap of the maps'.
    return found.reshape(inputs, height, width, outputs)[:, ::-1, ::-1].transpose(1, 2, 0, 3)


def _keeps_size(padding, kernel) -> bool:
    """Tell whether the padding is "SAME", by that name or as an odd kernel has it in numbers."""
    if isinstance(padding, str):
        return padding == "SAME"
    halves = [(n // 2, n // 2) for n in kernel.shape[:2]]
    return all(n % 2 for n in kernel.shape[:2]) and [tuple(pads) for pads in padding] == halves


@jax.custom_vjp
def _pixelwise(x, kernel):
    """Convolve with a 1x1 kernel: a matrix product, whose kernel gradient is one too."""
    inputs, outputs = kernel.shape[2:]
    product = jnp.dot(x.reshape(-1, inputs), kernel.reshape(inputs, outputs))
    return product.reshape(*x.shape[:3], outputs)


def _pixelwise_forward(x, kernel):
    x = keep(x)
    return _pixelwise(x, kernel), (x, kernel)


def _pixelwise_backward(saved, gradient):
    x, kernel = saved
    (b, h, w, inputs), outputs = x.shape, kernel.shape[-1]
    gradient = keep(gradient)
    flat = gradient.reshape(-1, outputs)
    for_x = jnp.dot(flat, kernel.reshape(inputs, outputs).T).reshape(x.shape)
    if h * w >= LARGE_MAP and isinstance(b, int):
        form = partial(by_backend, cpu=_sum_over_images, default=_sum_over_pixels)
    else:
        form = _sum_over_pixels
    return for_x, form(x, gradient).reshape(kernel.shape)


_pixelwise.defvjp(_pixelwise_forward, _pixelwise_backward)


def _sum_over_pixels(x, gradient):
    return jnp.dot(x.reshape(-1, x.shape[-1]).T, gradient.reshape(-1, gradient.shape[-1]))


def _sum_over_images(x, gradient):
    """Sum as `_sum_over_pixels`, an image at a time, each from maps that lie channel by channel.

    So a product of few channels and many pixels is shared by the cores.
    """
    across = keep(x.reshape(x.shape[0], -1, x.shape[-1]).transpose(0, 2, 1))
    along = gradient.reshape(x.shape[0], -1, gradient.shape[-1])
    return jax.lax.dot_general(across, along, (((2,), (1,)), ((0,), (0,)))).sum(0)


def _sum_over_groups(function, x, gradient):
    """Sum a function of maps and gradients over groups of the batch's images."""
    groups = _count_groups(x, gradient)
    # Every `groups`-th image, so that a batch split over devices needs no exchange.
    xs, gradients = (
        a.reshape(a.shape[0] // groups, groups, *a.shape[1:]) for a in (x, gradient)
    )
    return sum(function(xs[:, i], gradients[:, i]) for i in range(groups))


def _by_folding(shape, strides, pads, whole, x, gradient):
    """Give the kernel's gradient of a strided convolution as that of a dense one.

    Its maps have the pixels of each stride as channels, `[b, h', w', stride * stride * c]`, and its
    kernel as many strides as the other covers.
    """
    del whole
    sides = [-(-side // stride) for side, stride in zip(shape, strides, strict=False)]
    rows, columns = ((n + k - 1) for n, k in zip(gradient.shape[1:3], sides, strict=True))
    lasts = [
        n * stride - before - size
        for n, stride, (before, _), size in zip(
            (rows, columns), strides, pads, x.shape[1:3], strict=True
        )
    ]
    widths = [(before, last, 0) for (before, _), last in zip(pads, lasts, strict=True)]
    x = jax.lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *widths, (0, 0, 0)])
    b, _, _, c = x.shape
    x = x.reshape(b, rows, strides[0], columns, strides[1], c).transpose(0, 1, 3, 2, 4, 5)
    x = x.reshape(b, rows, columns, -1)
    folded = jnp.zeros((*sides, x.shape[-1], shape[-1]), x.dtype)

    def dense(x, gradient):
        convolve = partial(
            jax.lax.conv_general_dilated, x, window_strides=(1, 1), padding="VALID",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        return jax.linear_transpose(convolve, folded)(gradient)[0]

    found = _sum_over_groups(dense, x, gradient)
    found = found.reshape(*sides, *strides, c, -1).transpose(0, 2, 1, 3, 4, 5)
    found = found.reshape(sides[0] * strides[0], sides[1] * strides[1], c, -1)
    return found[: shape[0], : shape[1]]


def _count_groups(x, gradient) -> int:
    """Give the fewest equal groups of a batch that each fit in `GROUP_BYTES`."""
    images = x.shape[0]
    size = (x.size + gradient.size) * x.dtype.itemsize
    fitting = (n for n in range(1, images) if images % n == 0 and size <= n * GROUP_BYTES)
    return next(fitting, images)
