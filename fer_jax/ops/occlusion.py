"""Parts of a face that are not seen: a block in front of it, lines of dead pixels.

Images are floats [b, h, w, c] in 0..1; a parameter is one number or one an image [b], in pixels,
and may be traced.
"""

import jax
import jax.numpy as jnp

from fer_jax.ops.distortion import per_image


def random_block(key: jax.Array, images: jax.Array, *, side) -> jax.Array:
    """Cover a square of `side` pixels with one grey level, uniform over the 256 values k/255.

    The square lies anywhere within the image, uniformly.
    """
    b, h, w, _ = images.shape
    row_key, column_key, level_key = jax.random.split(key, 3)
    side = per_image(side, images)
    covered = _within(row_key, b, h, side, axis=1) & _within(column_key, b, w, side, axis=2)
    level = jax.random.bits(level_key, (b, 1, 1, 1), jnp.uint8).astype(images.dtype) / 255
    return jnp.where(covered, level, images)


def dead_lines(key: jax.Array, images: jax.Array, *, count) -> jax.Array:
    """Turn `count` whole rows of a face black, or as many columns, one as likely as the other.

    Which lines is uniform; with the same key, more lines are those and others.
    """
    b, h, w, _ = images.shape
    side_key, row_key, column_key = jax.random.split(key, 3)
    count = per_image(count, images)
    lie = jax.random.uniform(side_key, (b, 1, 1, 1)) < 0.5
    rows = _first(row_key, (b, h), count.reshape(-1, 1))[:, :, None, None]
    columns = _first(column_key, (b, w), count.reshape(-1, 1))[:, None, :, None]
    return jnp.where(jnp.where(lie, rows, columns), jnp.zeros_like(images), images)


def _within(key: jax.Array, b: int, size: int, side: jax.Array, *, axis: int) -> jax.Array:
    """Draw where a stretch of `side` begins; tell which places of an axis it covers."""
    draw = jax.random.uniform(key, (b, 1, 1, 1))
    start = jnp.floor(draw * (size - side + 1))
    places = jax.lax.broadcasted_iota(jnp.float32, (1, size, 1, 1), 1)
    places = jnp.moveaxis(places, 1, axis)
    return (places >= start) & (places < start + side)


def _first(key: jax.Array, shape: tuple[int, int], count: jax.Array) -> jax.Array:
    """Choose `count` places of each row `[b, n]` at random."""
    order = jax.random.uniform(key, shape)
    rank = jnp.argsort(jnp.argsort(order, axis=1), axis=1)
    return rank < count
