"""Wide 3x3 and 5x5 convolutions by Winograd's minimal filtering: few products, quick on a CPU."""

from fractions import Fraction
from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from fer_jax.ops.backend import keep
from fer_jax.ops.shifting import pad

# Sides of a tile of outputs, by the kernel's side. Larger ones have fewer products yet, and the
# sums before and after them take longer than that saves.
TILES = {3: (4, 3), 5: (3,)}
# Where the polynomials of Cook and Toom are evaluated, beside infinity. Small numbers round least,
# and 2 with -1/2 less than 2 with -2: by 1.4e-6 where those do by 2.0e-6.
POINTS = (0, 1, -1, 2, Fraction(-1, 2), -2)
# With fewer channels, or tiles in a batch, those sums cost more than is saved
# (benchmarks/NOTES.md).
CHANNELS, BATCH_TILES = 64, 64


@jax.custom_vjp
def convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolve with stride 1, "SAME", a tile of outputs at a time.

    A tile of m x m outputs of an r x r kernel takes (m + r - 1)^2 products a pair of channels,
    where the sum over taps takes m^2 r^2 (Lavin and Gray 2016, F(m x m, r x r)): .25 of them for
    r = 3 and m = 4, .31 for m = 3, .22 for r = 5 and m = 3. Rounding is five to ten times that of
    the plain sum: 1.4e-6 to 3e-6 of the result's spread in float32.

    Args:
      x: maps `[b, h, w, c]`.
      kernel: `[r, r, c, outputs]`, r 3 or 5.
    """
    return _forward(x, kernel)[0]


def pays(x: jax.Array, kernel: jax.Array) -> bool:
    """Tell whether `convolve` and its gradients are quicker on a CPU than the sum over taps."""
    height, width, inputs, outputs = kernel.shape
    if height != width or height not in TILES or inputs != x.shape[-1]:
        return False
    # A program for any batch, as an exported one, has no size to go by.
    if not isinstance(x.shape[0], int):
        return False
    tiles = x.shape[0] * _count_tiles(x, choose_tile(x, taps=height))
    # Half precision has no bits to lose to the transforms.
    single = x.dtype == kernel.dtype and x.dtype in (jnp.float32, jnp.float64)
    wide = min(inputs, outputs) >= CHANNELS
    return single and wide and tiles >= BATCH_TILES


def choose_tile(x: jax.Array, *, taps: int) -> int:
    """Give the side of a tile of outputs that takes the least work on such maps."""

    def work(tile):
        n = tile + taps - 1
        # Of products n^2 a tile; each has sums of n terms before and after it.
        return _count_tiles(x, tile) * n**3

    return min(TILES[taps], key=work)


def _count_tiles(x, tile):
    """Count the tiles of one image's outputs."""
    return -(-x.shape[1] // tile) * -(-x.shape[2] // tile)


def _forward(x, kernel):
    form = _transforms(choose_tile(x, taps=len(kernel)), len(kernel))
    inputs, kernels = _cut(keep(x), form), _transform_kernel(kernel, form)
    products = [
        [_product(part, matrix) for part, matrix in zip(*row, strict=True)]
        for row in zip(inputs, kernels, strict=True)
    ]
    rows = [_join(_combine(form.to_outputs, row), 2) for row in products]
    whole = _join(_combine(form.to_outputs, rows), 1)
    _, h, w, _ = x.shape
    # What the gradients need is kept transformed; of x and the kernel their size alone.
    sized = jnp.zeros((0, h, w, 0)), jnp.zeros((0, *kernel.shape[:2], 0))
    return whole[:, :h, :w], (inputs, kernels, sized)


def _backward(saved, gradient):
    """Give the gradients of maps and kernel: each step of `_forward` transposed."""
    inputs, kernels, (x, kernel) = saved
    taps = kernel.shape[1]
    form = _transforms(len(inputs) - taps + 1, taps)
    gradients = _spread(keep(gradient), form)
    of_kernels = [
        [jnp.dot(_flat(part).T, _flat(of_part)) for part, of_part in zip(*row, strict=True)]
        for row in zip(inputs, gradients, strict=True)
    ]
    of_inputs = [
        [_product(of_part, matrix.T) for of_part, matrix in zip(*row, strict=True)]
        for row in zip(gradients, kernels, strict=True)
    ]
    h, w = x.shape[1:3]
    return _put_back(of_inputs, form)[:, :h, :w], _kernel_gradient(of_kernels, form)


convolve.defvjp(_forward, _backward)


class _Form(NamedTuple):
    """F(m x m, r x r), n = m + r - 1; matrices are of one dimension.

    Attributes:
      tile, taps: m and r.
      to_outputs, from_kernel, from_inputs: A^T `[m, n]`, G `[n, r]` and B^T `[n, n]`, with which
        the outputs of n inputs d and taps g are A^T (G g * B^T d) (Lavin and Gray, equation 6).
    """

    tile: int
    taps: int
    to_outputs: np.ndarray
    from_kernel: np.ndarray
    from_inputs: np.ndarray


@cache
def _transforms(tile: int, taps: int) -> _Form:
    """Give the matrices, by interpolation at `POINTS` and infinity (Toom 1963, Cook 1966)."""
    points = [Fraction(point) for point in POINTS[: tile + taps - 2]]

    def product(roots):
        """Give the polynomial with these roots, its lowest power first."""
        polynomial = np.array([Fraction(1)])
        for root in roots:
            polynomial = np.polymul(polynomial, [1, -root])
        return polynomial[::-1]

    others = [product([q for q in points if q != p]) for p in points]
    norms = [np.polyval(other[::-1], p) for other, p in zip(others, points, strict=True)]
    to_outputs = [[p**i for p in points] + [int(i == tile - 1)] for i in range(tile)]
    from_kernel = [[p**i / n for i in range(taps)] for p, n in zip(points, norms, strict=True)]
    from_kernel.append([0] * (taps - 1) + [1])
    from_inputs = [[*other, 0] for other in others] + [list(product(points))]
    matrices = (np.array(rows, float) for rows in (to_outputs, from_kernel, from_inputs))
    return _Form(tile, taps, *matrices)


def _transform_kernel(kernel, form):
    """Give G g G^T of each pair of channels: n lists of n arrays `[c, outputs]`."""
    rows = keep(_combine(form.from_kernel, list(kernel)))
    return [_combine(form.from_kernel, list(row)) for row in rows]


def _kernel_gradient(of_kernels, form):
    """Give the kernel's gradient `[r, r, c, outputs]`: `_transform_kernel` transposed."""
    rows = keep([_combine(form.from_kernel.T, row) for row in of_kernels])
    columns = [_combine(form.from_kernel.T, column) for column in zip(*rows, strict=True)]
    return jnp.stack([jnp.stack(row) for row in zip(*columns, strict=True)])


def _cut(x, form):
    """Give B^T d B of all tiles: n lists of n arrays `[b, tiles, tiles, c]`."""
    tile, halo = form.tile, form.taps // 2
    own = _split(x, 1, tile)
    before = [pad(part, 1, 1, -1) for part in own[tile - halo :]]
    after = [pad(part, 1, -1, 1) for part in own[:halo]]
    rows = _combine(form.from_inputs, [*before, *own, *after])
    # Padding makes XLA keep the rows' sums, and not add them up again for each column.
    tiles = -(-x.shape[2] // tile)
    rows = [pad(row, 2, halo, tile * tiles + halo - x.shape[2]) for row in rows]
    last, n = tile * (tiles - 1) + 1, len(rows)
    return [
        _combine(form.from_inputs, [_every(row, 2, i, i + last, tile) for i in range(n)])
        for row in rows
    ]


def _put_back(of_inputs, form):
    """Give the maps' gradient from that of all tiles: `_cut` transposed."""
    tile, halo = form.tile, form.taps // 2

    def along(axis, parts):
        parts = _combine(form.from_inputs.T, parts)
        own = parts[halo:-halo]
        for i in range(halo):
            own[tile - halo + i] += pad(parts[i], axis, -1, 1)
            own[i] += pad(parts[halo + tile + i], axis, 1, -1)
        return _join(own, axis)

    return along(1, [along(2, row) for row in of_inputs])


def _spread(gradient, form):
    """Give A y A^T of all tiles: n lists of n arrays `[b, tiles, tiles, outputs]`."""
    tile, from_outputs = form.tile, form.to_outputs.T
    across = -(-gradient.shape[2] // tile) * tile
    rows = _combine(from_outputs, _split(gradient, 1, tile))
    # One more than needed: as in `_cut`.
    rows = [pad(row, 2, 0, across + 1 - gradient.shape[2]) for row in rows]
    return [
        _combine(from_outputs, [_every(row, 2, i, across, tile) for i in range(tile)])
        for row in rows
    ]


def _split(x, axis, tile):
    """Give every first, second, ... of `tile` places along an axis; zeros stand for the rest."""
    size = x.shape[axis]
    x = pad(x, axis, 0, -size % tile)
    return [_every(x, axis, i, x.shape[axis], tile) for i in range(tile)]


def _join(parts, axis):
    """Undo `_split`, but for the rest."""
    shape = list(parts[0].shape)
    shape[axis] *= len(parts)
    return jnp.stack(parts, axis + 1).reshape(shape)


def _every(x, axis, start, stop, step):
    return jax.lax.slice_in_dim(x, start, stop, step, axis)


def _combine(matrix, parts):
    """Multiply a matrix of constants by a vector of arrays."""
    return [
        _add([_times(w, part) for w, part in zip(weights, parts, strict=True) if w])
        for weights in matrix
    ]


def _add(first_and_others):
    first, *others = first_and_others
    return sum(others, start=first)


def _times(weight, x):
    return x if weight == 1 else x * weight.item()


def _product(x, matrix):
    return jnp.dot(_flat(x), matrix).reshape(*x.shape[:-1], -1)


def _flat(x):
    # As matrices: sums over three dimensions at once take several times as long.
    return x.reshape(-1, x.shape[-1])
