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


def test_a_label_thaws_at_its_epoch_at_the_schedules_rate_and_after_a_resume_alike():
    rules = (("^dae/", "dae"), (".*", "train"))
    optim = optim_config(
        rules=rules, learning_rate=0.1, rate_factors={"dae": 1.0}, thaw_epochs={"dae": 1.5},
        schedule="cosine",
    )
    # Half of three epochs of 4 steps: frozen in steps 0 to 5, half-way down the cosine at 6.
    tx = make_tx(optim, steps_per_epoch=4, epochs=3)
    step = jax.jit(lambda grads, state: tx.update(grads, state, PARAMS))
    ones, opt_state = jax.tree.map(jnp.ones_like, PARAMS), tx.init(PARAMS)
    huge = {**ones, "dae": jax.tree.map(lambda leaf: 1e6 * leaf, ones["dae"])}
    for i in range(7):
        if i == 3:  # what a checkpoint keeps: the arrays alone
            leaves, shape = jax.tree.flatten(jax.device_get(opt_state))
            opt_state = jax.tree.unflatten(shape, leaves)
        # Frozen gradients, whatever they are, are not remembered: Adam's moments of them would
        # make the first step after the thaw small.
        updates, opt_state = step(huge if i < 6 else ones, opt_state)
        rate = 0.1 * (1 + np.cos(np.pi * i / 12)) / 2
        np.testing.assert_allclose(updates["vgg"]["conv1_1"]["bias"], -rate, rtol=1e-4)
        for leaf in jax.tree.leaves(updates["dae"]):
            np.testing.assert_allclose(leaf, -rate if i == 6 else 0, rtol=1e-4)


def test_a_label_thaws_with_the_first_update_whose_batches_all_come_after():
    optim = optim_config(
        rules=(("^dae/", "dae"), (".*", "train")), learning_rate=0.1, rate_factors={"dae": 1.0},
        thaw_epochs={"dae": 1.25}, schedule="cosine", accumulate=2,
    )
    # After five batches of four an epoch: the update of batches 6 and 7, at the rate of batch 6.
    tx = make_tx(optim, steps_per_epoch=4, epochs=3)
    step = jax.jit(lambda state: tx.update(jax.tree.map(jnp.ones_like, PARAMS), state, PARAMS))
    opt_state = tx.init(PARAMS)
    for i in range(8):
        updates, opt_state = step(opt_state)
        expected = -0.05 if i == 7 else 0
        np.testing.assert_allclose(updates["dae"]["encode1"]["bias"], expected, rtol=1e-4)


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


def follow(optim, gradients, params, *, steps_per_epoch=4, epochs=10):
    """Give the parameters after updates along the given gradients."""
    tx = make_tx(optim, steps_per_epoch=steps_per_epoch, epochs=epochs)

    @jax.jit
    def step(params, opt_state, gradient):
        updates, opt_state = tx.update(gradient, opt_state, params)
        return optax.apply_updates(params, updates), opt_state

    opt_state = tx.init(params)
    for gradient in gradients:
        params, opt_state = step(params, opt_state, gradient)
    return params


def draw(count, *, seed=0):
    """Draw trees like PARAMS, with numbers of about one."""
    generator = np.random.default_rng(seed)
    return [
        jax.tree.map(lambda leaf: jnp.asarray(generator.normal(size=leaf.shape), "f4"), PARAMS)
        for _ in range(count)
    ]


PLAIN = {"name": "sgd", "momentum": 0.0, "learning_rate": 1.0, "schedule": "constant"}


def test_l2_is_the_gradient_of_its_term_in_the_loss():
    (params, gradient), l2 = draw(2), 0.05
    after = follow(optim_config(**PLAIN, l2=l2), [gradient], params)
    # At a rate of 1 the step is the whole gradient: the loss's, and that of l2 * sum(kernels**2).
    term = jax.grad(lambda p: l2 * sum(
        jnp.sum(layer["kernel"] ** 2) for part in p.values() for layer in part.values()
    ))(params)
    jax.tree.map(
        lambda new, old, g, t: np.testing.assert_allclose(new, old - (g + t), rtol=1e-5, atol=1e-6),
        after, params, gradient, term,
    )
    assert float(jnp.abs(term["vgg"]["conv1_1"]["kernel"]).max()) > 0.1
    assert not term["vgg"]["conv1_1"]["bias"].any()


EVERYTHING = {"l2": 0.05, "weight_decay": 0.1, "clip_norm": 0.5, "accumulate": 2}


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_frozen_parameters_stay_to_the_bit_under_decay_clipping_and_accumulation(name):
    rules = (("^dae/", "frozen"), (".*", "train"))
    optim = optim_config(name=name, rules=rules, **EVERYTHING)
    params, *gradients = draw(7)
    after = follow(optim, gradients, params)
    jax.tree.map(np.testing.assert_array_equal, after["dae"], params["dae"])
    assert all(jax.tree.leaves(jax.tree.map(
        lambda new, old: bool((new != old).all()), after["vgg"], params["vgg"]
    )))
    tx = make_tx(optim, steps_per_epoch=4, epochs=1)
    shapes = [leaf.shape for leaf in jax.tree.leaves(tx.init(PARAMS)) if leaf.ndim]
    # The VGG's alone: the mean gradient, and SGD's trace or Adam's two moments.
    assert sorted(shapes) == sorted([(2, 5), (5,)] * (2 if name == "sgd" else 3))


def test_clipping_takes_the_norm_of_all_that_trains_and_of_nothing_else():
    rules = (("^dae/.*bias", "frozen"), ("^dae/", "dae"), (".*", "train"))
    optim = optim_config(**PLAIN, rules=rules, rate_factors={"dae": 0.1}, clip_norm=1.0)
    gradient = jax.tree.map(jnp.ones_like, PARAMS)
    gradient["dae"]["encode1"]["bias"] *= 1e6
    after = follow(optim, [gradient], PARAMS)
    # 3 x 2 + 2 x 5 + 5 ones train, under two labels: their norm is the root of 21.
    step = 1 / np.sqrt(21)
    np.testing.assert_allclose(after["vgg"]["conv1_1"]["bias"], 1 - step, rtol=1e-5)
    np.testing.assert_allclose(after["dae"]["encode1"]["kernel"], 1 - 0.1 * step, rtol=1e-5)
    # Of a norm that is within the bound nothing is taken.
    small = jax.tree.map(lambda leaf: leaf * 1e-3, gradient)
    small["dae"]["encode1"]["bias"] *= 0
    np.testing.assert_allclose(
        follow(optim, [small], PARAMS)["vgg"]["conv1_1"]["bias"], 1 - 1e-3, rtol=1e-6
    )


def test_accumulated_batches_are_one_update_of_their_mean():
    fields = {"name": "adamw", "weight_decay": 0.1, "l2": 0.01, "clip_norm": 1.0,
              "schedule": "cosine", "learning_rate": 0.1}
    params, *gradients = draw(13)
    small = follow(
        optim_config(**fields, accumulate=3), gradients, params, steps_per_epoch=12, epochs=1
    )
    means = [
        jax.tree.map(lambda *leaves: sum(leaves) / 3, *gradients[i : i + 3])
        for i in range(0, 12, 3)
    ]
    whole = follow(optim_config(**fields), means, params, steps_per_epoch=4, epochs=1)
    # The cosine too: 12 batches or 4 larger ones are the same epoch, and rates are by the epoch.
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), small, whole)
    two = follow(optim_config(**fields, accumulate=3), gradients[:2], params)
    jax.tree.map(np.testing.assert_array_equal, two, params)


def test_the_steps_schedule_falls_after_epochs():
    fields = {"schedule": "step", "step_epochs": 2, "step_factor": 0.5}
    found = rates(steps=17, **fields)  # epochs of 4 steps
    assert found == pytest.approx([0.1] * 8 + [0.05] * 8 + [0.025], rel=1e-4)
    warm = rates(steps=9, **fields, warmup_epochs=0.5)
    assert warm == pytest.approx([0, 0.05, *[0.1] * 6, 0.05], rel=1e-4)


def test_a_decay_that_no_parameter_has_is_refused():
    tx = make_tx(optim_config(l2=1e-4, decay="kernels$"), steps_per_epoch=1, epochs=1)
    with pytest.raises(ValueError, match="config.optim.decay is 'kernels.'.*nothing would decay"):
        jax.eval_shape(tx.init, PARAMS)


def test_what_is_off_is_not_there():
    ours = make_tx(optim_config(), steps_per_epoch=4, epochs=10)
    plain = optax.partition({"train": optax.adam(1e-3, 0.9, 0.99, 1e-7)}, lambda params: (
        jax.tree.map(lambda leaf: "train", params)
    ))
    gradients = draw(3)
    held = ours.init(PARAMS), plain.init(PARAMS)
    assert [leaf.shape for leaf in jax.tree.leaves(held[0]) if leaf.ndim] == [
        leaf.shape for leaf in jax.tree.leaves(held[1]) if leaf.ndim
    ]
    for gradient in gradients:
        updates = []
        for i, tx in enumerate((ours, plain)):
            update, state = tx.update(gradient, held[i], PARAMS)
            held = (state, held[1]) if i == 0 else (held[0], state)
            updates.append(update)
        jax.tree.map(np.testing.assert_array_equal, *updates)
