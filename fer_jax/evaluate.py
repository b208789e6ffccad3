"""Evaluate a model over a whole split; as a command, add an evaluation to a run's results."""

from fer_jax.commands.evaluate import main

if __name__ == "__main__":  # before the imports that --help need not wait for
    raise SystemExit(main())

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from fer_jax import metrics, processes
from fer_jax.data import Split
from fer_jax.metrics import Confusion
from fer_jax.preprocess import Preprocess, prepare
from fer_jax.sharding import put, split_batch
from fer_jax.steps import Batch, eval_step, to_unit


class Padded(NamedTuple):
    """A split on the devices in whole batches `[steps, b, ...]`; `mask` is false on padding."""

    batch: Batch
    keys: jax.Array
    mask: jax.Array


def evaluate(
    variables: dict[str, Any],
    padded: Padded,
    *,
    model: nn.Module,
    views: str = "plain",
    average: str = "probabilities",
    preprocess: Preprocess = Preprocess(),
    distortion: str = "clean",
    strength: float = 0.0,
    seed: int = 0,
    denoises: bool = False,
    classes: int = 7,
    advance: Callable[[], None] = lambda: None,
) -> tuple[Confusion, np.ndarray]:
    """Evaluate every face of a split once.

    Each face is distorted by its own draw, keyed by the seed and the face's pixels: the same for
    every model, layout and batch size. `advance` is called after each batch.

    Returns the confusion over all faces, and the probabilities `[n, k]` in the split's order
    (`[n, 0]` with `denoises`).
    """
    totals, probabilities = metrics.empty(classes), []
    for i in range(padded.mask.shape[0]):
        confusion, some = _evaluate_batch(
            variables, padded, i, strength, seed,
            model=model, views=views, average=average, preprocess=preprocess,
            distortion=distortion, denoises=denoises, classes=classes,
        )
        # Not inside the program: totals placed otherwise than its output would compile it twice.
        totals += confusion
        probabilities.append(processes.fetch(some))
        advance()
    return totals, np.concatenate(probabilities)[processes.fetch(padded.mask).ravel()]


def pad_split(split: Split, mesh: Mesh, *, batch_size: int) -> Padded:
    """Put a split on the devices in batches of `batch_size`, rounded up to share evenly."""
    batch_size = -(-batch_size // mesh.size) * mesh.size
    n = len(split.labels)
    steps = -(-n // batch_size)

    def batches(array):
        padding = np.zeros((steps * batch_size - n, *array.shape[1:]), array.dtype)
        return np.concatenate([array, padding]).reshape(steps, batch_size, *array.shape[1:])

    padded = Padded(
        Batch(batches(split.images), batches(split.labels)),
        batches(split.keys),
        batches(np.ones(n, bool)),
    )
    return put(padded, split_batch(mesh, axis=1))


@partial(jax.jit, static_argnames=("model", "preprocess"))
def reconstruct(
    variables: dict[str, Any],
    images: jax.Array,
    *,
    model: nn.Module,
    preprocess: Preprocess = Preprocess(),
) -> jax.Array:
    """Denoise faces `[b, h, w, c]`, u8 or 0..1, with a model that has a DAE; gives 0..1."""
    seen = prepare_faces(images, preprocess=preprocess)
    return model.apply(variables, seen, train=False)[1]["recon"]


def prepare_faces(images: jax.Array, *, preprocess: Preprocess = Preprocess()) -> jax.Array:
    """Turn stored faces `[b, h, w, c]`, u8 or 0..1, into what a network sees in testing."""
    unit = to_unit(images) if images.dtype == jnp.uint8 else images
    return prepare(unit, preprocess=preprocess)


def draw_keys(seed: jax.Array, face_keys: jax.Array) -> jax.Array:
    """Make the test-time keys `[b]` of faces from the seed and their u32 pixel hashes `[b]`."""
    return jax.vmap(partial(jax.random.fold_in, jax.random.key(seed)))(face_keys)


@partial(
    jax.jit,
    static_argnames=(
        "model", "views", "average", "preprocess", "distortion", "denoises", "classes"
    ),
)
def _evaluate_batch(variables, padded, i, strength, seed, **static):
    batch, face_keys, mask = jax.tree.map(lambda array: array[i], padded)
    keys = draw_keys(seed, face_keys)
    return eval_step(variables, batch, mask, keys, strength, **static)
