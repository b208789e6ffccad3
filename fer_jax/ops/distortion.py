"""Distortions of face images: what makes a picture bad, as pure functions inside jit.

Every function takes float images [b, h, w, c] in 0..1 and gives the same shape, dtype and range.
A strength is one number for the batch or one an image [b]; it may be traced, so sweeping over
strengths compiles once. Strength 0 gives the images back exactly.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np


def distort(key: jax.Array, images: jax.Array, strength, *, name: str) -> jax.Array:
    """Distort a batch [b, h, w, c] with one key: the draw for training.

    `name` is a key of `DISTORTIONS`, or "clean", which gives the images back; `strength`, scalar
    or [b], is in the units of that distortion. Raises ValueError for an unknown name.
    """
    return _find(name)(key, images, strength)


def distort_each(keys: jax.Array, images: jax.Array, strength, *, name: str) -> jax.Array:
    """Distort images [b, h, w, c] with one key each, keys [b]: the draw for testing.

    `name` and `strength` as in `distort`. An image's result depends on its own key and strength
    alone, not on the batch around it. Raises ValueError for an unknown name.
    """
    return apply_each(_find(name), keys, images, strength)


def apply_each(op: Callable, keys: jax.Array, images: jax.Array, strength) -> jax.Array:
    """Apply `op(key, images, strength)` to images [b, h, w, c] with one key each, keys [b]."""

    def apply_one(key, image, strength):
        return op(key, image[None], strength)[0]

    strength_axis = 0 if jnp.ndim(strength) else None
    return jax.vmap(apply_one, in_axes=(0, 0, strength_axis))(keys, images, strength)


def random_grey(key: jax.Array, images: jax.Array, *, p) -> jax.Array:
    """Replace each pixel with probability `p` (0..1) by a random grey level.

    The level is uniform over the 256 values k/255 and the same in all channels of a pixel. This is
    the kind of distortion Li (2023) describes; the paper leaves its strength open.
    """
    where_key, level_key = jax.random.split(key)
    pixels = (*images.shape[:3], 1)
    replaced = jax.random.uniform(where_key, pixels) < per_image(p, images)
    levels = jax.random.bits(level_key, pixels, jnp.uint8).astype(images.dtype) / 255
    return jnp.where(replaced, levels, images)


def gaussian_noise(key: jax.Array, images: jax.Array, *, sigma) -> jax.Array:
    """Add Gaussian noise of standard deviation `sigma`, in units of the 0..1 range; clip to 0..1.

    The draw is independent for each pixel and channel. DisFER (2022) uses sigma 10, 20 and 30 on
    the 0..255 scale: 10/255, 20/255 and 30/255 here.
    """
    noise = jax.random.normal(key, images.shape, jnp.float32) * per_image(sigma, images)
    return jnp.clip(images + noise, 0, 1).astype(images.dtype)


def salt_pepper(key: jax.Array, images: jax.Array, *, p) -> jax.Array:
    """Turn each pixel with probability `p` (0..1) black or white, one as likely as the other.

    All channels of a pixel turn together. DisFER (2022) uses p = 0.02, 0.04 and 0.06.
    """
    draw = jax.random.uniform(key, (*images.shape[:3], 1))
    p = per_image(p, images)
    white_or_same = jnp.where(draw < p, jnp.ones_like(images), images)
    return jnp.where(draw < p / 2, jnp.zeros_like(images), white_or_same)


def gaussian_blur(images: jax.Array, *, sigma, max_sigma: float = 4.0) -> jax.Array:
    """Blur with a Gaussian of standard deviation `sigma`, in pixels, edges reflected.

    `max_sigma` is static and fixes the kernel's radius at three times itself. Reflection repeats
    the edge pixel (SciPy's "reflect"), so the mean of an image is kept. DisFER (2022) uses 0.8,
    1.1 and 1.4. Raises ValueError where a sigma that is not traced exceeds `max_sigma`; a traced
    one beyond it gets a truncated kernel.
    """
    if not isinstance(sigma, jax.core.Tracer) and np.max(sigma) > max_sigma:
        raise ValueError(
            f"blur sigma {sigma} exceeds max_sigma={max_sigma}: lower sigma or raise max_sigma"
        )
    sigma = per_image(sigma, images)
    radius = math.ceil(3 * max_sigma)
    weights = _gaussian_weights(sigma, radius)
    blurred = images.astype(jnp.float32)
    for axis in (1, 2):
        blurred = _weighted_shifts(blurred, weights, radius, axis)
    return jnp.clip(blurred, 0, 1).astype(images.dtype)


DISTORTIONS: dict[str, Callable] = {
    "random_grey": lambda key, images, strength: random_grey(key, images, p=strength),
    "gaussian": lambda key, images, strength: gaussian_noise(key, images, sigma=strength),
    "salt_pepper": lambda key, images, strength: salt_pepper(key, images, p=strength),
    "blur": lambda key, images, strength: gaussian_blur(images, sigma=strength),
}


# The greatest meaningful strength of each; a blur beyond it would lose the ends of its kernel.
STRONGEST = {"clean": 0.0, "random_grey": 1.0, "gaussian": 1.0, "salt_pepper": 1.0, "blur": 4.0}


def check_strength(name: str, strength: float) -> None:
    """Check a strength before it is traced, where no value can be looked at any more.

    Raises:
      ValueError: the strength is not in 0 to `STRONGEST[name]`.
    """
    if not 0 <= strength <= STRONGEST[name]:
        raise ValueError(f"{name} has strengths from 0 to {STRONGEST[name]:g}, not {strength:g}")


def _find(name: str) -> Callable:
    if name == "clean":
        return lambda key, images, strength: images
    if name not in DISTORTIONS:
        known = ", ".join(("clean", *DISTORTIONS))
        raise ValueError(f"unknown distortion {name!r}: choose one of {known}")
    return DISTORTIONS[name]


def per_image(strength, images: jax.Array) -> jax.Array:
    """Give a strength, scalar or [b], as float32 [b or 1, 1, 1, 1]; check shapes and dtype.

    Raises ValueError for images that are no floats [b, h, w, c], or as many strengths as do not
    fit them.
    """
    if images.ndim != 4 or not jnp.issubdtype(images.dtype, jnp.floating):
        raise ValueError(
            f"images are {images.dtype}{list(images.shape)}; expected floats [b, h, w, c] in 0..1:"
            " add the missing axis, or divide bytes by 255"
        )
    strength = jnp.asarray(strength, jnp.float32)
    if strength.shape not in ((), images.shape[:1]):
        raise ValueError(
            f"strength has shape {strength.shape}; expected one number or one for each of the"
            f" {images.shape[0]} images"
        )
    return strength.reshape(-1, 1, 1, 1)


def _gaussian_weights(sigma: jax.Array, radius: int) -> list[jax.Array]:
    """Give 2 * radius + 1 weights that sum to 1, each shaped like sigma; one spike at sigma 0."""
    safe = jnp.where(sigma > 0, sigma, 1.0)
    heights = [jnp.exp(-0.5 * (k / safe) ** 2) for k in range(-radius, radius + 1)]
    total = sum(heights)
    return [
        jnp.where(sigma > 0, height / total, float(k == 0))
        for k, height in zip(range(-radius, radius + 1), heights, strict=True)
    ]


def _weighted_shifts(images: jax.Array, weights: list, radius: int, axis: int) -> jax.Array:
    """Convolve along one axis as shifted multiply-adds: no batch size changes a sum's order."""
    widths = [(radius, radius) if i == axis else (0, 0) for i in range(4)]
    padded = jnp.pad(images, widths, mode="symmetric")
    size = images.shape[axis]
    return sum(
        weight * jax.lax.slice_in_dim(padded, start, start + size, axis=axis)
        for start, weight in enumerate(weights)
    )
