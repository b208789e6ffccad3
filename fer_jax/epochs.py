"""What an epoch means for a run: the best one so far, when to stop, and the row that is logged."""

from typing import Any

from ml_collections import ConfigDict

# The loop's own numbers before the first epoch, as JSON; `Saved.loop` holds them.
FRESH = {"epoch": 0, "best": None, "best_epoch": 0, "best_step": 0, "stale": 0, "stop": False}


def close_epoch(
    config: ConfigDict,
    loop: dict[str, Any],
    trained: dict[str, Any],
    validation: dict[str, Any],
    *,
    step: int,
) -> dict[str, Any]:
    """Return the loop's numbers after an epoch that ended with `step`.

    `trained` and `validation` are `metrics.summarise`'s of its training and validation faces. The
    epoch is the best if its `best_epoch` is then its own number.
    """
    epoch, monitored = loop["epoch"] + 1, validation["loss"]
    best = float("inf") if loop["best"] is None else loop["best"]
    improved = (
        monitored_value(validation) < best - config.early_stopping.min_delta
        or not loop["best_epoch"]
    )
    closed = loop | {"epoch": epoch, "stale": 0 if improved else loop["stale"] + 1}
    if improved:
        closed |= {"best": monitored, "best_epoch": epoch, "best_step": step}
    # Nothing comes back from NaN parameters, so going on would only burn time.
    closed["stop"] = closed["stale"] >= config.early_stopping.patience or trained["loss"] is None
    return closed


def monitored_value(validation: dict[str, Any]) -> float:
    """Return what the plateau rule and early stopping minimise; a loss of NaN is the worst."""
    return float("inf") if validation["loss"] is None else validation["loss"]


def describe_epoch(
    epoch: int,
    trained: dict[str, Any],
    validation: dict[str, Any],
    *,
    learning_rate: float,
    alarms: list[str],
) -> dict[str, Any]:
    """Return the row of metrics.jsonl, but for its times."""
    return {
        "epoch": epoch,
        "train_loss": trained["loss"],
        "train_accuracy": trained["accuracy"],
        "validation_loss": validation["loss"],
        "validation_accuracy": validation["accuracy"],
        "learning_rate": learning_rate,
        "alarms": alarms,
    }
