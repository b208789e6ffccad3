"""3x3 convolutions by Winograd's minimal filtering: fewer products, quick on a CPU with wide maps."""

from fractions import Fraction
from functools import cache, partial, reduce
from operator import add

import jax
import jax.numpy as jnp
import numpy as np

TAPS = 3
# Where the polynomials of Cook and Toom are evaluated, beside infinity: small numbers round least.
POINTS = (0, 1, -1, 2, -2)
# Sides of a tile of outputs. At 6 there are fewer products yet, and it is slower.


TILES = (4, 3)
# Fewer channels, or fewer tiles in a batch, and the sums before and after the products cost more
# than the products save (benchmarks/NOTES.md).
CHANNELS, PAIRS, BATCH_TILES = 64, 64 * 128, 64


def pays(x: jax.Array, kernel: jax.Array) -> bool:
    """Tell whether `convolve` and its gradients are quicker on a CPU than the sum over taps."""
    if kernel.shape[:2] != (TAPS, TAPS) or kernel.shape[2] != x.shape[-1]:
        return False
    tiles = x.shape[0] * _count_tiles(x, choose_tile(x))
    # Half precision has no bits to lose to the transforms.
    single = x.dtype == kernel.dtype and x.dtype in (jnp.float32, jnp.float64)
    inputs, outputs = kernel.shape[2:]
    wide = min(inputs, outputs) >= CHANNELS and inputs * outputs >= PAIRS
    return single and wide and tiles >= BATCH_TILES


def choose_tile(x: jax.Array) -> int:
    """Give the side of a tile of outputs that takes the fewest products on such maps."""
    return min(TILES, key=lambda tile: _count_tiles(x, tile) * (tile + TAPS - 1) ** 2)


@jax.custom_vjp
def convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolve with a 3x3 kernel, stride 1, "SAME", a tile of outputs at a time.

    A tile of m x m outputs takes (m + 2)^2 products a pair of channels where the sum over taps takes
    9 m^2 (Lavin and Gray 2016, F(m x m, 3 x 3)): .25 of them at m = 4, .31 at m = 3. Rounding is
    about seven times that of the plain sum: 2e-6 of the result's spread in float32.

    Args:
      x: maps `[b, h, w, c]`.
      kernel: `[3, 3, c, outputs]`.
    """
    return _forward(x, kernel)[0]


def _forward(x, kernel):
    tile = choose_tile(x)
    to_outputs, from_kernel, from_inputs = _transforms(tile)
    inputs = _cut(x, from_inputs, tile)
    kernels = _transform_kernel(kernel, from_kernel)
    products = [
        [_product(part, matrix) for part, matrix in zip(*row, strict=True)]
        for row in zip(inputs, kernels, strict=True)
    ]
    columns = [_combine(to_outputs, row) for row in products]
    rows = [_combine(to_outputs, column) for column in zip(*columns, strict=True)]
    # [columns of a tile][rows of a tile] of [b, tiles, tiles, outputs] -> the whole map.
    whole = jnp.stack([jnp.stack(rows_, axis=2) for rows_ in rows], axis=4)
    b, h, w, _ = x.shape
    whole = whole.reshape(b, whole.shape[1] * tile, whole.shape[3] * tile, -1)
    # What the gradients need is kept transformed; of x its size alone.
    return whole[:, :h, :w], (inputs, kernels, jnp.zeros((0, h, w, 0)))


def _backward(saved, gradient):
    """Give the gradients of maps and kernel: each step of `_forward` transposed."""
    inputs, kernels, sized = saved
    h, w = sized.shape[1:3]
    tile = len(inputs) - TAPS + 1
    to_outputs, from_kernel, from_inputs = _transforms(tile)
    gradients = _spread(gradient, to_outputs.T, tile)
    of_kernels = [
        [jnp.dot(_flat(part).T, _flat(of_part)) for part, of_part in zip(*row, strict=True)]
        for row in zip(inputs, gradients, strict=True)
    ]
    of_inputs = [
        [_product(of_part, matrix.T) for of_part, matrix in zip(*row, strict=True)]
        for row in zip(gradients, kernels, strict=True)
    ]
    return _put_back(of_inputs, from_inputs.T, tile)[:, :h, :w], _kernel(of_kernels, from_kernel)


convolve.defvjp(_forward, _backward)


def _count_tiles(x, tile):
    """Count the tiles of one image's outputs."""
    return -(-x.shape[1] // tile) * -(-x.shape[2] // tile)


@cache
def _transforms(tile: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give the matrices A^T `[m, n]`, G `[n, 3]` and B^T `[n, n]`, n = m + 2, of one dimension.

    The outputs of n inputs d and taps g are A^T (G g * B^T d) (Lavin and Gray 2016, equation 6).
    """
    size = tile + TAPS - 1
    points = [Fraction(point) for point in POINTS[: size - 1]]
    # As polynomials, lowest power first: the product of (x - q) over all points q but the i-th.
    others = [
        reduce(np.polymul, [[1, -q] for q in points if q != p], np.array([Fraction(1)]))[::-1]
        for p in points
    ]
    every = reduce(np.polymul, [[1, -q] for q in points], np.array([Fraction(1)]))[::-1]
    norms = [np.polyval(other[::-1], p) for other, p in zip(others, points, strict=True)]
    to_outputs = [[p**i for p in points] + [int(i == tile - 1)] for i in range(tile)]
    from_kernel = [[p**i / n for i in range(TAPS)] for p, n in zip(points, norms, strict=True)]
    from_kernel.append([0] * (TAPS - 1) + [1])
    from_inputs = [[*other, 0] for other in others] + [list(every)]
    return tuple(np.array(rows, float) for rows in (to_outputs, from_kernel, from_inputs))


def _transform_kernel(kernel, from_kernel):
    """Give G g G^T of each pair of channels: n lists of n arrays `[c, outputs]`."""
    n = len(from_kernel)
    both = np.kron(from_kernel, from_kernel).astype(kernel.dtype)
    all_ = jnp.dot(both, kernel.reshape(TAPS * TAPS, -1)).reshape(n, n, *kernel.shape[2:])
    return [[all_[i, j] for j in range(n)] for i in range(n)]


def _kernel(of_kernels, from_kernel):
    """Give the kernel's gradient `[3, 3, c, outputs]`: `_transform_kernel` transposed."""
    both = np.kron(from_kernel, from_kernel).astype(of_kernels[0][0].dtype)
    every = jnp.stack([one for row in of_kernels for one in row])
    shape = (TAPS, TAPS, *every.shape[1:])
    return jnp.dot(both.T, every.reshape(len(both), -1)).reshape(shape)


def _cut(x, from_inputs, tile):
    """Give B^T d B of all tiles: n lists of n arrays `[b, tiles, tiles, c]`."""
    tiles = -(-x.shape[2] // tile)
    rows = _combine(from_inputs, _overlapping(x, tile))
    # Padding makes XLA keep the rows' sums, and not add them up again for each column.
    rows = [_pad(row, 2, 1, tile * tiles + 1 - x.shape[2]) for row in rows]
    last = tile * (tiles - 1) + 1
    return [
        _combine(from_inputs, [_every(row, 2, i, i + last, tile) for i in range(len(from_inputs))])
        for row in rows
    ]


def _overlapping(x, tile):
    """Give the rows of each tile's inputs, n arrays `[b, tiles, w, c]`."""
    own = _split(x, 1, tile)
    return [_pad(own[-1], 1, 1, -1), *own, _pad(own[0], 1, -1, 1)]


def _put_back(of_inputs, to_inputs, tile):
    """Give the maps' gradient from that of all tiles: `_cut` transposed."""

    def along(axis, parts):
        before, *own, after = _combine(to_inputs, parts)
        own[-1] = own[-1] + _pad(before, axis, -1, 1)
        own[0] = own[0] + _pad(after, axis, 1, -1)
        return _join(own, axis)

    return along(1, [along(2, row) for row in of_inputs])


def _spread(gradient, from_outputs, tile):
    """Give A y A^T of all tiles: n lists of n arrays `[b, tiles, tiles, outputs]`."""
    across = -(-gradient.shape[2] // tile) * tile
    rows = _combine(from_outputs, _split(gradient, 1, tile))
    # One more than needed: as in `_cut`.
    rows = [_pad(row, 2, 0, across + 1 - gradient.shape[2]) for row in rows]
    return [
        _combine(from_outputs, [_every(row, 2, i, across, tile) for i in range(tile)])
        for row in rows
    ]


def _split(x, axis, tile):
    """Give every first, second, ... of `tile` places along an axis; zeros stand for the rest."""
    size = x.shape[axis]
    x = _pad(x, axis, 0, -size % tile)
    return [_every(x, axis, i, x.shape[axis], tile) for i in range(tile)]


def _join(parts, axis):
    """Undo `_split`, but for the rest."""
    joined = jnp.stack(parts, axis + 1)
    shape = list(parts[0].shape)
    shape[axis] *= len(parts)
    return joined.reshape(shape)


def _pad(x, axis, before, after):
    """Pad with zeros; a negative count takes away."""
    if before == after == 0:
        return x
    widths = [(0, 0, 0)] * x.ndim
    widths[axis] = (before, after, 0)
    return jax.lax.pad(x, jnp.zeros((), x.dtype), widths)


def _every(x, axis, start, stop, step):
    return jax.lax.slice_in_dim(x, start, stop, step, axis)


def _combine(matrix, parts):
    """Multiply a matrix of constants by a vector of arrays."""
    scaled = partial(map, lambda pair: pair[1] if pair[0] == 1 else pair[1] * pair[0].item())
    return [
        reduce(add, scaled((w, part) for w, part in zip(weights, parts, strict=True) if w))
        for weights in matrix
    ]


def _product(x, matrix):
    return jnp.dot(_flat(x), matrix).reshape(*x.shape[:-1], -1)


def _flat(x):
    # As matrices: sums over three dimensions at once take several times as long.
    return x.reshape(-1, x.shape[-1])
