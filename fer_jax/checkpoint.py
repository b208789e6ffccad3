"""Checkpoints of a run: the two newest and the best, by Orbax."""

import contextlib
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from orbax.checkpoint import v1 as ocp

from fer_jax import files, signals
from fer_jax.errors import UserError
from fer_jax.metrics import Confusion
from fer_jax.state import TrainState, variables

NAME = "checkpoints"
# Raise it when the code can no longer go on from what it saved before. The first did not say so.
SCHEMA = 1
# Bytes that are added up at a time, and that a save may hold beside the state's copy: without a
# limit Orbax has all of it compressed in memory once more.
PIECE, WRITING = 64 * 2**20, 128 * 2**20


class Saved(NamedTuple):
    """What a checkpoint holds: all that the loop needs to go on exactly where it was.

    Attributes:
      plateau: state of the reduce-on-plateau rule.
      totals: the confusion of the current epoch so far.
      loop: the loop's own numbers, as JSON.
      best: of a grid's points that train together, each one's best weights; else None.
    """

    state: TrainState
    plateau: Any
    totals: Confusion
    loop: dict[str, Any]
    best: dict[str, Any] | None = None


@contextlib.contextmanager
def open_checkpoints(workdir: Path) -> Iterator[ocp.training.Checkpointer]:
    """Open the run's checkpoints for saving; leftovers of a killed save are removed.

    Raises:
      OSError: a save failed, as on a full disk. Saves run in the background, so this may come from
        the next save, or at the end.
    """
    policies = ocp.training.preservation_policies
    folder = Path(workdir).resolve() / NAME
    policy = policies.AnyPreservationPolicy(
        [
            # Two, so that a damaged newest one has a predecessor.
            policies.LatestN(n=2),
            policies.BestN(get_metric_fn=_rank, n=1, keep_checkpoints_without_metrics=False),
        ]
    )
    with _disk_errors(folder):
        with signals.held_back():
            checkpointer = _Checkpointer(
                folder, preservation_policy=policy, cleanup_tmp_directories=True
            )
        try:
            yield checkpointer
        finally:
            with signals.held_back():
                checkpointer.close()


def save(checkpointer: ocp.training.Checkpointer, saved: Saved) -> None:
    """Start saving in the background; what stands there of the same step is replaced.

    The loop alone decides which step is the best (`loop["best_step"]`): that one is kept until a
    better one is saved.
    """
    step = int(saved.state.step)
    tree, ema = _pack(saved), saved.state.ema
    checkpointer.save_async(
        step,
        # A copy: on CPU the save may still read the buffers that the next step takes by donation.
        jax.tree.map(jnp.copy, tree),
        # Orbax by itself skips a save while another is under way, or if a later step is there.
        force=True,
        # It is there if it was damaged, so that the run went back and came by again.
        overwrite=any(checkpoint.step == step for checkpoint in checkpointer.checkpoints),
        custom_metadata=saved.loop | {
            "schema": SCHEMA,
            "checksum": _checksum(tree),
            "weights_checksum": _checksum(variables(saved.state)),
            **({} if ema is None else {"ema_checksum": _checksum(ema)}),
        },
        metrics={"best_epoch": saved.loop["best_epoch"]}
        if step == saved.loop["best_step"]
        else None,
    )


@signals.held_back()
def restore(
    checkpointer: ocp.training.Checkpointer, like: Saved, *, step: int | None = None
) -> Saved | None:
    """Read the newest readable checkpoint, or that of `step`, shaped and placed like `like`.

    A damaged one is named in a warning and the one before it is read. None if there is none.

    Raises:
      UserError: there are checkpoints, and none of them can be read, or the newest is of another
        schema.
    """
    candidates = [c for c in reversed(checkpointer.checkpoints) if step in (None, c.step)]
    abstract = jax.tree.map(_abstract, _pack(like))
    for candidate in candidates:
        try:
            loop = _read_loop(checkpointer, candidate.step)
            tree = checkpointer.load(candidate.step, abstract)
            _compare(tree, loop.pop("checksum", None))
            for name in ("weights_checksum", "ema_checksum"):
                loop.pop(name, None)
            return _unpack(tree, loop)
        except UserError:
            raise
        except Exception as error:  # Orbax raises many kinds for a damaged file
            logging.warning(
                "warning: checkpoint %s of %s cannot be read (%s); trying the one before",
                candidate.step, checkpointer.directory, _shorten(error),
            )
    if candidates:
        which = "none of the checkpoints" if step is None else f"checkpoint {step}, the best one,"
        raise UserError(
            f"{which} in {checkpointer.directory} can be read; "
            "remove that folder to train this run anew"
        )
    return None


@signals.held_back()
def load_variables(
    workdir: Path, *, step: int, like: dict[str, Any], average: bool = False
) -> dict[str, Any]:
    """Read only `params` and `batch_stats` of a run's checkpoint, shaped and placed like `like`.

    With `average`, those of the average of the weights.

    Raises:
      UserError: there is no such checkpoint, it is damaged or of another schema.
    """
    context = ocp.Context()
    context.pytree_options.loading.partial_load = True
    folder = Path(workdir).resolve() / NAME
    with ocp.training.Checkpointer(folder, context=context) as checkpointer:
        if all(checkpoint.step != step for checkpoint in checkpointer.checkpoints):
            raise UserError(
                f"{folder} has no checkpoint of step {step}, which holds that run's weights; "
                f"remove {workdir} and run it again"
            )
        try:
            loop = _read_loop(checkpointer, step)
            wanted = jax.tree.map(_abstract, like)
            held = checkpointer.load(step, {"state": {"ema": wanted} if average else wanted})
            held = held["state"]["ema"] if average else held["state"]
            _compare(held, loop.get("ema_checksum" if average else "weights_checksum"))
        except UserError:
            raise
        except Exception as error:  # Orbax raises many kinds for a damaged file
            raise UserError(
                f"checkpoint {step} of {folder}, which holds that run's weights, cannot be read "
                f"({_shorten(error)}); remove {workdir} and run it again"
            ) from error
        return held


def _read_loop(checkpointer: ocp.training.Checkpointer, step: int) -> dict[str, Any]:
    """Read what was saved beside the arrays.

    Raises:
      UserError: it is of a schema that this code does not read.
      ValueError: it is gone.
    """
    loop = dict(checkpointer.metadata(step).custom_metadata or {})
    if not loop:
        raise ValueError("its metadata are gone")
    schema = loop.pop("schema", 1)
    if schema != SCHEMA:
        raise UserError(
            f"checkpoint {step} of {checkpointer.directory} has schema {schema}, and this code "
            f"reads schema {SCHEMA}; go on with the code that saved it, or remove that folder to "
            "train this run anew"
        )
    return loop


def _compare(tree: Any, checksum: int | None) -> None:
    if checksum is not None and _checksum(tree) != checksum:
        raise ValueError("its bytes have changed")


def _shorten(error: Exception) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__


@contextlib.contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    """Turn TensorStore's ValueErrors about the disk into the OSErrors that they tell about."""
    try:
        with files.naming(folder):
            yield
    except ValueError as error:
        found = re.search(r"\[os_error_code='(\d+)'\]", str(error))
        if not found:
            raise
        code = int(found[1])
        raise OSError(code, os.strerror(code), str(folder)) from error


class _Checkpointer(ocp.training.Checkpointer):
    """Orbax's, that ends what each save begins.

    A save has a thread and an event loop until its result is asked for: over hundreds of epochs
    the process would run out of open files. Asking also raises the save's error for certain.
    """

    _pending = None

    def save_async(self, step, tree, **options):
        self.wait()
        context = ocp.Context(self._context)
        # Above the largest array, which Orbax would refuse; versions before the option have no limit.
        if hasattr(context, "memory_options"):
            largest = max((leaf.nbytes for leaf in jax.tree.leaves(tree)), default=0)
            context.memory_options.write_concurrent_bytes = max(WRITING, 2 * largest)
        with context:
            self._pending = super().save_async(step, tree, **options)
        return self._pending

    def wait(self):
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.result()
        super().wait()

    def close(self):
        try:
            self.wait()
        finally:
            super().close()


def _rank(metrics: dict[str, int]) -> int:
    # Only steps that were the best of their time have a metric; Orbax keeps the greatest.
    return metrics["best_epoch"]


def _pack(saved: Saved) -> dict[str, Any]:
    state = saved.state._asdict() | {"key": jax.random.key_data(saved.state.key)}
    if saved.state.ema is None:  # as it was before there were averages
        del state["ema"]
    tree = {"state": state, "plateau": saved.plateau, "totals": saved.totals}
    return tree if saved.best is None else tree | {"best": saved.best}


def _unpack(tree: dict[str, Any], loop: dict[str, Any]) -> Saved:
    state = tree["state"] | {"key": jax.random.wrap_key_data(tree["state"]["key"])}
    return Saved(TrainState(**state), tree["plateau"], tree["totals"], loop, tree.get("best"))


def _checksum(tree: Any) -> int:
    """Add up all bytes modulo 2**32: what is stored carries no checksum of its own."""
    # In pieces, because on CPU XLA writes down what it adds up, of all leaves of a program at once.
    pieces, size = [[]], 0
    for leaf in jax.tree.leaves(tree):
        if pieces[-1] and size + leaf.nbytes > PIECE:
            pieces, size = [*pieces, []], 0
        pieces[-1].append(leaf)
        size += leaf.nbytes
    return sum(int(_sum_bytes(piece)) for piece in pieces) % 2**32


@jax.jit
def _sum_bytes(leaves: list[jax.Array]) -> jax.Array:
    # A sum modulo 2**32 does not depend on its order.
    return sum((jnp.sum(_bytes_of(leaf), dtype=jnp.uint32) for leaf in leaves), jnp.uint32(0))


def _bytes_of(leaf: jax.Array) -> jax.Array:
    """Give numbers that add up as the leaf's bytes do, in little memory where it has four each."""
    if leaf.dtype.itemsize != 4:
        return jax.lax.bitcast_convert_type(leaf, jnp.uint8)
    word = jax.lax.bitcast_convert_type(leaf, jnp.uint32)
    pairs = (word & 0x00FF00FF) + ((word >> 8) & 0x00FF00FF)
    return (pairs & 0xFFFF) + (pairs >> 16)


def _abstract(leaf: jax.Array) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding)
