"""What a training step reads and returns, and how a fresh one is made."""

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from flax.traverse_util import flatten_dict, unflatten_dict


class TrainState(NamedTuple):
    """Everything that a step changes, and the key that it folds with the step.

    `ema` is the average over training of `params` and `batch_stats`, or None where there is none.
    """

    step: jax.Array
    params: Any
    batch_stats: Any
    opt_state: optax.OptState
    key: jax.Array
    ema: dict[str, Any] | None = None


def init_state(
    key: jax.Array,
    *,
    model: nn.Module,
    tx: optax.GradientTransformation,
    image_shape: tuple[int, int, int],
    start: dict[str, Any] | None = None,
    average: bool = False,
) -> TrainState:
    """Initialise parameters, running statistics and optimizer; pure, so it can be jitted.

    Args:
      key: the run's key; initialisation and training draw from different folds of it.
      image_shape: `(h, w, c)` of what the network sees of one face.
      start: arrays of `params` and `batch_stats` that replace those of the same name, nested as
        the model's; the others are drawn.
      average: the state also holds the average of the weights, which begins as they do.

    Raises:
      ValueError: an array of `start` is none of the model's, or of another shape.
    """
    init_key, train_key = jax.random.split(key)
    # A batch of two: BatchNorm's variance of one example is zero.
    variables = model.init(init_key, jnp.zeros((2, *image_shape)), train=False)
    variables = _graft(variables, start) if start else variables
    params, batch_stats = variables["params"], variables.get("batch_stats", {})
    weights = {"params": params, "batch_stats": batch_stats}
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        batch_stats=batch_stats,
        opt_state=tx.init(params),
        key=train_key,
        # Copied, because a step takes both by donation.
        ema=jax.tree.map(jnp.copy, weights) if average else None,
    )


def variables(state: TrainState) -> dict[str, Any]:
    """Return what `model.apply` takes: the weights as they are trained."""
    return {"params": state.params, "batch_stats": state.batch_stats}


def evaluated(state: TrainState) -> dict[str, Any]:
    """Return the weights that a run is evaluated with: their average if there is one."""
    return variables(state) if state.ema is None else state.ema


def _graft(variables: dict[str, Any], start: dict[str, Any]) -> dict[str, Any]:
    ours, given = flatten_dict(variables), flatten_dict(start)
    for path, array in given.items():
        expected = jnp.shape(ours[path]) if path in ours else None
        if jnp.shape(array) != expected:
            raise ValueError(
                f"config.init brings {'/'.join(path)!r} of shape {jnp.shape(array)}, and the "
                f"model's is {expected}; use the same model fields in both configs"
            )
    return unflatten_dict({**ours, **given})
