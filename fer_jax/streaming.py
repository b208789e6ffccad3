"""Batches of a dataset too large for the devices: read on the host while the step before runs."""

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import jax
import numpy as np
from jax.sharding import Mesh
from ml_collections import ConfigDict

from fer_jax.data import Split
from fer_jax.sharding import split_batch
from fer_jax.steps import Batch, SoftBatch

MEGABYTE = 10**6
AHEAD = 2  # dispatches whose batches wait on the devices


def streams(config: ConfigDict, split: Split) -> bool:
    """Tell whether the faces `split` are too many for `config.data.device_budget_mb`; 0 is none."""
    budget = config.data.device_budget_mb
    return bool(budget) and split.images.nbytes > budget * MEGABYTE


@contextmanager
def streamed(
    split: Split, indices: np.ndarray, mesh: Mesh, *, start: int, steps: int
) -> Iterator[Callable[[int, int], Batch | SoftBatch]]:
    """Read an epoch's batches from step `start` on in a thread, `AHEAD` of those that are taken.

    `indices` i32 `[n, b]` are the epoch's. Gives `take(first, last)`, the batches `[steps, b, ...]`
    of these steps on the devices, the batch shared among them; each process reads the faces of its
    own devices alone. They are taken in order, `steps` at a time. The thread ends with the block,
    however that ends.
    """
    places = [(i, min(i + steps, len(indices))) for i in range(start, len(indices), steps)]
    ready: queue.Queue = queue.Queue(maxsize=AHEAD)
    ended = threading.Event()

    def offer(item) -> None:
        while not ended.is_set():
            try:
                return ready.put(item, timeout=0.1)
            except queue.Full:
                continue

    def read() -> None:
        try:
            for first, last in places:
                if ended.is_set():
                    return
                offer(((first, last), put_batches(split, indices[first:last], mesh), None))
        except BaseException as error:  # the loop's to raise
            offer((None, None, error))

    def take(first: int, last: int):
        place, batches, error = ready.get()
        if error is not None:
            raise error
        assert place == (first, last), f"steps {place} are next, not {(first, last)}"
        return batches

    thread = threading.Thread(target=read, name="streaming", daemon=True)
    thread.start()
    try:
        yield take
    finally:
        ended.set()
        thread.join()


def put_batches(split: Split, indices: np.ndarray, mesh: Mesh) -> Batch | SoftBatch:
    """Put the batches `[steps, b, ...]` of index batches on the devices, each its share of `b`."""
    indices = np.asarray(indices)
    sharding = split_batch(mesh, axis=1)

    def shard(array, place):
        return array[indices[place[:2]]]

    def put(array):
        shape = (*indices.shape, *array.shape[1:])
        return jax.make_array_from_callback(shape, sharding, partial(shard, array))

    batches = Batch(put(split.images), put(split.labels))
    return batches if split.targets is None else SoftBatch(*batches, put(split.targets))
