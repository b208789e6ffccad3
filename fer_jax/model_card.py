"""A model card: what a finished run was trained on, what it reaches and where its limits lie."""

from pathlib import Path
from typing import Any

from fer_jax import files
from fer_jax.arguments import Parser
from fer_jax.data.splits import class_names
from fer_jax.errors import run_command
from fer_jax.report.model_card import write_card

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
        "labels": list(class_names(held["dataset"], protocol=held["protocol"])),
        "image_shape": list(image_shape),
        "training": {name: config[name] for name in TRAINING if name in config},
        "evaluations": [{k: entry[k] for k in MEASURED if k in entry} for entry in seen],
        "train_seconds": held["cost"].get("train_seconds"),
    }


@run_command
def main(argv: list[str] | None = None) -> None:
    """Print the model card of a finished run or an exported .safetensors as Markdown."""
    parser = Parser("fer_jax.model_card", main.__doc__)
    parser.add_argument(
        "model", type=Path, metavar="MODEL", help="a finished run's workdir, or a .safetensors"
    )
    parser.add_argument("--out", type=Path, metavar="FILE.md", help="write it there instead")
    arguments = parser.parse_args(argv)
    from fer_jax.trained import load_trained  # which describes what it opens

    text = write_card(load_trained(arguments.model).card)
    if arguments.out is None:
        print(text, end="")
        return
    files.write_text(arguments.out, text)
    print(arguments.out)


if __name__ == "__main__":
    raise SystemExit(main())
