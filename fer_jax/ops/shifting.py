"""Maps moved by some places, as convolutions written as sums of products read them."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp


def pad(x: jax.Array, axis: int, before: int, after: int) -> jax.Array:
    """Pad one axis with zeros; a negative count takes away."""
    if before == after == 0:
        return x
    widths = [(0, 0, 0)] * x.ndim
    widths[axis] = (before, after, 0)
    return jax.lax.pad(x, jnp.zeros((), x.dtype), widths)


def pad_for_taps(x: jax.Array, height: int, width: int) -> jax.Array:
    """Pad `[b, h, w, c]` with the zeros that a kernel's taps see beyond its edges, "SAME".

    An even kernel has one more tap after the middle, as in XLA's "SAME".
    """
    # In one operation: a pad an axis copies the maps twice.
    widths = ((0, 0, 0), *(((n - 1) // 2, n // 2, 0) for n in (height, width)), (0, 0, 0))
    return jax.lax.pad(x, jnp.zeros((), x.dtype), widths)


def taps(padded: jax.Array, height: int, width: int) -> Iterator[tuple[int, int, jax.Array]]:
    """Give what each tap of a kernel sees of padded maps: row, column, maps `[b, h, w, c]`."""
    rows, columns = padded.shape[1] - height + 1, padded.shape[2] - width + 1
    for i in range(height):
        for j in range(width):
            yield i, j, padded[:, i : i + rows, j : j + columns, :]
