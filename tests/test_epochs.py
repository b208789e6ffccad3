"""What an epoch means: the numbers alone, without training anything."""

import math

import numpy as np
import pytest

from fer_jax import epochs, metrics
from tests import tiny_study


def close(losses, *, trained=1.0, **stopping):
    """Close an epoch for each validation loss; return the loop's numbers after each."""
    config = tiny_study.get_config("linear")
    config.early_stopping.update(stopping)
    loop, seen = epochs.FRESH, []
    for step, loss in enumerate(losses, start=1):
        loop = epochs.close_epoch(config, loop, {"loss": trained}, {"loss": loss}, step=step)
        seen.append(loop)
    return seen


def test_the_best_epoch_is_the_first_of_the_lowest_and_patience_counts_from_it():
    first, second, third, fourth = close([2.0, 1.0, 1.0, 1.5], patience=2)
    assert [loop["best_epoch"] for loop in (first, second, third, fourth)] == [1, 2, 2, 2]
    assert [loop["stop"] for loop in (first, second, third, fourth)] == [False] * 3 + [True]
    assert (fourth["epoch"], fourth["best"], fourth["best_step"]) == (4, 1.0, 2)
    assert epochs.FRESH["epoch"] == 0, "it is shared by all runs"


def test_a_loss_of_nan_is_the_worst_and_ends_a_run_only_in_training():
    nan, number = close([None, 3.0])
    assert (nan["best"], nan["best_epoch"], nan["stop"]) == (None, 1, False)
    assert (number["best"], number["best_epoch"]) == (3.0, 2)
    assert close([1.0], trained=None)[0]["stop"]
    assert epochs.cost_of({"loss": None}, "loss") == math.inf
    # NaN logits call every face angry, and be it a better accuracy than any.
    assert epochs.cost_of({"loss": None, "accuracy": 0.9}, "accuracy") == math.inf


@pytest.mark.parametrize(
    "metric, best, stop",
    [
        ("loss", 1, 3),  # it only rises
        ("accuracy", 2, 4),  # the first of the greatest
        ("macro_f1", 3, 5),
        ("raw_accuracy", 4, None),  # falls, rises, falls
    ],
)
def test_any_metric_decides_the_best_epoch(metric, best, stop):
    config = tiny_study.get_config("linear")
    config.early_stopping.update({"metric": metric, "patience": 2, "min_delta": 0.01})
    columns = {
        "loss": [1.0, 1.1, 1.2, 1.3, 1.4],
        "accuracy": [0.3, 0.5, 0.5, 0.4, 0.505],  # the last is within min_delta
        "macro_f1": [0.1, None, 0.3, 0.2, 0.2],
        "raw_loss": [2.0, 2.0, 2.0, 2.0, 2.0],
        "raw_accuracy": [0.4, 0.3, 0.42, 0.5, 0.2],
    }
    loop, stopped = epochs.FRESH, None
    for i in range(5):
        validation = {name: values[i] for name, values in columns.items()}
        loop = epochs.close_epoch(config, loop, {"loss": 1.0}, validation, step=i)
        stopped = stopped or (i + 1 if loop["stop"] else None)
    assert (loop["best_epoch"], stopped) == (best, stop)
    assert loop["best"] == columns[metric][best - 1]


def test_every_named_metric_is_measured():
    confusion = metrics.empty(7).replace(counts=np.eye(7), n=7)
    measured = metrics.summarise(confusion)
    assert set(epochs.RISING) <= set(measured)
    assert epochs.merge_raw(measured, measured).keys() >= set(epochs.METRICS)


def test_a_row_has_what_decides_and_the_raw_weights_beside_their_average():
    summary = {"loss": 1.0, "accuracy": 0.5, "macro_f1": 0.4, "weighted_f1": 0.3}
    options = {"learning_rate": 0.1, "alarms": []}
    plain = epochs.describe_epoch(1, summary, summary, **options)
    assert set(plain) == {
        "epoch", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy",
        "learning_rate", "alarms",
    }
    raw = {f"raw_{name}": value / 2 for name, value in summary.items()}
    both = epochs.describe_epoch(1, summary, summary | raw, **options, watched=["macro_f1"])
    assert set(both) - set(plain) == {
        "validation_raw_loss", "validation_raw_accuracy", "validation_macro_f1",
    }
