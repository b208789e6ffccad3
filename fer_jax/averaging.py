"""The exponential moving average of the weights over training, as a step around a step."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from fer_jax.metrics import Confusion
from fer_jax.state import TrainState, variables

Step = Callable[[TrainState, Any, jax.Array], tuple[TrainState, Confusion]]


def averaged(step: Step, *, decay: float, accumulate: int = 1) -> Step:
    """Return a step that also moves the state's average of the weights (Polyak averaging).

    BatchNorm's running statistics are averaged with the parameters: the averaged network's
    activations are not those of the present one, and the average of the statistics lags behind as
    that of the weights does. Where `accumulate` batches make an update, only those count.
    """

    def step_and_average(state, batch, lr_scale):
        after, confusion = step(state, batch, lr_scale)
        count = after.step // accumulate
        rate = decay_after(count, decay=decay)
        if accumulate > 1:
            rate = jnp.where(after.step % accumulate == 0, rate, 1.0)
        ema = jax.tree.map(
            # In this form what never moves, a frozen part, stays to the bit.
            lambda average, value: average + (1 - rate) * (value - average),
            state.ema, variables(after),
        )
        return after._replace(ema=ema), confusion

    return step_and_average


def decay_after(count: jax.Array, *, decay: float) -> jax.Array:
    """Return the decay at the update of number `count`, from 1: `decay`, or less at first.

    With `min(decay, (1 + count) / (10 + count))`, as in TensorFlow's ExponentialMovingAverage, the
    average is over about the last ninth of the updates until `decay` is reached, so that short
    runs do not drag their random start along.
    """
    return jnp.minimum(decay, (1 + count) / (10 + count))
