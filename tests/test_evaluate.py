"""Evaluation: counted by hand, and the same whatever the batch, its order and its padding."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fer_jax import evaluate as module
from fer_jax import metrics
from fer_jax.data import Split
from fer_jax.evaluate import draw_keys, evaluate, pad_split, reconstruct
from fer_jax.ops.distortion import distort_each
from fer_jax.sharding import make_mesh

pytestmark = pytest.mark.usefixtures("quick_compile")

ONE = make_mesh(1)


class Reader(nn.Module):
    """Read the class off a face's top left pixel: its logit is 2, the others' are 0."""

    @nn.compact
    def __call__(self, x, *, train):
        ids = jnp.round(255 * x[:, 0, 0, 0]).astype(jnp.int32)
        return 2.0 * jax.nn.one_hot(ids, 7), {}


class Pixels(nn.Module):
    """Answer with seven pixels of the face as logits: what was seen can be read from it."""

    @nn.compact
    def __call__(self, x, *, train):
        logits = x[:, 1, :7, 0]
        return logits, {"recon": 1 - x}


class Black(nn.Module):
    """Reconstruct a logit of -1 everywhere."""

    @nn.compact
    def __call__(self, x, *, train):
        return jnp.full(x.shape, -1.0), {}


def make_split(labels, images) -> Split:
    n = len(labels)
    keys = np.arange(n, dtype=np.uint32) + 2**31
    return Split(images, np.asarray(labels, np.int32), keys, np.full(n, -1))


@pytest.fixture(scope="module")
def readable() -> Split:
    """Five faces; the classifier reads 0 1 2 2 6 off them, and 0 1 3 3 3 off their mirror image."""
    images = np.zeros((5, 4, 8, 1), np.uint8)
    images[:, 0, 0, 0] = [0, 1, 2, 2, 6]
    images[:, 0, -1, 0] = [0, 1, 3, 3, 3]
    return make_split([0, 1, 2, 3, 0], images)


@pytest.fixture(scope="module")
def faces() -> Split:
    images = np.random.default_rng(0).integers(0, 256, (9, 4, 8, 1), np.uint8)
    return make_split(np.arange(9) % 7, images)


# Logits 2 and six times 0: the two probabilities there are, and their losses.
HIT, MISS = math.exp(2) / (math.exp(2) + 6), 1 / (math.exp(2) + 6)


@pytest.mark.parametrize("devices, batch_size", [(1, 2), (1, 5), (1, 64), (4, 2)])
def test_counts_and_loss_by_hand_with_a_padded_last_batch(readable, devices, batch_size):
    padded = pad_split(readable, make_mesh(devices), batch_size=batch_size)
    ticks = []
    confusion, probabilities = evaluate(
        {}, padded, model=Reader(), advance=lambda: ticks.append(1)
    )
    summary = metrics.summarise(confusion)
    # Right: faces 0, 1 and 2 of five. Read as class 0, padding would be right, too.
    assert (summary["n"], summary["accuracy"]) == (5, 0.6)
    assert summary["loss"] == pytest.approx(-(3 * math.log(HIT) + 2 * math.log(MISS)) / 5)
    expected = np.zeros((7, 7), int)
    expected[[0, 1, 2, 3, 0], [0, 1, 2, 2, 6]] = 1
    assert summary["confusion"] == expected.tolist()
    assert probabilities.shape == (5, 7)
    # A batch of 2 on four devices becomes one of 4.
    assert len(ticks) == padded.mask.shape[0] == math.ceil(5 / max(batch_size, devices))


def test_flip_averages_the_probabilities_of_face_and_mirror_image(readable):
    padded = pad_split(readable, ONE, batch_size=8)
    confusion, probabilities = evaluate({}, padded, model=Reader(), views="flip")
    read, mirrored = [0, 1, 2, 2, 6], [0, 1, 3, 3, 3]
    one_view = np.full((7, 7), MISS) + (HIT - MISS) * np.eye(7)
    expected = (one_view[read] + one_view[mirrored]) / 2
    np.testing.assert_allclose(probabilities, expected, rtol=1e-5)
    losses = -np.log(expected[np.arange(5), [0, 1, 2, 3, 0]])
    assert metrics.summarise(confusion)["loss"] == pytest.approx(losses.mean())


def test_a_reconstruction_is_measured_by_its_pixels_against_the_clean_face(faces):
    padded = pad_split(faces, ONE, batch_size=4)
    confusion, probabilities = evaluate(
        {}, padded, model=Black(), denoises=True, distortion="random_grey", strength=0.5
    )
    # Logit -1 costs log(1 + e^-1), and 1 more times the pixel.
    expected = math.log(1 + math.exp(-1)) + (faces.images / 255).mean()
    summary = metrics.summarise(confusion)
    assert summary["loss"] == pytest.approx(expected, rel=1e-5)
    assert (summary["n"], summary["accuracy"], probabilities.shape) == (9, None, (9, 0))


def seen_by_hand(split, *, seed, strength):
    keys = draw_keys(seed, split.keys)
    seen = distort_each(
        keys, jnp.asarray(split.images / 255, jnp.float32), strength, name="random_grey"
    )
    return jax.nn.softmax(seen[:, 1, :7, 0])


def test_a_faces_draw_depends_on_seed_and_face_alone(faces):
    expected = seen_by_hand(faces, seed=3, strength=0.5)
    back = Split(*(None if part is None else part[::-1] for part in faces))
    for split, order in ((faces, slice(None)), (back, slice(None, None, -1))):
        for devices, batch_size in ((1, 2), (1, 9), (4, 4)):
            padded = pad_split(split, make_mesh(devices), batch_size=batch_size)
            _, probabilities = evaluate(
                {}, padded, model=Pixels(), distortion="random_grey", strength=0.5, seed=3
            )
            np.testing.assert_allclose(probabilities[order], expected, rtol=1e-6)
    assert (abs(expected - seen_by_hand(faces, seed=4, strength=0.5)) > 0.01).any()
    assert (abs(expected - seen_by_hand(faces, seed=3, strength=0.0)) > 0.01).any()


def test_one_program_serves_all_batches_strengths_and_seeds(faces):
    padded = pad_split(faces, ONE, batch_size=3)
    before = module._evaluate_batch._cache_size()
    for strength, seed in ((0.1, 0), (0.7, 5)):
        evaluate(
            {}, padded, model=Pixels(), views="flip", distortion="gaussian", strength=strength,
            seed=seed,
        )
    assert module._evaluate_batch._cache_size() - before == 1


def test_reconstruct_takes_bytes_and_units(faces):
    of_bytes = reconstruct({}, jnp.asarray(faces.images), model=Pixels())
    of_units = reconstruct({}, jnp.asarray(faces.images / 255, jnp.float32), model=Pixels())
    np.testing.assert_allclose(of_bytes, 1 - faces.images / 255, atol=1e-6)
    np.testing.assert_allclose(of_units, of_bytes, atol=1e-6)
