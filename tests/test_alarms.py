"""Alarms: each one rings for what it is for, and a healthy run rings none."""

import math
from types import SimpleNamespace

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import pytest

from configs import common
from fer_jax import metrics
from fer_jax.alarms import LEAST_SPREAD, Watch, condense, find_alarms, recon_spread
from fer_jax.data import Split
from fer_jax.evaluate import pad_split
from fer_jax.sharding import make_mesh

pytestmark = pytest.mark.usefixtures("quick_compile")

# Seven classes, ten validation faces of each: the prior's entropy is log 7, its accuracy 1/7.
FACTS = {"prior_entropy": math.log(7), "majority": 1 / 7, "recon_spread": None}
TRAINED = {"loss": 1.5}


def classified(*, right: int, loss: float | None) -> dict:
    """Summarise 70 faces: `right` of each class's 10, the others are called the next class."""
    confusion = right * np.eye(7, dtype=int) + (10 - right) * np.roll(np.eye(7, dtype=int), 1, 1)
    return {"loss": loss, "accuracy": right / 10, "confusion": confusion.tolist()}


def always(emotion: int, *, loss: float = 2.5) -> dict:
    confusion = np.zeros((7, 7), int)
    confusion[:, emotion] = 10
    return {"loss": loss, "accuracy": 1 / 7, "confusion": confusion.tolist()}


def reconstructed(loss: float | None = 0.56) -> dict:
    return {"loss": loss, "accuracy": None, "confusion": None}


@pytest.mark.parametrize(
    "trained, validation, facts",
    [
        (TRAINED, classified(right=5, loss=1.4), {}),
        # On its way down: the prior's loss, but faces are told apart.
        (TRAINED, classified(right=4, loss=math.log(7)), {}),
        # Blind, but not at the prior's loss: a bad start, which the next epochs may mend.
        (TRAINED, classified(right=1, loss=math.log(7) * 1.02), {}),
        (TRAINED, reconstructed(), {"recon_spread": 0.2}),
    ],
    ids=["learning", "passing the prior", "bad start", "denoising"],
)
def test_a_healthy_run_rings_none(trained, validation, facts):
    assert find_alarms(trained, validation, {**FACTS, **facts}) == []


@pytest.mark.parametrize(
    "trained, validation",
    [
        ({"loss": None}, classified(right=5, loss=1.4)),
        (TRAINED, classified(right=5, loss=None)),
        (TRAINED, reconstructed(None)),
    ],
)
def test_a_loss_that_is_no_number(trained, validation):
    assert find_alarms(trained, validation, FACTS) == ["nan: the loss is not a finite number"]


def test_one_predicted_class_is_named():
    assert find_alarms(TRAINED, always(3), FACTS) == [
        "collapse: every validation face is called happy"
    ]


def test_ferplus_has_an_eighth_class_with_a_name():
    counts = np.zeros((8, 8), int)
    counts[:, 7] = 10
    validation = {"loss": 2.5, "accuracy": 1 / 8, "confusion": counts.tolist()}
    assert find_alarms(TRAINED, validation, FACTS) == [
        "collapse: every validation face is called contempt"
    ]


@pytest.mark.parametrize("right, loss", [(1, math.log(7)), (1, math.log(7) * 0.996)])
def test_the_priors_loss_with_the_priors_accuracy(right, loss):
    # 1 of 10 right is less than 1/7 + .02.
    assert find_alarms(TRAINED, classified(right=right, loss=loss), FACTS) == [
        "collapse: the validation loss is the entropy of the class prior, 1.9459"
    ]


@pytest.mark.parametrize("spread", [0.0, LEAST_SPREAD / 2, math.nan])
def test_one_picture_for_every_face(spread):
    assert find_alarms(TRAINED, reconstructed(), {**FACTS, "recon_spread": spread}) == [
        "collapse: the reconstruction is the same picture for every face"
    ]


def test_a_runs_alarms_stand_once_each_with_their_epochs():
    rows = [
        {"epoch": epoch, "alarms": alarms}
        for epoch, alarms in enumerate([["a"], ["a", "b"], ["a"], ["c"], [], ["c"]], start=1)
    ]
    assert condense(rows) == ["a (epochs 1-3)", "b (epoch 2)", "c (2 epochs in 4-6)"]
    assert condense([{"epoch": 1, "alarms": []}]) == []


class Mean(nn.Module):
    """Classify by how bright a face is; reconstruct it, or the same grey for every face."""

    constant: bool = False

    @nn.compact
    def __call__(self, x, *, train):
        recon = jnp.full(x.shape, 0.5) if self.constant else x
        logits = x.mean(axis=(1, 2, 3))[:, None] * jnp.arange(7.0)[None]
        return logits, {"recon": recon}


class Denoiser(nn.Module):
    """Give a face back as it was seen, as logits."""

    @nn.compact
    def __call__(self, x, *, train):
        return jnp.log(x + 1e-3) - jnp.log(1 + 1e-3 - x), {"recon": x}


def make_run(model, **fields):
    # 12 faces, half of which are of class 2: 6 and six times 1.
    generator = np.random.default_rng(0)
    labels = np.array([2] * 6 + [0, 1, 3, 4, 5, 6], np.int32)
    images = generator.integers(0, 256, (12, 8, 8, 1), np.uint8)
    split = Split(images, labels, np.arange(12, dtype=np.uint32), np.full(12, -1))
    config = common.get_config()
    config.update(fields)
    run = SimpleNamespace(model=model, config=config, splits={"validation": split})
    return run, pad_split(split, make_mesh(1), batch_size=8)


@pytest.mark.parametrize(
    "share, n, noisy", [(0.0, 12, False), (0.5, 24, True), (1.0, 12, True)]
)
def test_a_run_is_validated_on_faces_like_those_it_trains_on(share, n, noisy):
    watch = Watch(*make_run(Mean(), train_distortion=share))
    summary, facts = watch.validate({})
    clean, _ = Watch(*make_run(Mean(), train_distortion=0.0)).validate({})
    assert summary["n"] == n
    assert (summary["loss"] != clean["loss"]) == noisy
    # 1/2 log 2 + 1/2 log 12
    assert facts["prior_entropy"] == pytest.approx((math.log(2) + math.log(12)) / 2)
    assert (facts["majority"], facts["recon_spread"]) == (0.5, None)


def test_a_denoiser_is_watched_for_its_spread():
    run = make_run(Denoiser(), task="denoise", train_distortion=1.0)
    summary, facts = Watch(*run).validate({})
    assert summary["accuracy"] is None
    # Bytes drawn uniformly: standard deviation 1 / sqrt(12), over the first batch's 8 faces.
    assert facts["recon_spread"] == pytest.approx(1 / math.sqrt(12), abs=0.05)


def test_spread_is_measured_without_the_padding():
    run, _ = make_run(Mean())
    split = run.splits["validation"]
    padded = pad_split(split, make_mesh(1), batch_size=16)
    expected = np.std(split.images / 255, axis=0).mean()
    assert recon_spread({}, padded, model=Mean()) == pytest.approx(expected, rel=1e-5)
    assert recon_spread({}, padded, model=Mean(constant=True)) == 0
