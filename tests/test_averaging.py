"""The average of the weights: its recurrence by hand, and what it leaves alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fer_jax.averaging import averaged, decay_after
from fer_jax.state import TrainState, evaluated, variables


def walk(state, batch, lr_scale):
    """Take a step that moves the weights by the batch, and the statistics by half of it."""
    params = state.params | {"w": state.params["w"] + lr_scale * batch}
    statistics = {"mean": state.batch_stats["mean"] + batch / 2}
    return state._replace(step=state.step + 1, params=params, batch_stats=statistics), batch


def start():
    weights = {"params": {"w": jnp.zeros(3), "frozen": jnp.full(3, 0.1)},
               "batch_stats": {"mean": jnp.ones(3)}}
    return TrainState(
        jnp.int32(0), weights["params"], weights["batch_stats"], (), jax.random.key(0), weights
    )


BATCHES = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)


@pytest.mark.parametrize("accumulate", [1, 3])
def test_the_recurrence_by_hand(accumulate):
    decay, step = 0.7, jax.jit(averaged(walk, decay=0.7, accumulate=accumulate))
    state, w, mean = start(), np.zeros(3), np.ones(3)
    average, mean_average, used = w, mean, set()
    for i, batch in enumerate(BATCHES, start=1):
        state, _ = step(state, batch, 1.0)
        w, mean = w + batch, mean + batch / 2
        if i % accumulate == 0:
            count = i // accumulate
            d = min(decay, (1 + count) / (10 + count))
            used.add(d == decay)
            average = d * average + (1 - d) * w
            mean_average = d * mean_average + (1 - d) * mean
        np.testing.assert_allclose(state.ema["params"]["w"], average, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(state.ema["batch_stats"]["mean"], mean_average, rtol=1e-4)
    # (1 + n) / (10 + n) passes .7 at n = 20: of 40 updates half have the whole decay, of 13 none.
    assert used == ({True, False} if accumulate == 1 else {False})
    # 40 times the average of a number with itself: it stays to the bit.
    np.testing.assert_array_equal(state.ema["params"]["frozen"], start().params["frozen"])
    assert evaluated(state) is state.ema and variables(state)["params"] is state.params


def test_a_short_run_forgets_its_start():
    kept = np.prod([float(decay_after(n, decay=0.9999)) for n in range(1, 51)])
    # (1+n)/(10+n) over n = 1..50 is 51! 10! / 60!; a decay of .9999 alone would keep 99.5 %.
    assert kept < 1e-9


def test_without_an_average_there_is_nothing():
    state = start()._replace(ema=None)
    assert len(jax.tree.leaves(state)) == 5  # step, w, frozen, mean, key
    jax.tree.map(np.testing.assert_array_equal, evaluated(state), variables(state))
