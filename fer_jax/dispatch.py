"""How steps reach the device: a donated state, a resident dataset, one or many steps a dispatch."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from fer_jax.data import Split
from fer_jax.metrics import Confusion
from fer_jax.sharding import put, replicated, split_batch
from fer_jax.state import TrainState
from fer_jax.steps import Batch, SoftBatch

Step = Callable[[TrainState, Batch, jax.Array], tuple[TrainState, Confusion]]


class Dispatch(NamedTuple):
    """One call: the state and the totals are donated, so the old ones are gone after it."""

    train: Callable[..., tuple[TrainState, Confusion]]
    steps: int


def make_dispatch(step: Step, mesh: Mesh, *, steps: int) -> Dispatch:
    """Compile `step` to run over index batches.

    `train(state, totals, faces, indices, lr_scale)` takes the whole dataset `faces` (a `Batch`
    that stays on the devices) and indices i32 `[steps, b]`, and returns the state after all steps
    and the totals with their confusions added. Without `faces` (None) the batches `[steps, b, ...]`
    themselves stand in the place of the indices.
    """
    steps = choose_steps(mesh, steps)

    def body(carry, chosen, *, faces, lr_scale):
        state, totals = carry
        batch = chosen if faces is None else jax.tree.map(lambda array: array[chosen], faces)
        batch = jax.lax.with_sharding_constraint(batch, split_batch(mesh))
        state, confusion = step(state, batch, lr_scale)
        return (state, totals + confusion), None

    @partial(jax.jit, donate_argnums=(0, 1), out_shardings=replicated(mesh))
    def train(state, totals, faces, indices, lr_scale):
        one = partial(body, faces=faces, lr_scale=lr_scale)
        if jax.tree.leaves(indices)[0].shape[0] == 1:
            return one((state, totals), jax.tree.map(lambda array: array[0], indices))[0]
        return jax.lax.scan(one, (state, totals), indices)[0]

    return Dispatch(train, steps)


def take_batches(indices: jax.Array, first: int, last: int) -> jax.Array:
    """Take batches of an epoch's `indices`, i32 `[last - first, b]`; compiled once a length.

    Python's slice would send its numbers to the device implicitly, which a transfer guard refuses.
    """
    place = put(np.int32(first), indices.sharding)
    return _take(indices, place, count=last - first)


@partial(jax.jit, static_argnames="count")
def _take(indices, first, *, count) -> jax.Array:
    return jax.lax.dynamic_slice_in_dim(indices, first, count)


def choose_steps(mesh: Mesh, steps: int) -> int:
    """Return the steps of one dispatch: those asked for, or of 0 what the backend does well.

    That is 1 on CPU, where XLA runs a convolution inside a scan about nine times slower, and 64
    elsewhere; the arithmetic is the same.
    """
    return steps or (1 if _on_cpu(mesh) else 64)


def choose_points(mesh: Mesh, points: int) -> int:
    """Return how many points of a grid at most train as one program; 0 leaves it to the backend.

    That is 1, each by itself, on CPU: XLA makes one grouped convolution of several, and four small
    convolutional networks (two layers, batch 32) took 2.3 times the processor's time that they take
    in turn; four perceptrons took .8 of it. Elsewhere it is 16, which no GPU has timed yet: each
    point has weights, optimizer and activations in the device's memory, so large networks on small
    devices need fewer.
    """
    return points or (1 if _on_cpu(mesh) else 16)


def _on_cpu(mesh: Mesh) -> bool:
    return mesh.devices.flat[0].platform == "cpu"


def put_faces(split: Split, mesh: Mesh) -> Batch | SoftBatch:
    """Put a whole split on every device, as the bytes it is stored in."""
    faces = Batch(split.images, split.labels)
    if split.targets is not None:
        faces = SoftBatch(*faces, split.targets)
    return put(faces, replicated(mesh))


def make_order(
    labels: np.ndarray, *, balance: str, batch_size: int
) -> Callable[[jax.Array, int], jax.Array]:
    """Return what draws an epoch's index batches from the state's key and the epoch's number.

    `balance` is "none", each example once an epoch, or "oversample", each class equally often; an
    epoch has as many steps either way, so that schedules mean the same.
    """
    n = len(labels)
    if balance == "none":
        return partial(epoch_indices, n=n, batch_size=batch_size)
    members = tuple(np.flatnonzero(labels == label) for label in np.unique(labels))
    return partial(balanced_indices, members=members, n=n, batch_size=batch_size)


@partial(jax.jit, static_argnames=("n", "batch_size"))
def epoch_indices(key: jax.Array, epoch: int, *, n: int, batch_size: int) -> jax.Array:
    """Draw the epoch's order of `n` examples as index batches i32 `[n // batch_size, batch_size]`.

    The few examples left over differ from epoch to epoch, since each has an order of its own.
    """
    order = jax.random.permutation(_epoch_key(key, epoch), n)
    return _in_batches(order, n, batch_size)


@partial(jax.jit, static_argnames=("n", "batch_size"))
def balanced_indices(
    key: jax.Array, epoch: int, members: tuple[jax.Array, ...], *, n: int, batch_size: int
) -> jax.Array:
    """Draw an epoch of `n` examples in which each class comes equally often, as index batches.

    `members` are the indices of each class's examples. Of each class there are n / classes, rounded
    up: whole random orders of its examples one after another, so that none is drawn twice more
    than another. Only the few left over after the last whole batch are missing.
    """
    shuffle_key, *keys = jax.random.split(_epoch_key(key, epoch), 1 + len(members))
    quota = -(-n // len(members))
    drawn = []
    for class_key, indices in zip(keys, members, strict=True):
        rounds = jax.random.split(class_key, -(-quota // len(indices)))
        orders = jax.vmap(partial(jax.random.permutation, x=jnp.asarray(indices)))(rounds)
        drawn.append(orders.ravel()[:quota])
    return _in_batches(jax.random.permutation(shuffle_key, jnp.concatenate(drawn)), n, batch_size)


def _epoch_key(key: jax.Array, epoch: int) -> jax.Array:
    # Steps fold the key with 0, 1, ...; counting epochs down from the top keeps the two apart.
    return jax.random.fold_in(key, jnp.uint32(2**32 - 1) - epoch)


def _in_batches(order: jax.Array, n: int, batch_size: int) -> jax.Array:
    return order[: n // batch_size * batch_size].reshape(-1, batch_size).astype(jnp.int32)
