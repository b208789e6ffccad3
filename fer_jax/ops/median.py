"""The median filter, the classic remedy against impulse noise."""

import jax
import jax.numpy as jnp


def median_filter(images: jax.Array, *, size: int) -> jax.Array:
    """Replace each value by the median of the `size` x `size` window around it.

    Images are [b, h, w, c] of any real dtype; beyond the edge stands the edge pixel. Raises
    ValueError for an even size.
    """
    if size < 1 or size % 2 == 0:
        raise ValueError(f"median_filter got size={size}; expected an odd one, as 3")
    reach = size // 2
    padded = jnp.pad(images, ((0, 0), (reach, reach), (reach, reach), (0, 0)), mode="edge")
    rows, columns = images.shape[1:3]
    window = jnp.stack([
        padded[:, i : i + rows, j : j + columns] for i in range(size) for j in range(size)
    ])
    return jnp.sort(window, axis=0)[size * size // 2]
