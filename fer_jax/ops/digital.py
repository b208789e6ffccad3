"""What a sensor's electronics and software do: pixelate, contrast, brightness, few grey levels.

Images are floats [b, h, w, c] in 0..1; a parameter is one number or one an image [b], and may be
traced. None is random.
"""

import jax
import jax.numpy as jnp

from fer_jax.ops.distortion import per_image


def pixelate(images: jax.Array, *, share) -> jax.Array:
    """Shrink both sides to `share` (0..1) of their pixels, rounded down, and enlarge them again.

    Each pixel becomes the mean of those whose centres lie in the same cell of the coarse grid:
    Pillow's BOX filter both ways.
    """
    share = per_image(share, images).reshape(-1, 1)
    weights = [_cells(share, size) for size in images.shape[1:3]]
    coarse = images.astype(jnp.float32)
    # Not in the bfloat16 or TF32 of an accelerator, which would lose the last bits of a byte.
    for letters, weight in zip(("bij,bjwc->biwc", "bij,bhjc->bhic"), weights, strict=True):
        weight = jnp.broadcast_to(weight, (images.shape[0], *weight.shape[1:]))
        coarse = jnp.einsum(letters, weight, coarse, precision="highest")
    return jnp.clip(coarse, 0, 1).astype(images.dtype)


def contrast(images: jax.Array, *, factor) -> jax.Array:
    """Multiply the distance of each value from its image's and channel's mean by `factor`."""
    unit = images.astype(jnp.float32)
    mean = unit.mean((1, 2), keepdims=True)
    return jnp.clip(mean + (unit - mean) * per_image(factor, images), 0, 1).astype(images.dtype)


def brightness(images: jax.Array, *, shift) -> jax.Array:
    """Add `shift` to each pixel's value, its greatest channel (the V of HSV), and clip to 0..1.

    Hue and saturation stay; of a grey image this is adding to its levels.
    """
    value = images.max(-1, keepdims=True).astype(jnp.float32)
    lighter = jnp.clip(value + per_image(shift, images), 0, 1)
    scaled = images * (lighter / jnp.where(value > 0, value, 1.0))
    return jnp.clip(jnp.where(value > 0, scaled, lighter), 0, 1).astype(images.dtype)


def quantise(images: jax.Array, *, levels) -> jax.Array:
    """Round to the nearest of `levels` (2 and more) grey levels from black to white."""
    steps = per_image(levels, images) - 1
    return (jnp.round(images * steps) / steps).astype(images.dtype)


def _cells(share: jax.Array, size: int) -> jax.Array:
    """Give the weights [b, size, size] of the pixels in the cell that each pixel lies in."""
    cells = jnp.floor(share * size)
    centres = jnp.arange(size, dtype=jnp.float32)[None] + 0.5
    cell = jnp.floor(centres * cells / size)
    same = (cell[:, :, None] == cell[:, None, :]).astype(jnp.float32)
    return same / same.sum(-1, keepdims=True)
