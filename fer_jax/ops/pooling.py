"""Pooling in forms that are quick on a CPU and right in their gradients: maximum and LIP."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from fer_jax.ops.backend import keep


def max_pool_2x2(x: jax.Array) -> jax.Array:
    """Take the maximum of each 2x2 window, stride 2: [b, h, w, c] -> [b, h // 2, w // 2, c].

    An odd last row or column is dropped ("VALID"). The gradient goes to the first maximum of a
    window, row by row, like that of `flax.linen.max_pool`. Raises ValueError where h or w is
    below 2.
    """
    height, width = x.shape[1] // 2, x.shape[2] // 2
    if not (height and width):
        raise ValueError(
            f"max_pool_2x2 got {list(x.shape)}; h and w must be at least 2: take larger images or"
            " fewer pooling blocks"
        )
    return _pool(x[:, : 2 * height, : 2 * width, :])


def max_pool_3x3(x: jax.Array) -> jax.Array:
    """Take the maximum of 3x3 windows, stride 2, "VALID": AlexNet's pool.

    Maps `[b, h, w, c]` become `[b, (h - 1) // 2, (w - 1) // 2, c]`. The gradient goes to the first
    maximum of a window, row by row, like that of `flax.linen.max_pool`: on a CPU core with its
    value in 2.2 instead of 41 ms at 55x55x64, batch 16.

    Raises:
      ValueError: h or w is below 3.
    """
    if min(x.shape[1:3]) < 3:
        raise ValueError(
            f"max_pool_3x3 got {list(x.shape)}; h and w must be at least 3: take larger images or"
            " fewer pools"
        )
    return _pool_overlapping(x)


def lip_pool(
    x: jax.Array,
    logits: jax.Array,
    *,
    window: tuple[int, int],
    strides: tuple[int, int],
    padding: str = "VALID",
) -> jax.Array:
    """Average x over windows, weighted by exp(logits): local importance pooling.

    Equation 2 of Dong 2021, after Gao, Wang and Wu 2019: sum(x * exp(logits)) / sum(exp(logits)).
    Equal logits give the average, logits = x SoftPool, logits = k * x the maximum as k grows. It
    is stable for finite logits of any size, and computes in float32 at least.

    Args:
      x: maps `[b, h, w, c]`.
      logits: the logarithms of the weights, in the shape of `x`.
      window: height and width of a window.
      strides: rows and columns from one window to the next; windows may overlap or leave gaps.
      padding: "VALID" drops a rest at the border, "SAME" pads, and what it pads weighs nothing.

    Returns:
      The pooled maps `[b, h', w', c]` in the dtype of `x`.

    Raises:
      ValueError: logits of another shape, an unknown padding, or a window that does not fit.
    """
    if logits.shape != x.shape:
        raise ValueError(
            f"lip_pool got logits {list(logits.shape)} for x {list(x.shape)}; both need one shape"
        )
    if padding not in ("VALID", "SAME"):
        raise ValueError(f"unknown padding {padding!r}: choose VALID or SAME")
    window, strides, dtype = tuple(window), tuple(strides), x.dtype
    x, logits = (a.astype(jnp.promote_types(a.dtype, jnp.float32)) for a in (x, logits))
    if padding == "SAME":
        widths = [(0, 0), *jax.lax.padtype_to_pads(x.shape[1:3], window, strides, "SAME"), (0, 0)]
        x, logits = jnp.pad(x, widths), jnp.pad(logits, widths, constant_values=-jnp.inf)
    rows, columns = _sizes(x, window, strides)
    if not (rows and columns):
        raise ValueError(
            f"lip_pool got {list(x.shape)}, smaller than its window {window}: take larger images "
            "or fewer pools"
        )
    if window == strides:
        tiles = (slice(None), slice(rows * window[0]), slice(columns * window[1]))
        return _lip_tiles(x[tiles], logits[tiles], window).astype(dtype)
    return _lip(x, logits, window, strides)[0].astype(dtype)


# Not reshape + max: its gradient compares a recomputed x with the maximum, and after a BatchNorm
# under jit the two can differ in the last bit, which sends the gradient astray. The gradient here
# reads the choice the forward pass made.
@jax.custom_vjp
def _pool(x):
    return _choose(x)[0]


def _pool_forward(x):
    # The gradient would compute both again, and what is cheap before them: a thin convolution, a
    # BatchNorm.
    return keep(_choose(x))


def _choose(x):
    top_left, top_right = x[:, ::2, ::2, :], x[:, ::2, 1::2, :]
    bottom_left, bottom_right = x[:, 1::2, ::2, :], x[:, 1::2, 1::2, :]
    top = jnp.maximum(top_left, top_right)
    bottom = jnp.maximum(bottom_left, bottom_right)
    chosen = jnp.where(
        bottom > top,
        2 + (bottom_right > bottom_left).astype(jnp.int8),
        (top_right > top_left).astype(jnp.int8),
    )
    return jnp.maximum(top, bottom), chosen


def _pool_backward(chosen, gradient):
    b, h, w, c = gradient.shape
    place = np.arange(4, dtype=np.int8).reshape(2, 2)
    place = jnp.asarray(np.tile(place, (h, w))[None, :, :, None])

    def spread(a):
        tiles = jnp.broadcast_to(a[:, :, None, :, None, :], (b, h, 2, w, 2, c))
        return tiles.reshape(b, 2 * h, 2 * w, c)

    # Chosen after the reshape: before it XLA computes all this once for each shape it is read in.
    return (jnp.where(spread(chosen) == place, spread(gradient), jnp.zeros((), gradient.dtype)),)


_pool.defvjp(_pool_forward, _pool_backward)


@jax.custom_vjp
def _pool_overlapping(x):
    return _pool_overlapping_forward(x)[0]


def _pool_overlapping_forward(x):
    first, *others = _views(x, (3, 3), (2, 2))
    largest, chosen = first, jnp.zeros(first.shape, jnp.int8)
    for place, view in enumerate(others, start=1):
        chosen = jnp.where(view > largest, jnp.int8(place), chosen)
        largest = jnp.maximum(largest, view)
    # Of x its size alone is kept.
    return largest, (chosen, jnp.zeros((0, *x.shape[1:3], 0)))


# By window, of the four that share a block of 2x2 pixels: the places at which those pixels stand in
# it. The block is the window's first two rows and columns; it ends the windows above and before.
_PLACES = {
    (1, 1): ((0, 1), (3, 4)),
    (0, 1): ((6, 7), (None, None)),
    (1, 0): ((2, None), (5, None)),
    (0, 0): ((8, None), (None, None)),
}


def _pool_overlapping_backward(saved, gradient):
    chosen, sized = saved
    (b, rows, columns, c), (h, w) = gradient.shape, sized.shape[1:3]
    none = -1
    around = [(0, 0), (1, 1), (1, 1), (0, 0)]
    gradient, chosen = jnp.pad(gradient, around), jnp.pad(chosen, around, constant_values=none)

    def of_windows(a, i, j):
        return a[:, i : i + rows + 1, None, j : j + columns + 1, None, :]

    spread = jnp.zeros((), gradient.dtype)
    for window, places in _PLACES.items():
        # What no window has chosen, not even those of the border.
        places = [[none - 1 if place is None else place for place in row] for row in places]
        places = np.array(places, np.int8).reshape(1, 1, 2, 1, 2, 1)
        mine = of_windows(chosen, *window) == places
        spread += jnp.where(mine, of_windows(gradient, *window), jnp.zeros((), gradient.dtype))
    return (spread.reshape(b, 2 * rows + 2, 2 * columns + 2, c)[:, :h, :w],)


_pool_overlapping.defvjp(_pool_overlapping_forward, _pool_overlapping_backward)


def _lip(x, logits, window, strides):
    """Pool; return the largest logit and the sum of weights of each window too."""
    values, logits = _views(x, window, strides), _views(logits, window, strides)
    # Any shift of a window's logits gives the same weights, so none is differentiated; this one
    # keeps the exponentials in 0..1.
    largest = jax.lax.stop_gradient(functools.reduce(jnp.maximum, logits))
    weights = [jnp.exp(logit - largest) for logit in logits]
    total = sum(weights)
    pooled = sum(weight * value for weight, value in zip(weights, values, strict=True)) / total
    return pooled, largest, total


# Windows that tile the map have a gradient of their own: it spreads what belongs to a window over
# its pixels at once, where JAX's pads and adds one map for each place in a window. Gradient and
# value together take 0.68 to 0.96 of the time on two CPU cores (maps from 12x12x64 to 48x48x64,
# batch 16 and 64).
@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _lip_tiles(x, logits, window):
    return _lip(x, logits, window, window)[0]


def _lip_tiles_forward(x, logits, window):
    pooled, largest, total = _lip(x, logits, window, window)
    return pooled, (x, logits, pooled, largest, total)


def _lip_tiles_backward(window, saved, gradient):
    x, logits, pooled, largest, total = saved

    def spread(a):
        (b, h, w, c), (height, width) = a.shape, window
        tiles = jnp.broadcast_to(a[:, :, None, :, None, :], (b, h, height, w, width, c))
        return tiles.reshape(b, h * height, w * width, c)

    share = jnp.exp(logits - spread(largest)) * spread(gradient / total)
    return share, share * (x - spread(pooled))


_lip_tiles.defvjp(_lip_tiles_forward, _lip_tiles_backward)


def _views(x, window, strides) -> list[jax.Array]:
    """Give the pixels at each place in a window, for all windows `[b, h', w', c]`."""
    rows, columns = _sizes(x, window, strides)
    bottom, right = (rows - 1) * strides[0] + 1, (columns - 1) * strides[1] + 1
    return [
        x[:, i : i + bottom : strides[0], j : j + right : strides[1], :]
        for i in range(window[0]) for j in range(window[1])
    ]


def _sizes(x, window, strides) -> list[int]:
    """Count the whole windows in each direction."""
    return [
        max(0, (size - extent) // stride + 1)
        for size, extent, stride in zip(x.shape[1:3], window, strides, strict=True)
    ]
