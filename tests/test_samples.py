"""The faces that a run keeps: chosen without looking, and bytes whatever broke."""

import jax
import jax.numpy as jnp
import numpy as np

from fer_jax import predictions, results, samples
from fer_jax.data import Split
from tests import tiny_study
from tests.tiny import make_parts
from tests.told import ABOUT


def test_samples_are_a_face_of_each_class_as_bytes_also_from_a_broken_dae(tmp_path):
    config = tiny_study.get_config("dae")
    split = results.load_data(config, None)["test"]
    model, _, state = make_parts(config, image_shape=(48, 48, 1))
    weights = {"params": state.params, "batch_stats": {}}
    samples.write_samples(config, tmp_path, weights, split, model=model)
    with np.load(tmp_path / "samples.npz") as held:
        assert sorted(held["labels"]) == sorted(set(split.labels.tolist()))
        k = len(held["labels"])
        for name in ("clean", "distorted", "recon"):
            assert held[name].shape == (k, 48, 48, 1) and held[name].dtype == np.uint8
        first = np.flatnonzero(split.labels == held["labels"][0])[0]
        np.testing.assert_array_equal(held["clean"][0], split.images[first])
        changed = (held["distorted"] != held["clean"]).mean()
        assert 0.2 < changed < 0.4  # random grey with p = .3 may draw a pixel's own grey
        assert str(held["name"]) == "random_grey" and float(held["strength"]) == np.float32(0.3)
    broken = jax.tree.map(lambda leaf: leaf * jnp.nan, weights)
    samples.write_samples(config, tmp_path, broken, split, model=model)
    with np.load(tmp_path / "samples.npz") as held:
        assert not held["recon"].any()


def test_examples_are_the_first_right_and_the_first_wrong_of_each_class(tmp_path):
    config = tiny_study.get_config("vgg")
    labels = np.array([0, 1, 0, 0, 1, 3], np.int32)
    answers = np.array([2, 1, 0, 0, 1, 0])
    images = np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1) * np.ones((4, 4, 1), np.uint8)
    split = Split(images, labels, np.arange(6, dtype=np.uint32), np.arange(6))
    probabilities = (0.3 * np.ones((6, 7)) / 6 + (0.7 - 0.05) * np.eye(7)[answers]).astype("f4")
    said = predictions.Predictions(
        probabilities, labels, split.rows, split.keys, split="test", about=ABOUT
    )
    samples.write_examples(config, tmp_path, {"test": split})
    assert not list(tmp_path.iterdir())  # no predictions were kept
    predictions.save(tmp_path / "predictions" / "test.npz", said)
    samples.write_examples(config, tmp_path, {"test": split})
    with np.load(tmp_path / "examples.npz") as held:
        # Right: face 2 of class 0, face 1 of class 1. Wrong: face 0 of class 0, face 5 of class 3.
        assert held["faces"][:, 0, 0, 0].tolist() == [2, 1, 0, 5]
        assert held["labels"].tolist() == [0, 1, 0, 3]
        assert held["predicted"].tolist() == [0, 1, 2, 0]
        np.testing.assert_allclose(held["confidence"], 0.7, rtol=1e-6)
        assert str(held["split"]) == "test"
