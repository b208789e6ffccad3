"""Optimizers: whose parameter obeys which rule, what freezing keeps, and when the rate falls."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from configs import common
from fer_jax.errors import UserError
from fer_jax.optim import label_parameters, make_plateau, make_tx

PARAMS = {
    "dae": {"encode1": {"kernel": jnp.ones((3, 2)), "bias": jnp.ones(2)}},
    "vgg": {"conv1_1": {"kernel": jnp.ones((2, 5)), "bias": jnp.ones(5)}},
}


def optim_config(**fields):
    config = common.get_config().optim
    config.update(fields)
    return config


def train(tx, *, steps: int):
    """Take steps along gradients of one, and return parameters and optimizer state."""

    @jax.jit
    def step(params, opt_state):
        updates, opt_state = tx.update(jax.tree.map(jnp.ones_like, params), opt_state, params)
        return optax.apply_updates(params, updates), opt_state

    params, opt_state = PARAMS, tx.init(PARAMS)
    for _ in range(steps):
        params, opt_state = step(params, opt_state)
    return params, opt_state


def test_the_first_rule_that_is_found_decides():
    rules = (("^dae/", "slow"), ("kernel$", "train"), (".*", "frozen"))
    assert label_parameters(PARAMS, rules=rules) == {
        "dae": {"encode1": {"kernel": "slow", "bias": "slow"}},
        "vgg": {"conv1_1": {"kernel": "train", "bias": "frozen"}},
    }


def test_a_parameter_no_rule_covers_is_named():
    tx = make_tx(optim_config(rules=(("^dae/", "train"),)), steps_per_epoch=1, epochs=1)
    with pytest.raises(ValueError, match="covers the parameter 'vgg/conv1_1/bias'.*end the rules"):
        jax.eval_shape(tx.init, PARAMS)


def test_frozen_parameters_stay_to_the_bit_and_have_no_memory():
    rules = (("^dae/", "frozen"), (".*", "train"))
    tx = make_tx(optim_config(rules=rules), steps_per_epoch=1, epochs=5)
    params, opt_state = train(tx, steps=5)
    jax.tree.map(np.testing.assert_array_equal, params["dae"], PARAMS["dae"])
    for leaf in jax.tree.leaves(params["vgg"]):
        assert (leaf < 1).all()
    # Adam's two moments of the VGG's kernel and bias; the two counts (Adam's, the schedule's)
    # are scalars.
    shapes = [leaf.shape for leaf in jax.tree.leaves(opt_state) if leaf.ndim]
    assert sorted(shapes) == [(2, 5), (2, 5), (5,), (5,)]


def test_each_label_has_its_rate():
    rules = (("^dae/", "dae"), (".*", "train"))
    optim = optim_config(rules=rules, learning_rate=0.1, rate_factors={"dae": 0.1})
    params, _ = train(make_tx(optim, steps_per_epoch=1, epochs=1), steps=1)
    # Adam's first step is the rate, whatever the gradient's size.
    np.testing.assert_allclose(params["dae"]["encode1"]["bias"], 1 - 0.01, rtol=1e-5)
    np.testing.assert_allclose(params["vgg"]["conv1_1"]["bias"], 1 - 0.1, rtol=1e-5)


def test_a_label_without_a_factor_is_refused():
    optim = optim_config(rules=(("^dae/", "dea"), (".*", "train")), rate_factors={"dae": 0.1})
    with pytest.raises(UserError, match=r"label 'dea' without a factor.*Did you mean 'dae'\?"):
        make_tx(optim, steps_per_epoch=1, epochs=1)


@pytest.mark.parametrize("field, near", [("name", "adam"), ("schedule", "cosine")])
def test_unknown_names_are_answered_with_the_nearest(field, near):
    misspelt = near[1:]
    with pytest.raises(UserError, match=rf"optim.{field} is '{misspelt}'. Did you mean '{near}'"):
        make_tx(optim_config(**{field: misspelt}), steps_per_epoch=1, epochs=1)


def rates(*, steps, **fields):
    """Read the rate of each step off Adam's updates: with equal gradients they are the rate."""
    tx = make_tx(optim_config(learning_rate=0.1, **fields), steps_per_epoch=4, epochs=3)
    opt_state, found = tx.init(jnp.zeros(())), []
    for _ in range(steps):
        update, opt_state = tx.update(jnp.ones(()), opt_state, jnp.zeros(()))
        found.append(-float(update))
    return found


def test_the_constant_schedule():
    assert rates(steps=3, schedule="constant") == pytest.approx([0.1, 0.1, 0.1], rel=1e-4)


def test_warm_up_rises_to_the_rate():
    # Half an epoch of 4 steps: 0, a half, and then the whole.
    found = rates(steps=4, schedule="constant", warmup_epochs=0.5)
    assert found == pytest.approx([0, 0.05, 0.1, 0.1], rel=1e-4)


def test_the_cosine_falls_to_zero_with_the_last_step():
    found = rates(steps=13, schedule="cosine")
    expected = [0.1 * (1 + np.cos(np.pi * i / 12)) / 2 for i in range(13)]
    assert found == pytest.approx(expected, rel=1e-3, abs=1e-6)


def test_the_cosine_after_warm_up():
    found = rates(steps=12, schedule="cosine", warmup_epochs=0.5)
    rest = [0.1 * (1 + np.cos(np.pi * i / 10)) / 2 for i in range(10)]
    assert found == pytest.approx([0, 0.05, *rest], rel=1e-3, abs=1e-6)


def keras_scales(values, *, factor, patience, min_delta, min_scale):
    """Follow keras.callbacks.ReduceLROnPlateau (mode min, no cooldown) from a rate of 1."""
    scale, best, wait, found = 1.0, np.inf, 0, []
    for value in values:
        if value < best - min_delta:
            best, wait = value, 0
        else:
            wait += 1
            if wait >= patience:
                scale, wait = max(scale * factor, min_scale), 0
        found.append(scale)
    return found


# Improvements of .05 and of .005, rises, a long flat stretch, and an epoch of NaN as infinity.
LOSSES = [2.0, 1.95, 1.95, 1.945, 1.94, 1.94, 2.1, np.inf, 1.8, 1.8, 1.8, 1.8, 1.8, 1.8, 1.795, 1.7]


@pytest.mark.parametrize(
    "plateau",
    [
        {"factor": 0.5, "patience": 3, "min_delta": 1e-4, "min_scale": 0.0},
        {"factor": 0.5, "patience": 3, "min_delta": 0.01, "min_scale": 0.0},
        {"factor": 0.1, "patience": 1, "min_delta": 0.01, "min_scale": 0.005},
        {"factor": 0.5, "patience": 2, "min_delta": 0.0, "min_scale": 0.0},
        {"factor": 0.5, "patience": 0, "min_delta": 0.0, "min_scale": 0.0},
    ],
)
def test_the_plateau_is_keras(plateau):
    rule = make_plateau(optim_config(plateau=plateau).plateau)
    state, found = rule.init({}), []
    update = jax.jit(lambda state, value: rule.update({}, state, value=value)[1])
    for value in LOSSES:
        state = update(state, value)
        found.append(float(state.scale))
    assert found == pytest.approx(keras_scales(LOSSES, **plateau), rel=1e-6)
    assert found[-1] < 1  # it fired
