"""Steps: their arithmetic by hand, what they draw, and one device against four."""

import math
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from configs import common
from fer_jax import losses, metrics, models, steps
from fer_jax.ops.mixing import random_mix
from fer_jax.optim import make_tx
from fer_jax.sharding import make_mesh, replicated, split_batch
from fer_jax.state import TrainState
from fer_jax.steps import (
    Batch, Inputs, Loss, SoftBatch, classify_step, denoise_step, draw_inputs, to_unit,
)
from tests.tiny import NETWORK, draw_batch, fill_state, make_parts

pytestmark = pytest.mark.usefixtures("quick_compile")

EVERYTHING = Inputs(
    augmentation=(
        ("crop_padding", 2), ("erase", 0.5), ("flip", True), ("rotate", (-20.0, 20.0)),
        ("shift", 0.1),
    ),
    distortion="random_grey",
    strength=(0.1, 0.6),
    share=0.5,
)
NOISE = Inputs(distortion="random_grey", strength=0.5, share=1.0)
SGD = optax.sgd(1.0)
BATCH = draw_batch()


class Constant(nn.Module):
    """Answer every face alike: logits w, every pixel's logit r; remember what was seen."""

    @nn.compact
    def __call__(self, x, *, train):
        seen = self.variable("batch_stats", "seen", jnp.zeros, x.shape)
        kept = self.variable("batch_stats", "kept", jnp.zeros, (64,))
        if train:
            seen.value = x
            kept.value = nn.Dropout(0.5, deterministic=False)(jnp.ones(64))
        w = self.param("w", nn.initializers.zeros, (7,))
        r = self.param("r", nn.initializers.zeros, ())
        logits = jnp.broadcast_to(w, (x.shape[0], 7))
        return logits, {"recon_logits": jnp.broadcast_to(r, x.shape)}


class Grey(nn.Module):
    """Reconstruct every pixel as the logit r."""

    @nn.compact
    def __call__(self, x, *, train):
        r = self.param("r", nn.initializers.zeros, ())
        return jnp.broadcast_to(r, x.shape), {}


def fresh(tx=SGD, *, step=0, seed=0) -> TrainState:
    params = {"w": jnp.zeros(7), "r": jnp.zeros(())}
    statistics = {"seen": jnp.zeros(BATCH.images.shape), "kept": jnp.zeros(64)}
    return TrainState(
        jnp.int32(step), params, statistics, tx.init(params), jax.random.key(seed)
    )


@partial(jax.jit, static_argnames=("inputs", "weight", "loss"))
def classify(state, batch, lr_scale, *, inputs=NOISE, weight=0.0, loss=Loss()):
    return classify_step(
        state, batch, lr_scale, model=Constant(), tx=SGD, inputs=inputs,
        reconstruction_weight=weight, loss=loss,
    )


def test_a_step_of_gradient_descent_by_hand():
    state, confusion = classify(fresh(), BATCH, 1.0)
    # At equal logits the gradient is 1/7 less the share of the class; the rate is 1.
    share = np.bincount(BATCH.labels, minlength=7) / 8
    np.testing.assert_allclose(state.params["w"], share - 1 / 7, atol=1e-6)
    assert int(state.step) == 1
    # Before the step: all logits 0, so the loss is log 7 and class 0 is predicted.
    summary = metrics.summarise(confusion)
    assert summary["loss"] == pytest.approx(math.log(7))
    assert summary["accuracy"] == pytest.approx(share[0])


def test_a_step_on_distributions_by_hand():
    targets = jnp.asarray(np.random.default_rng(0).dirichlet(np.ones(7), 8), jnp.float32)
    state, confusion = classify(fresh(), SoftBatch(*BATCH, targets), 1.0)
    # As with labels, with the mean distribution in place of the share of each class.
    np.testing.assert_allclose(state.params["w"], targets.mean(0) - 1 / 7, atol=1e-6)
    # What is counted are the labels, and the loss that of the labels.
    _, of_labels = classify(fresh(), BATCH, 1.0)
    jax.tree.map(np.testing.assert_array_equal, confusion, of_labels)


def test_a_step_on_accepted_labels_by_hand():
    targets = jnp.tile(jnp.array([0.0, 0.9, 0.0, 0.1, 0.0, 0.0, 0.0]), (8, 1))
    state = fresh()._replace(params={"w": jnp.array([2.0, 0, 0, 1, 0, 0, 0]), "r": jnp.zeros(())})
    before, shares = np.asarray(state.params["w"]), np.asarray(jax.nn.softmax(state.params["w"]))
    after, _ = classify(
        state, SoftBatch(*BATCH, targets), 1.0, loss=Loss(losses.any_label_cross_entropy)
    )
    # Of the accepted classes 1 and 3 the network holds 3 likelier, so 3 is learned.
    np.testing.assert_allclose(after.params["w"] - before, np.eye(7)[3] - shares, atol=1e-6)


def test_a_step_on_weighted_and_smoothed_labels_by_hand():
    weights = (0.5, 1.0, 2.0, 1.0, 1.0, 3.0, 1.0)
    state, confusion = classify(
        fresh(), BATCH, 1.0, loss=Loss(class_weights=weights, label_smoothing=0.2)
    )
    # Of a loss -sum w t log p at equal logits the gradient is sum(w t) / 7 - w t.
    targets = (0.8 * np.eye(7)[np.asarray(BATCH.labels)] + 0.2 / 7) * weights
    expected = (targets - targets.sum(1, keepdims=True) / 7).mean(0)
    np.testing.assert_allclose(state.params["w"], expected, atol=1e-6)
    # What is reported is the plain cross-entropy of the labels.
    _, of_labels = classify(fresh(), BATCH, 1.0)
    jax.tree.map(np.testing.assert_array_equal, confusion, of_labels)


@pytest.mark.parametrize("soft", [False, True])
def test_a_mixed_step_learns_the_targets_in_the_images_shares(soft):
    targets = jax.nn.one_hot(BATCH.labels, 7)
    # Brighter by number: what is seen at the first pixel says whose face it is.
    levels = jnp.arange(8, dtype=jnp.uint8) * 30
    batch = Batch(jnp.broadcast_to(levels.reshape(-1, 1, 1, 1), BATCH.images.shape), BATCH.labels)
    if soft:
        targets = jnp.asarray(np.random.default_rng(0).dirichlet(np.ones(7), 8), jnp.float32)
        batch = SoftBatch(*batch, targets)
    inputs = Inputs(mix=(("mixup", 1.0),))
    state, confusion = classify(fresh(), batch, 1.0, inputs=inputs)
    key = jax.random.split(jax.random.fold_in(fresh().key, 0))[0]
    seen, order, share = random_mix(
        jax.random.fold_in(key, steps.MIX), to_unit(batch.images), mixup=1.0
    )
    np.testing.assert_allclose(state.batch_stats["seen"], seen, atol=1e-6)
    mixed = share[:, None] * targets + (1 - share[:, None]) * targets[order]
    np.testing.assert_allclose(state.params["w"], mixed.mean(0) - 1 / 7, atol=1e-6)
    # Counted is the label of the larger part.
    larger = np.where(share >= 0.5, BATCH.labels, np.asarray(BATCH.labels)[order])
    np.testing.assert_array_equal(confusion.counts.sum(1), np.bincount(larger, minlength=7))


@pytest.mark.parametrize("scale", [0.5, 0.0])
def test_lr_scale_multiplies_the_update(scale):
    whole, _ = classify(fresh(), BATCH, 1.0)
    scaled, _ = classify(fresh(), BATCH, scale)
    np.testing.assert_allclose(scaled.params["w"], scale * whole.params["w"], atol=1e-7)


@pytest.mark.parametrize("weight", [0.0, 2.0])
def test_reconstruction_enters_the_loss_by_its_weight(weight):
    state, confusion = classify(fresh(), BATCH, 1.0, weight=weight)
    # The pixels' gradient at logit 0 is 1/2 less the mean of the clean face, not of the seen one.
    clean_mean = float(to_unit(BATCH.images).mean())
    assert float(state.params["r"]) == pytest.approx(weight * (clean_mean - 0.5), abs=1e-5)
    # 2,048 pixels summed in float32. What is reported stays the classifier's loss.
    assert metrics.summarise(confusion)["loss"] == pytest.approx(math.log(7))


def test_denoising_by_hand():
    state = fresh()._replace(params={"r": jnp.zeros(())}, batch_stats={})
    step = jax.jit(partial(denoise_step, model=Grey(), tx=SGD, inputs=NOISE))
    state, confusion = step(state, BATCH, 1.0)
    clean_mean = float(to_unit(BATCH.images).mean())
    assert float(state.params["r"]) == pytest.approx(clean_mean - 0.5, abs=1e-5)
    # Grey pictures cost log 2 a pixel, whatever the target.
    summary = metrics.summarise(confusion)
    assert (summary["n"], summary["accuracy"]) == (8, None)
    assert summary["loss"] == pytest.approx(math.log(2), rel=1e-5)


def test_micro_batches_are_one_batch_without_batch_norm():
    optim = common.get_config().optim
    optim.update({"name": "sgd", "learning_rate": 0.5, "rules": ((".*", "train"),)})
    optim.update({"clip_norm": 0.1, "schedule": "cosine"})
    plain = NOISE._replace(distortion="clean")

    def train(batches, accumulate):
        optim.accumulate = accumulate
        tx = make_tx(optim, steps_per_epoch=2 * accumulate, epochs=2)
        step = jax.jit(partial(
            classify_step, model=Constant(), tx=tx, inputs=plain, reconstruction_weight=1.0
        ))
        state = fresh(tx)
        for batch in batches:
            state, _ = step(state._replace(batch_stats={}), batch, 1.0)
        return state

    whole = [draw_batch(8, seed=i) for i in range(4)]
    parts = [jax.tree.map(lambda leaf: leaf[i : i + 2], b) for b in whole for i in (0, 2, 4, 6)]
    one, four = train(whole, 1), train(parts, 4)
    assert (int(one.step), int(four.step)) == (4, 16)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), one.params, four.params
    )
    assert float(jnp.abs(one.params["w"]).max()) > 0.01


def test_draws_depend_on_key_and_step_and_nothing_else():
    def drawn(state):
        after, _ = classify(state, BATCH, 1.0)
        return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(after.batch_stats)])

    first = drawn(fresh(step=5, seed=3))
    other_weights = fresh(step=5, seed=3)._replace(params={"w": jnp.ones(7), "r": jnp.ones(())})
    np.testing.assert_array_equal(drawn(other_weights), first)
    for other in (fresh(step=6, seed=3), fresh(step=5, seed=4)):
        seen, kept = BATCH.images.size, slice(None, 64)
        assert (drawn(other)[-seen:] != first[-seen:]).any(), "distortion"
        assert (drawn(other)[kept] != first[kept]).any(), "dropout"


@pytest.mark.parametrize("share, distorted", [(0.0, 0), (0.5, 4), (1.0, 8)])
def test_the_first_share_of_a_batch_is_distorted(share, distorted):
    inputs = NOISE._replace(share=share)
    seen, clean = draw_inputs(jax.random.key(0), BATCH.images, inputs=inputs)
    np.testing.assert_array_equal(clean, to_unit(BATCH.images))
    changed = np.asarray(seen != clean).any(axis=(1, 2, 3))
    # Half of 256 pixels redrawn: that a face stays whole has no chance.
    np.testing.assert_array_equal(changed, np.arange(8) < distorted)


def test_a_pair_of_strengths_draws_one_for_each_face():
    grey = jnp.full((8, 16, 16, 1), 128, jnp.uint8)
    inputs = Inputs(distortion="random_grey", strength=(0.1, 0.9), share=1.0)
    seen, clean = draw_inputs(jax.random.key(0), grey, inputs=inputs)
    shares = np.asarray(seen != clean).mean(axis=(1, 2, 3))
    # A share's own standard deviation is at most sqrt(.25 / 256) = .03.
    assert shares.min() > 0.1 - 0.1 and shares.max() < 0.9 + 0.1
    assert shares.std() > 0.1


def test_the_target_is_augmented_like_what_is_seen():
    seen, clean = jax.jit(partial(draw_inputs, inputs=EVERYTHING))(
        jax.random.key(0), BATCH.images
    )
    # The last half is not distorted, so there the two are one, and not the stored face.
    np.testing.assert_array_equal(seen[4:], clean[4:])
    assert np.asarray(clean != to_unit(BATCH.images)).any(axis=(1, 2, 3)).all()


def test_one_device_equals_four():
    """With BatchNorm, dropout, every augmentation and distortion, over three steps."""
    config = common.get_config()
    config.model.update({**NETWORK, "name": "hybrid"})
    # Plain descent: Adam's first updates are gradients' signs, and a sign of rounding is noise.
    tx = optax.sgd(0.05)
    model, _, state = make_parts(config)
    state = state._replace(opt_state=tx.init(state.params))
    step = partial(
        classify_step, model=model, tx=tx, inputs=EVERYTHING, reconstruction_weight=1.0
    )
    found = {}
    for devices in (1, 4):
        mesh = make_mesh(devices)
        run = jax.jit(step, out_shardings=replicated(mesh))
        placed = jax.device_put(state, replicated(mesh))
        losses = []
        for i in range(3):
            batch = jax.device_put(draw_batch(seed=i), split_batch(mesh))
            placed, confusion = run(placed, batch, 1.0)
            losses.append(float(confusion.loss))
        found[devices] = (losses, placed.params, placed.batch_stats)
    # Sums over the batch in another order: float32's 6e-8, grown over layers and steps.
    jax.tree.map(
        lambda one, four: np.testing.assert_allclose(one, four, rtol=1e-4, atol=1e-5),
        found[1], found[4],
    )
    moved = abs(found[1][1]["vgg"]["conv1_1"]["kernel"] - state.params["vgg"]["conv1_1"]["kernel"])
    assert moved.max() > 1e-3  # a hundred times the tolerance


def test_init_makes_a_state_and_takes_parameters_from_elsewhere():
    config = common.get_config()
    config.model.update({**NETWORK, "name": "hybrid"})
    from fer_jax.state import init_state

    model = models.build(config.model)
    initialise = partial(
        init_state, jax.random.key(0), model=model, tx=SGD, image_shape=(16, 16, 1)
    )
    abstract = jax.eval_shape(initialise)
    dae = fill_state(abstract).params["dae"]
    started = jax.jit(lambda start: initialise(start=start).params)({"params": {"dae": dae}})
    jax.tree.map(np.testing.assert_array_equal, started["dae"], dae)
    with pytest.raises(ValueError, match="brings 'params/dae/encode1/kernel' of shape"):
        jax.eval_shape(partial(initialise, start={"params": {"dae": {"encode1": dae["encode2"]}}}))
