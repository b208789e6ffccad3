"""A model card: what a finished run was trained on, what it reaches and where its limits lie."""

from typing import Any

# What a card takes from the results as it stands there.
_TAKEN = (
    "run", "model", "variant", "dataset", "protocol", "split_sizes", "split_classes", "seed",
    "epochs", "best_epoch", "weights", "parameters", "versions", "commit", "device", "command",
    "config_hash", "upstream", "alarms",
)


def describe(held: dict[str, Any]) -> dict[str, Any]:
    """Give the card of a run's results.json as plain JSON values; every number is from there.

    `evaluations` are those of the weights that the run is used with.
    """
    taken = {name: held[name] for name in _TAKEN if name in held}
    chosen = [entry for entry in held["evaluations"] if "weights" not in entry]
    return {**taken, "evaluations": chosen, "train_seconds": held["cost"].get("train_seconds")}


def write_card(card):
    return "stub"
