"""Corrupt the faces of a split as FER2013-C does: on the device, or by the codec on the host."""

from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from fer_jax.data import Split
from fer_jax.data.jpeg import jpeg_faces
from fer_jax.evaluate import draw_keys
from fer_jax.ops.corruptions import CORRUPTIONS, corrupt_each
from fer_jax.steps import to_unit

BATCH = 256  # faces corrupted at once; their number changes none of them


def corrupt_split(
    split: Split, *, name: str, severity: int, draw: int = 0, seed: int = 0,
    folder: Path | None = None,
) -> np.ndarray:
    """Corrupt all faces of a split; gives u8 `[n, h, w, c]`.

    Each face has a draw of its own, keyed by the seed and its pixels. Draw 0 is the one that every
    other evaluation uses, and further ones fold their number into the same key.

    Args:
      name: a key of `ops.corruptions.CORRUPTIONS`.
      severity: 1 to 5.
      folder: where compressed faces are kept; None keeps none.
    """
    level = CORRUPTIONS[name].levels[severity - 1]
    if CORRUPTIONS[name].apply is None:
        return jpeg_faces(split.images, quality=int(level), folder=folder)
    n = len(split.labels)
    batches = []
    for start in range(0, n, BATCH):
        index = np.minimum(np.arange(start, start + BATCH), n - 1)
        corrupted = corrupt_batch(
            split.images[index], split.keys[index], level, np.uint32(draw), seed, name=name
        )
        batches.append(np.asarray(corrupted))
    return np.concatenate(batches)[:n]


def to_bytes(images: jax.Array) -> jax.Array:
    """Round images of 0..1 to u8, halves upwards."""
    # Means of a few bytes often lie half-way. A little more than a half sends them up on every
    # machine, whatever its last bit.
    return jnp.floor(images * 255 + 0.501).astype(jnp.uint8)


@partial(jax.jit, static_argnames="name")
def corrupt_batch(
    images: jax.Array, face_keys: jax.Array, level, draw, seed, *, name: str
) -> jax.Array:
    """Corrupt faces u8 `[b, h, w, c]`, known by the u32 hashes of their pixels `[b]`; gives u8.

    `level`, a number or `[b]`, is in the unit of the corruption `name`, which is not "jpeg"; `draw`
    and `seed` as in `corrupt_split`.
    """
    first = draw_keys(seed, face_keys)
    others = jax.vmap(jax.random.fold_in, in_axes=(0, None))(first, draw)
    keys = jnp.where(draw == 0, first, others)
    return to_bytes(corrupt_each(keys, to_unit(images), level, name=name))
