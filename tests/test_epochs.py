"""What an epoch means: the numbers alone, without training anything."""

import math

from fer_jax import epochs
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
    assert epochs.monitored_value({"loss": None}) == math.inf
