"""Name the commands: `python -m fer_jax`."""

from fer_jax.errors import UsageError, run_command

COMMANDS = {
    "fer_jax.main": "train, evaluate and report a config",
    "fer_jax.data.prepare": "read a dataset in whatever layout it came",
    "fer_jax.data.audit": "look for duplicates and leaks in a dataset",
    "fer_jax.summary": "show a config's network layer by layer",
    "fer_jax.pretrained": "show what a file of weights brings",
    "fer_jax.evaluate": "evaluate a finished run once more",
    "fer_jax.compare": "compare two finished runs face by face",
    "fer_jax.ensemble": "combine finished runs by every rule",
    "fer_jax.calibration": "measure a run's calibration and mend it",
    "fer_jax.feature_maps": "draw what a run's layers see, and saliency",
    "fer_jax.predict": "name the emotions in photos and videos",
    "fer_jax.export": "write a run as ONNX, StableHLO or safetensors",
    "fer_jax.model_card": "say what a model was trained on and reaches",
    "fer_jax.playground": "show on a local page what a bad picture does",
}


@run_command
def main() -> None:
    """Say that a command must be named, and which there are."""
    lines = [f"  python -m {name:<21} {purpose}" for name, purpose in COMMANDS.items()]
    raise UsageError("\n".join(["name a command (each has --help):", *lines]))


if __name__ == "__main__":
    raise SystemExit(main())
