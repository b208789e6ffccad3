"""How noisy a picture is, told from the picture alone."""

import jax
import jax.numpy as jnp
import numpy as np

# The difference of two Laplacians: blind to edges and to light that rises evenly.
_KERNEL = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)


def noise_level(images: jax.Array) -> jax.Array:
    """Estimate the standard deviation of the noise in images [b, h, w, c] in 0..1: f32 [b].

    Immerkaer's estimate (1996, "Fast noise variance estimation"): the mean of |x * K| over the
    inner pixels and channels, times sqrt(pi / 2) / 6, which is exact for Gaussian noise on an even
    or evenly rising grey. Fine texture counts as noise too, so that a clean picture does not give
    0. Raises ValueError for images smaller than 3x3.
    """
    height, width = images.shape[1:3]
    if min(height, width) < 3:
        raise ValueError(f"noise_level got {height}x{width} pixels; expected at least 3x3")
    images = images.astype(jnp.float32)
    filtered = sum(
        weight * images[:, i : i + height - 2, j : j + width - 2]
        for (i, j), weight in np.ndenumerate(_KERNEL)
    )
    return jnp.sqrt(jnp.pi / 2) / 6 * jnp.abs(filtered).mean(axis=(1, 2, 3))
