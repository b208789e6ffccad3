"""A Recognizer answers as the run's own evaluation did, whatever the number and size of faces."""

import subprocess
import sys

import numpy as np
import pytest

import fer_jax
from fer_jax import model_file, predictions
from fer_jax.data import EMOTIONS, load_splits
from fer_jax.errors import UserError
from fer_jax.recognizer import BATCHES, Recognizer
from fer_jax.trained import SHIPPED, load_trained
from tests.tiny_study import TINY


@pytest.fixture(scope="module")
def study(finished_study):
    return finished_study[0]


@pytest.fixture(scope="module")
def hybrid(study):
    return Recognizer.load(study / "A")


@pytest.fixture(scope="module")
def faces():
    splits = load_splits("synthetic", protocol="synthetic", sizes=TINY["data"]["sizes"])
    return splits["test"].images


def test_the_package_has_it_without_importing_jax():
    assert fer_jax.Recognizer is Recognizer
    light = "import sys, fer_jax; assert 'jax' not in sys.modules and 'numpy' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", light]).returncode == 0


def test_it_answers_as_the_run_was_evaluated(study, hybrid, faces):
    saved = predictions.load(study / "A" / "predictions" / "test.npz")
    answers = hybrid(faces)
    # Other batches are other sums: float32's rounding.
    np.testing.assert_allclose(answers.probabilities, saved.probabilities, atol=1e-5)
    np.testing.assert_array_equal(answers.emotion, saved.answers)
    assert answers.emotion.dtype == np.int32 and answers.noise.shape == (len(faces),)
    assert hybrid.labels == EMOTIONS and hybrid.image_shape == (48, 48, 1)
    assert hybrid.card["run"] == "A" and hybrid.config["model"]["name"] == "hybrid"


def test_padding_and_batches_change_nothing(hybrid, faces):
    many = np.concatenate([faces, faces, faces])[: BATCHES[-1] + 3]
    whole, single = hybrid(many), hybrid(many[-1:])
    assert whole.probabilities.shape == (67, 7)
    np.testing.assert_allclose(whole.probabilities[-1:], single.probabilities, atol=1e-6)
    none = hybrid([])
    assert none.probabilities.shape == (0, 7) and none.emotion.shape == none.noise.shape == (0,)


def test_sizes_and_colours_may_differ(hybrid, faces):
    grey = faces[0, ..., 0]
    large = grey.repeat(3, 0).repeat(2, 1)
    answers = hybrid([grey, large, np.stack([grey] * 3, -1)])
    # Each is the same face again, once the area is averaged.
    np.testing.assert_allclose(answers.probabilities[1:], answers.probabilities[:1].repeat(2, 0))


def test_the_dae_shows_what_it_makes_of_faces(study, hybrid, faces):
    recon = hybrid.denoise(faces[:3])
    assert recon.shape == (3, 48, 48, 1) and 0 <= recon.min() and recon.max() <= 1
    alone = Recognizer.load(study / "dae")
    # Hybrid A's DAE is the study's, frozen.
    np.testing.assert_allclose(alone.denoise(faces[:3]), recon, atol=1e-6)
    with pytest.raises(UserError, match="a DAE alone, which names no emotion"):
        alone(faces)


@pytest.mark.parametrize(
    "path, message",
    [
        (".", "is a study's; choose one of its runs"),
        ("none", "there is no model .*none; name a finished run's workdir or an exported"),
        ("A/checkpoints", "has no results.json"),
        ("A/results.json", "cannot be read as a model"),
    ],
)
def test_what_is_no_model_is_said(study, path, message):
    with pytest.raises(UserError, match=message):
        Recognizer.load(study / path)


def test_without_shipped_weights_a_model_must_be_named(monkeypatch, tmp_path):
    monkeypatch.setattr("fer_jax.trained.SHIPPED", tmp_path / "robust.safetensors")
    with pytest.raises(UserError, match="no shipped weights .* name a model"):
        load_trained()


def test_the_shipped_model_is_small_and_knows_seven_emotions():
    if not SHIPPED.is_file():
        pytest.skip(f"the shipped weights are not at {SHIPPED} yet")
    assert SHIPPED.stat().st_size < 2_000_000
    shipped = Recognizer.load()
    assert shipped.labels == EMOTIONS and shipped.reconstruct is None
    assert shipped.card["dataset"] == "fer2013"
    assert not any("collapse" in alarm for alarm in shipped.card["alarms"])
    model_file.load(SHIPPED)
    with pytest.raises(UserError, match="has no DAE"):
        shipped.denoise(np.zeros((1, 48, 48), np.uint8))
