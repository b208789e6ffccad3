"""Saved predictions: they come back as they were, and only of the same faces are they compared."""

import numpy as np
import pytest

from fer_jax import predictions
from fer_jax.errors import UserError
from tests import told


def test_what_is_saved_comes_back(tmp_path):
    said = told.predictions(n=20, seed=3)
    path = tmp_path / "new" / "p.npz"
    predictions.save(path, said)
    held = predictions.load(path)
    assert (held.split, held.about) == (said.split, said.about)
    for name in ("probabilities", "labels", "rows", "keys"):
        np.testing.assert_array_equal(getattr(held, name), getattr(said, name))
        assert getattr(held, name).dtype == getattr(said, name).dtype


def test_accuracy_and_loss_are_those_of_the_answers():
    probabilities = np.array([[0.5, 0.5, 0], [0.2, 0.3, 0.5], [0, 0, 1], [1, 0, 0]], np.float32)
    said = told.predictions(probabilities, labels=[0, 1, 2, 0])
    # A tie goes to the first class, so the first face is right.
    assert said.right.tolist() == [True, False, True, True] and said.accuracy == 0.75
    assert said.loss == pytest.approx(-(np.log(0.5) + np.log(0.3)) / 4)
    # A probability of exactly 0 for the label costs much, but not infinity.
    assert np.isfinite(said._replace(labels=np.array([2, 0, 0, 1])).loss)


@pytest.mark.parametrize(
    "views, distortion, strength, name",
    [
        ("plain", "clean", 0.0, "test.npz"),
        ("flip", "clean", 0.0, "test-flip.npz"),
        ("plain", "random_grey", 0.05, "test-random_grey-0.05.npz"),
    ],
)
def test_each_evaluation_has_a_place_of_its_own(tmp_path, views, distortion, strength, name):
    entry = dict(split="test", views=views, distortion=distortion, strength=strength)
    assert predictions.place(tmp_path, entry) == tmp_path / "predictions" / name


def change(said, name, place):
    values = getattr(said, name).copy()
    values[place] += 1
    return said._replace(**{name: values})


@pytest.mark.parametrize(
    "other, message",
    [
        (lambda p: change(p, "labels", 4), "the labels differ at 1 of 20 places"),
        (lambda p: change(p, "rows", slice(0, 2)), "the faces' rows differ at 2 of 20 places"),
        (lambda p: change(p, "keys", 4), "the faces' pixels differ at 1 of 20"),
        (lambda p: p._replace(split="test"), "the split is validation and test"),
        (
            lambda p: p._replace(about=p.about | {"protocol": "keras80"}),
            "protocol is official and keras80",
        ),
        (lambda p: told.predictions(n=19), r"are \(20, 7\) and \(19, 7\)"),
        (
            lambda p: p._replace(probabilities=np.full((20, 7), np.nan, np.float32)),
            r"told gives faces no number \(NaN\)",
        ),
    ],
)
def test_other_faces_are_refused_and_the_difference_is_named(other, message):
    said = told.predictions(n=20)
    predictions.check_same_faces([said, said])
    with pytest.raises(UserError, match=message):
        predictions.check_same_faces([said, said, other(said)])


def test_only_validation_faces_may_be_fitted_on():
    predictions.check_validation("validation", "weights")
    for split in ("test", "train", "public", "private"):
        with pytest.raises(UserError, match=f"weights must come .* not from {split}"):
            predictions.check_validation(split, "weights")


def test_what_is_no_such_file_is_answered(tmp_path):
    with pytest.raises(UserError, match="there is no .*p.npz; python -m fer_jax.evaluate"):
        predictions.load(tmp_path / "p.npz")
    (tmp_path / "p.npz").write_bytes(b"half of a fi")
    with pytest.raises(UserError, match="does not hold saved predictions"):
        predictions.load(tmp_path / "p.npz")
    np.savez(tmp_path / "p.npz", rows=np.arange(3))
    with pytest.raises(UserError, match="does not hold saved predictions"):
        predictions.load(tmp_path / "p.npz")
