"""Noise that grows with the light: shot noise and speckle; the other kinds are distortions.

Images are floats [b, h, w, c] in 0..1; a parameter is one number or one an image [b], and may be
traced.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln, xlogy

from fer_jax.ops.distortion import per_image

# Counts that the table of Poisson distributions holds: a power of two. From `photons` on all are
# white, so it need not hold more than there may be photons.
MOST_PHOTONS = 512


def shot_noise(key: jax.Array, images: jax.Array, *, photons) -> jax.Array:
    """Count photons: draw each value from a Poisson distribution, and clip to 0..1.

    `photons`, above 0 and at most 512, is the expected count of white; fewer are noisier. Levels
    are taken to be one of the 256 values k/255. The draw is independent for each pixel and
    channel. Raises ValueError where a count that is not traced exceeds 512.
    """
    if not isinstance(photons, jax.core.Tracer) and np.max(photons) > MOST_PHOTONS:
        raise ValueError(f"shot noise of {photons} photons: give at most {MOST_PHOTONS}")
    photons = per_image(photons, images)
    shares = _poisson_shares(photons.reshape(-1))
    level = jnp.round(images.astype(jnp.float32) * 255).astype(jnp.int32)
    rows = jnp.arange(shares.shape[0]).reshape(-1, 1, 1, 1) * 256 + level
    draw = jax.random.uniform(key, images.shape)
    counts = _search(shares.reshape(-1, MOST_PHOTONS), rows, draw)
    return jnp.clip(counts / photons, 0, 1).astype(images.dtype)


def speckle_noise(key: jax.Array, images: jax.Array, *, sigma) -> jax.Array:
    """Multiply each value by 1 plus Gaussian noise of standard deviation `sigma`; clip to 0..1."""
    noise = jax.random.normal(key, images.shape, jnp.float32) * per_image(sigma, images)
    return jnp.clip(images * (1 + noise), 0, 1).astype(images.dtype)


def _poisson_shares(photons: jax.Array) -> jax.Array:
    """Give P(count <= n) for each of the 256 levels: [b, 256, MOST_PHOTONS]."""
    mean = photons[:, None, None] * jnp.arange(256).reshape(1, -1, 1) / 255
    n = jnp.arange(MOST_PHOTONS, dtype=jnp.float32).reshape(1, 1, -1)
    return jnp.cumsum(jnp.exp(xlogy(n, mean) - mean - gammaln(n + 1)), axis=-1)


def _search(shares: jax.Array, rows: jax.Array, draw: jax.Array) -> jax.Array:
    """Find the least count whose share reaches the draw, by halving.

    Eight times as quick as jax.random.poisson, whose loop runs until the last pixel has ended.
    """
    # Rounding may leave the last share a little below 1, and a draw above it.
    draw = jnp.minimum(draw, shares[rows, MOST_PHOTONS - 1])
    count = jnp.zeros(rows.shape, jnp.int32)
    step = MOST_PHOTONS // 2
    while step:
        count += jnp.where(shares[rows, count + step - 1] < draw, step, 0)
        step //= 2
    return count
