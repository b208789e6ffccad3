"""Metrics: scikit-learn's numbers from one confusion matrix, and strict JSON where undefined."""

import json
import math

import jax.numpy as jnp
import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_jax import metrics
from fer_jax.metrics import Confusion

CLASSES = 7


def count(labels, predicted) -> Confusion:
    """Make the confusion of ids, by sharp logits."""
    logits = 9.0 * np.eye(CLASSES, dtype=np.float32)[predicted]
    return metrics.of_logits(jnp.asarray(logits), jnp.asarray(labels), jnp.ones(len(labels), bool))


def draw_ids(seed: int, *, classes=range(CLASSES), n: int = 200) -> np.ndarray:
    return np.random.default_rng(seed).choice(np.asarray(classes), n).astype(np.int32)


CASES = {
    "random": (draw_ids(0), draw_ids(1)),
    "class 1 is absent": (draw_ids(0, classes=[0, 2, 3, 4, 5, 6]), draw_ids(1)),
    "class 1 is never predicted": (draw_ids(0), draw_ids(1, classes=[0, 2, 3, 4, 5, 6])),
    "class 1 is neither": (draw_ids(0, classes=[0, 2, 6]), draw_ids(1, classes=[0, 4, 6])),
    "always class 3": (draw_ids(0), np.full(200, 3, np.int32)),
    "all right": (draw_ids(0), draw_ids(0)),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
def test_numbers_are_scikit_learns(case):
    labels, predicted = CASES[case]
    summary = metrics.summarise(count(labels, predicted))
    f1 = {
        average: sklearn.metrics.f1_score(labels, predicted, average=average, zero_division=0)
        for average in ("macro", "weighted")
    }
    expected = {
        "accuracy": sklearn.metrics.accuracy_score(labels, predicted),
        "balanced_accuracy": sklearn.metrics.balanced_accuracy_score(labels, predicted),
        "macro_f1": f1["macro"],
        "weighted_f1": f1["weighted"],
    }
    assert {name: summary[name] for name in expected} == pytest.approx(expected, abs=1e-12)
    confusion = sklearn.metrics.confusion_matrix(labels, predicted, labels=range(CLASSES))
    assert summary["confusion"] == confusion.tolist()


@pytest.mark.parametrize("case", CASES)
def test_per_class_numbers_are_scikit_learns_and_none_where_undefined(case):
    labels, predicted = CASES[case]
    per_class = metrics.summarise(count(labels, predicted))["per_class"]
    precision, recall, f1, _ = sklearn.metrics.precision_recall_fscore_support(
        labels, predicted, labels=range(CLASSES), zero_division=np.nan
    )
    for name, expected in (("precision", precision), ("recall", recall), ("f1", f1)):
        expected = [None if np.isnan(value) else pytest.approx(value) for value in expected]
        assert per_class[name] == expected, name


def test_padding_counts_for_nothing():
    labels, predicted = CASES["random"]
    logits = 9.0 * np.eye(CLASSES, dtype=np.float32)[predicted]
    logits[150:] = np.nan
    mask = np.arange(200) < 150
    confusion = metrics.of_logits(jnp.asarray(logits), jnp.asarray(labels), jnp.asarray(mask))
    padded, alone = map(metrics.summarise, (confusion, count(labels[:150], predicted[:150])))
    # The sum of 200 losses, 50 of them zero, may round otherwise than that of 150.
    assert padded.pop("loss") == pytest.approx(alone.pop("loss"), rel=1e-6)
    assert padded == alone


def test_merging_gives_the_whole():
    labels, predicted = CASES["random"]
    # 7 batches of unequal size.
    parts = np.array_split(np.arange(200), 7)
    merged = sum((count(labels[i], predicted[i]) for i in parts), start=metrics.empty(CLASSES))
    whole = count(labels, predicted)
    np.testing.assert_array_equal(merged.counts, whole.counts)
    assert int(merged.n) == int(whole.n) == 200
    # Sums of 200 float32 losses in another order.
    assert float(merged.loss) == pytest.approx(float(whole.loss), rel=1e-5)


def test_loss_is_the_mean_over_examples():
    # Logits 9 and six times 0: right costs log(1 + 6 e^-9), wrong 9 more.
    labels, predicted = np.array([0, 1, 2, 3]), np.array([0, 1, 2, 4])
    right = math.log(1 + 6 * math.exp(-9))
    assert metrics.summarise(count(labels, predicted))["loss"] == pytest.approx(right + 9 / 4)


def test_a_reconstruction_has_a_loss_and_no_accuracy():
    losses = jnp.array([0.5, 0.75, 99.0])
    confusion = metrics.of_losses(losses, jnp.array([True, True, False]), classes=CLASSES)
    summary = metrics.summarise(confusion)
    assert (summary["n"], summary["loss"]) == (2, 0.625)
    undefined = {name for name, value in summary.items() if value is None}
    assert undefined == {
        "accuracy", "accuracy_low", "accuracy_high", "balanced_accuracy", "macro_f1",
        "weighted_f1", "per_class", "confusion",
    }


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_a_loss_that_is_no_number_is_none_and_the_json_strict(broken):
    labels, predicted = CASES["class 1 is neither"]
    classified = count(labels, predicted).replace(loss=jnp.float32(broken))
    reconstructed = metrics.of_losses(jnp.array([broken]), jnp.array([True]), classes=CLASSES)
    for confusion in (classified, reconstructed, metrics.empty(CLASSES)):
        summary = metrics.summarise(confusion)
        assert summary["loss"] is None
        assert json.loads(json.dumps(summary, allow_nan=False)) == summary


@pytest.mark.parametrize(
    "correct, n, low, high",
    [
        # Newcombe 1998, table I, Wilson's score without continuity correction.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_matches_published_intervals(correct, n, low, high):
    assert metrics.wilson(correct, n) == pytest.approx((low, high), abs=5e-5)


@settings(deadline=None)  # a busy machine is no failure
@given(n=st.integers(1, 10**6), data=st.data())
def test_wilson_holds_the_share_and_is_symmetric(n, data):
    correct = data.draw(st.integers(0, n))
    low, high = metrics.wilson(correct, n)
    assert 0 <= low <= correct / n <= high <= 1
    mirrored = metrics.wilson(n - correct, n)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-12)


@pytest.mark.parametrize("correct, n", [(0, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_impossible_counts(correct, n):
    with pytest.raises(ValueError, match=f"got {correct} correct of {n}"):
        metrics.wilson(correct, n)


def test_prior_entropy_is_the_best_constant_models_loss():
    # Shares 1/2, 1/4, 1/4: 1/2 log 2 + 2/4 log 4 = 1.5 log 2; the absent classes add nothing.
    labels = np.array([0, 0, 3, 5])
    assert metrics.prior_entropy(labels, classes=CLASSES) == pytest.approx(1.5 * math.log(2))
