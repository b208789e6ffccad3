"""A model card: what a finished run was trained on, what it reaches and where its limits lie."""

from fer_jax.commands.model_card import main

if __name__ == "__main__":  # before the imports that --help need not wait for
    raise SystemExit(main())

import re
from typing import Any

from fer_jax.data.splits import class_names

# What a card takes from the results as it stands there, and from the config in them.
TAKEN = (
    "run", "model", "variant", "dataset", "protocol", "split_sizes", "split_classes", "seed",
    "epochs", "best_epoch", "weights", "parameters", "versions", "commit", "device", "command",
    "config_hash", "upstream", "alarms",
)
TRAINING = (
    "batch_size", "optim", "augmentation", "distortion", "train_distortion", "train_strength",
    "loss", "ema", "preprocess",
)
# What a table of an evaluation needs.
MEASURED = (
    "split", "views", "distortion", "strength", "draws", "n", "loss", "accuracy", "accuracy_low",
    "accuracy_high", "balanced_accuracy", "macro_f1", "per_class", "confusion",
)


def describe(held: dict[str, Any], *, image_shape: tuple[int, int, int]) -> dict[str, Any]:
    """Give the card of a run's results.json as plain JSON values; every number is from there.

    `evaluations` are those of the weights that the run is used with, seen as the config says;
    those of a suite of corruptions are left out.
    """
    config = held["config"]
    seen = [
        entry for entry in held["evaluations"]
        if "weights" not in entry and "filter" not in entry and entry["draws"] == 1
        and entry["distortion"] in ("clean", config["distortion"]["name"])
        and entry["views"] == config["evaluation"]["views"]
    ]
    return {
        **{name: held[name] for name in TAKEN if name in held},
        "command": _without_places(str(held.get("command"))),
        "labels": list(class_names(held["dataset"], protocol=held["protocol"])),
        "image_shape": list(image_shape),
        "training": {name: config[name] for name in TRAINING if name in config},
        "evaluations": [{k: entry[k] for k in MEASURED if k in entry} for entry in seen],
        "train_seconds": held["cost"].get("train_seconds"),
    }


def _without_places(command: str) -> str:
    """Leave out of a command where on somebody's disk its folders stood."""
    command = re.sub(r"--workdir=/\S*/([^/\s]+)", r"--workdir=runs/\1", command)
    return re.sub(r" --data_dir=/\S+", "", command)
