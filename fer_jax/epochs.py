"""What an epoch means for a run: the best one so far, when to stop, and the row that is logged."""

from collections.abc import Iterable
from typing import Any

from ml_collections import ConfigDict

# The loop's own numbers before the first epoch, as JSON; `Saved.loop` holds them.
FRESH = {"epoch": 0, "best": None, "best_epoch": 0, "best_step": 0, "stale": 0, "stop": False}

# The named metrics of `metrics.summarise`, and whether the best is the greatest.
RISING = {
    "loss": False, "accuracy": True, "balanced_accuracy": True, "macro_f1": True,
    "weighted_f1": True,
}
# Of the weights as they are trained, where the run is tested with their average.
RAW = "raw_"
METRICS = (*RISING, *(RAW + name for name in RISING))


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
    epoch is the best if its `best_epoch` is then its own number: it is by the metric
    `config.early_stopping.metric`, the earliest where several are equal.
    """
    epoch, metric = loop["epoch"] + 1, config.early_stopping.metric
    cost = cost_of(validation, metric)
    best = float("inf") if loop["best"] is None else _sign(metric) * loop["best"]
    improved = cost < best - config.early_stopping.min_delta or not loop["best_epoch"]
    closed = loop | {"epoch": epoch, "stale": 0 if improved else loop["stale"] + 1}
    if improved:
        value = None if cost == float("inf") else validation[metric]
        closed |= {"best": value, "best_epoch": epoch, "best_step": step}
    # Nothing comes back from NaN parameters, so going on would only burn time.
    closed["stop"] = closed["stale"] >= config.early_stopping.patience or trained["loss"] is None
    return closed


def cost_of(validation: dict[str, Any], metric: str) -> float:
    """Return what the plateau rule and early stopping minimise: less is better.

    The worst, infinity, if the metric is undefined or the loss is NaN: such logits are all called
    the first class, and that has an accuracy.
    """
    loss = RAW + "loss" if metric.startswith(RAW) else "loss"
    if validation[metric] is None or validation[loss] is None:
        return float("inf")
    return _sign(metric) * validation[metric]


def merge_raw(validation: dict[str, Any], raw: dict[str, Any]) -> dict[str, Any]:
    """Put the named metrics of the weights as they are trained beside those of their average."""
    return validation | {RAW + name: raw[name] for name in RISING}


def describe_epoch(
    epoch: int,
    trained: dict[str, Any],
    validation: dict[str, Any],
    *,
    learning_rate: float,
    alarms: list[str],
    watched: Iterable[str] = (),
) -> dict[str, Any]:
    """Return the row of metrics.jsonl, but for its times.

    `watched` are metrics that decide something; they are logged too.
    """
    logged = ["loss", "accuracy", RAW + "loss", RAW + "accuracy", *watched]
    return {
        "epoch": epoch,
        "train_loss": trained["loss"],
        "train_accuracy": trained["accuracy"],
        **{f"validation_{name}": validation[name] for name in logged if name in validation},
        "learning_rate": learning_rate,
        "alarms": alarms,
    }


def watched(config: ConfigDict) -> tuple[str, str]:
    """Return the metrics that decide over the best epoch and over the learning rate."""
    return config.early_stopping.metric, config.optim.plateau.metric


def _sign(metric: str) -> int:
    return -1 if RISING[metric.removeprefix(RAW)] else 1
