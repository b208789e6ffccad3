"""The PyPI `fer` row: faces as our own evaluation sees them, and numbers from probabilities."""

import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.pypi_fer import distorted_faces, score
from fer_jax.data import Split
from fer_jax.evaluate import draw_keys
from fer_jax.ops.distortion import distort_each


@pytest.fixture
def split() -> Split:
    images = np.random.default_rng(0).integers(0, 256, (5, 48, 48, 1), np.uint8)
    return Split(images, np.arange(5, dtype=np.int32), np.arange(5, dtype=np.uint32), np.arange(5))


def test_strength_zero_gives_the_bytes_back(split):
    np.testing.assert_array_equal(
        distorted_faces(split, strength=0.0, seed=0), split.images[..., 0]
    )


def test_faces_are_the_draw_of_our_own_evaluation(split):
    seen = distorted_faces(split, strength=0.3, seed=7)
    # One face alone, as any model of ours would get it: the batch must not matter.
    keys = draw_keys(7, jnp.asarray(split.keys[3:4]))
    ours = distort_each(keys, jnp.asarray(split.images[3:4]) / 255.0, 0.3, name="random_grey")
    np.testing.assert_allclose(seen[3] / 255.0, ours[0, ..., 0], atol=1e-6)
    changed = (seen != split.images[..., 0]).mean()
    assert 0.27 < changed < 0.33  # 0.3 of 11,520 pixels, standard deviation 0.004


def test_score_counts_and_survives_exact_zeros():
    probabilities = np.zeros((4, 7), np.float32)
    probabilities[np.arange(4), [0, 3, 3, 6]] = 1.0
    row = score(probabilities, np.array([0, 3, 4, 6], np.int32), 0.1)
    assert row["accuracy"] == 0.75
    assert row["confusion"][4][3] == 1
    # Three faces at p = 1 cost nothing; the fourth costs -ln(1e-7) = 16.118 nats.
    assert row["loss"] == pytest.approx(16.118 / 4, abs=1e-3)
    assert (row["distortion"], row["strength"]) == ("random_grey", 0.1)


def test_score_calls_strength_zero_clean():
    assert score(np.eye(7, dtype=np.float32), np.arange(7), 0.0)["distortion"] == "clean"
