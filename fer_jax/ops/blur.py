"""Blur of a camera: out of focus, or moved; the Gaussian one is a distortion.

Images are floats [b, h, w, c] in 0..1; a parameter is one number or one an image [b], in pixels,
and may be traced.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.ndimage import map_coordinates

from fer_jax.ops.distortion import per_image

# Points a pixel and axis at which a disk's edge is looked at.
_POINTS = 9


def defocus_blur(images: jax.Array, *, radius, max_radius: float = 3.0) -> jax.Array:
    """Average over a disk of `radius` pixels, edges reflected with the edge pixel repeated.

    A pixel that the disk covers in part counts by the part covered, so that a fraction of a pixel
    more blurs more, and a radius below half a pixel changes nothing. `max_radius` is static and
    fixes the kernel's size. Raises ValueError where a radius that is not traced exceeds it.
    """
    if not isinstance(radius, jax.core.Tracer) and np.max(radius) > max_radius:
        raise ValueError(
            f"defocus radius {radius} exceeds max_radius={max_radius}: lower it or raise max_radius"
        )
    reach = math.ceil(max_radius)
    weights = _disk(per_image(radius, images), reach)
    widths = ((0, 0), (reach, reach), (reach, reach), (0, 0))
    padded = jnp.pad(images.astype(jnp.float32), widths, mode="symmetric")
    rows, columns = images.shape[1:3]
    total = sum(
        weights[:, i, j].reshape(-1, 1, 1, 1) * padded[:, i : i + rows, j : j + columns]
        for i in range(2 * reach + 1) for j in range(2 * reach + 1)
    )
    return jnp.clip(total, 0, 1).astype(images.dtype)


def motion_blur(images: jax.Array, *, sigma, angle, taps: int = 10) -> jax.Array:
    """Blur along one direction: half a Gaussian of `sigma` pixels, as a moving camera's trail.

    `angle`, in degrees, is 0 to the right and 90 downwards. The trail has `taps` points, one a
    pixel, read by bilinear interpolation; beyond the edge stands the edge pixel. The trail is
    one-sided, as in ImageNet-C, so that it also shifts the face a little.
    """
    sigma = per_image(sigma, images).reshape(-1)
    radians = jnp.deg2rad(per_image(angle, images).reshape(-1))
    b = images.shape[0]
    sigma, radians = jnp.broadcast_to(sigma, b), jnp.broadcast_to(radians, b)
    blurred = jax.vmap(lambda image, s, a: _trail(image, s, a, taps=taps))(
        images.astype(jnp.float32), sigma, radians
    )
    return jnp.clip(blurred, 0, 1).astype(images.dtype)


def random_motion_blur(
    key: jax.Array, images: jax.Array, *, sigma, max_angle: float = 45.0
) -> jax.Array:
    """Blur each image along a direction of its own, uniform in -max_angle..max_angle degrees."""
    angle = jax.random.uniform(key, images.shape[:1], minval=-max_angle, maxval=max_angle)
    return motion_blur(images, sigma=sigma, angle=angle)


def _disk(radius: jax.Array, reach: int) -> jax.Array:
    """Give the weights [b or 1, n, n] of disks, radius [b or 1, 1, 1, 1], n = 2 * reach + 1."""
    within = (np.arange(_POINTS) + 0.5) / _POINTS - 0.5
    offsets = np.arange(-reach, reach + 1)[:, None] + within
    squared = offsets[:, None, :, None] ** 2 + offsets[None, :, None, :] ** 2
    n = len(offsets)
    squared = jnp.asarray(squared.reshape(1, n, n, -1), jnp.float32)
    # Never empty: the point at the very centre lies in every disk.
    cover = jnp.mean(squared <= radius**2, axis=-1)
    return cover / cover.sum((1, 2), keepdims=True)


def _trail(image: jax.Array, sigma: jax.Array, angle: jax.Array, *, taps: int) -> jax.Array:
    steps = jnp.arange(taps, dtype=jnp.float32)
    weights = jnp.exp(-0.5 * (steps / jnp.maximum(sigma, 1e-6)) ** 2)
    weights = weights / weights.sum()
    rows, columns = jnp.meshgrid(*(jnp.arange(n, dtype=jnp.float32) for n in image.shape[:2]),
                                 indexing="ij")

    def shifted(channel, step):
        places = [rows + step * jnp.sin(angle), columns + step * jnp.cos(angle)]
        return map_coordinates(channel, places, order=1, mode="nearest")

    def blurred(channel):
        return sum(weights[i] * shifted(channel, steps[i]) for i in range(taps))

    return jax.vmap(blurred, in_axes=-1, out_axes=-1)(image)
