"""Checkpoints of a run: the two newest and the best, by Orbax."""

import logging
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from orbax.checkpoint import v1 as ocp

from fer_jax.errors import UserError
from fer_jax.metrics import Confusion
from fer_jax.state import TrainState

NAME = "checkpoints"


class Saved(NamedTuple):
    """What a checkpoint holds: all that the loop needs to go on exactly where it was.

    Attributes:
      plateau: state of the reduce-on-plateau rule.
      totals: the confusion of the current epoch so far.
      loop: the loop's own numbers, as JSON.
    """

    state: TrainState
    plateau: Any
    totals: Confusion
    loop: dict[str, Any]


def open_checkpoints(workdir: Path) -> ocp.training.Checkpointer:
    """Open the run's checkpoints for saving; leftovers of a killed save are removed."""
    policies = ocp.training.preservation_policies
    return ocp.training.Checkpointer(
        Path(workdir).resolve() / NAME,
        preservation_policy=policies.AnyPreservationPolicy(
            [
                # Two, so that a damaged newest one has a predecessor.
                policies.LatestN(n=2),
                policies.BestN(
                    get_metric_fn=_rank, n=1, keep_checkpoints_without_metrics=False
                ),
            ]
        ),
        cleanup_tmp_directories=True,
    )


def save(checkpointer: ocp.training.Checkpointer, saved: Saved) -> None:
    """Start saving in the background; what stands there of the same step is replaced.

    The loop alone decides which step is the best (`loop["best_step"]`): that one is kept until a
    better one is saved.
    """
    step = int(saved.state.step)
    tree = _pack(saved)
    checkpointer.save_async(
        step,
        # A copy: on CPU the save may still read the buffers that the next step takes by donation.
        jax.tree.map(jnp.copy, tree),
        # Orbax by itself skips a save while another is under way, or if a later step is there.
        force=True,
        # It is there if it was damaged, so that the run went back and came by again.
        overwrite=any(checkpoint.step == step for checkpoint in checkpointer.checkpoints),
        custom_metadata=saved.loop | {"checksum": int(_checksum(tree))},
        metrics={"best_epoch": saved.loop["best_epoch"]}
        if step == saved.loop["best_step"]
        else None,
    )


def restore(
    checkpointer: ocp.training.Checkpointer, like: Saved, *, step: int | None = None
) -> Saved | None:
    """Read the newest readable checkpoint, or that of `step`, shaped and placed like `like`.

    A damaged one is named in a warning and the one before it is read. None if there is none.

    Raises:
      UserError: there are checkpoints, and none of them can be read.
    """
    candidates = [c for c in reversed(checkpointer.checkpoints) if step in (None, c.step)]
    abstract = jax.tree.map(_abstract, _pack(like))
    for candidate in candidates:
        try:
            tree = checkpointer.load(candidate.step, abstract)
            loop = dict(checkpointer.metadata(candidate.step).custom_metadata)
            actual = int(_checksum(tree))
            if loop.pop("checksum", actual) != actual:
                raise ValueError("its bytes have changed")
            if not loop:
                raise ValueError("its metadata are gone")
            return _unpack(tree, loop)
        except Exception as error:  # Orbax raises many kinds for a damaged file
            reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            logging.warning(
                "checkpoint %s of %s cannot be read (%s); trying the one before",
                candidate.step, checkpointer.directory, reason,
            )
    if candidates:
        raise UserError(
            f"none of the checkpoints in {checkpointer.directory} can be read; "
            "remove that folder to train this run anew"
        )
    return None


def load_variables(workdir: Path, *, step: int, like: dict[str, Any]) -> dict[str, Any]:
    """Read only `params` and `batch_stats` of a run's checkpoint, shaped and placed like `like`.

    Raises:
      UserError: there is no such checkpoint.
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
        return checkpointer.load(step, {"state": jax.tree.map(_abstract, like)})["state"]


def _rank(metrics: dict[str, int]) -> int:
    # Only steps that were the best of their time have a metric; Orbax keeps the greatest.
    return metrics["best_epoch"]


def _pack(saved: Saved) -> dict[str, Any]:
    state = saved.state._asdict() | {"key": jax.random.key_data(saved.state.key)}
    return {"state": state, "plateau": saved.plateau, "totals": saved.totals}


def _unpack(tree: dict[str, Any], loop: dict[str, Any]) -> Saved:
    state = tree["state"] | {"key": jax.random.wrap_key_data(tree["state"]["key"])}
    return Saved(TrainState(**state), tree["plateau"], tree["totals"], loop)


@jax.jit
def _checksum(tree: Any) -> jax.Array:
    # The stored arrays carry none of their own. A sum modulo 2**32 does not depend on its order.
    words = [jax.lax.bitcast_convert_type(leaf, jnp.uint8) for leaf in jax.tree.leaves(tree)]
    return sum(jnp.sum(word, dtype=jnp.uint32) for word in words)


def _abstract(leaf: jax.Array) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding)
