"""Time a trained network of ours against PyPI's `fer`: faces a second, from bytes to probabilities.

    python -m benchmarks.throughput runs/quick    # 2 minutes on a core, once fer is installed

Both sides classify the same u8 faces of 48x48 on all cores, in processes of their own, and take
turns, so that both see the same machine. Ours is called as its users call it, jitted; fer's is the
Keras network of `FER(use_tflite=False)` behind its own preprocessing, called by `predict` or
through `tf.function`, with the memory settings that ours has or without, whichever is fastest here.
Each side takes the batch in chunks of what is fastest. The accuracies beside the speeds are those
of the very calls that are timed, on the test faces of our run's protocol.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console

from benchmarks.pypi_fer import make_venv
from benchmarks.timing import compare_sides, make_table, summarise, try_in_turn
from benchmarks.workers import MEMORIES, Worker
from fer_jax import provenance, results
from fer_jax.arguments import Parser
from fer_jax.data.splits import EMOTIONS
from fer_jax.errors import UserError, run_command
from fer_jax.trained import Trained, load_trained
from fer_jax.writers import write_json

CHUNKS = (32, 64, 128, 256)  # faces a call: small ones stay in the processor's caches
SHAPE = (48, 48, 1)
NAMES = {"ours": "fer_jax", "fer": "PyPI fer"}


class Way(NamedTuple):
    """A way of classifying: a process, the memory settings it has, and how it is called."""

    worker: Worker
    memory: str
    form: dict[str, Any]

    def describe(self) -> dict[str, Any]:
        """Return what the result says of it."""
        return {"memory": self.memory, **self.form}


@run_command
def main(argv: list[str] | None = None) -> None:
    """Time both sides in turn; write and print faces a second, their ratio and accuracies."""
    flags = _parse_flags(argv)
    result = compare(flags)
    flags.out.parent.mkdir(parents=True, exist_ok=True)
    write_json(flags.out, result)
    print_table(result)
    print(f"wrote {flags.out}")
    print(f"ratio {result['ratio']:.3f}")


def compare(flags: argparse.Namespace) -> dict[str, Any]:
    """Start both sides, measure, and return what is written.

    Raises:
      UserError: there is no such model, it is not one of FER2013's faces, or fer cannot be
        installed.
    """
    trained = load_trained(flags.model)
    faces, labels = load_faces(trained, data_dir=flags.data_dir)
    if flags.batch > len(faces):
        raise UserError(f"--batch={flags.batch}: there are {len(faces)} test faces; take fewer")
    python = make_venv(flags.workdir / ".venv")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        path = str(Path(folder) / "faces.npz")
        np.savez(path, faces=faces)
        start = lambda *told, **options: stack.enter_context(Worker(*told, **options))  # noqa: E731
        ours = start("benchmarks.throughput_ours", path, str(flags.model))
        fers = {
            name: start("benchmarks.pypi_fer_time", path, python=python, environment=environment)
            for name, environment in MEMORIES.items()
        }
        measured = measure(ours, fers, labels, flags)
        parameters, versions = fers["default"]("parameters"), fers["default"]("versions")
    card, made_by = trained.card, provenance.describe()
    measured["ours"] |= {
        "run": card["run"], "model": card["model"], "parameters": sum(card["parameters"].values()),
    }
    measured["fer"] |= {
        "model": f"mini_XCEPTION {versions['fer']}", "variant": "float", "parameters": parameters,
    }
    return {
        "schema": 1,
        "benchmark": "throughput",
        "dataset": trained.config.data.dataset,
        "protocol": trained.config.data.protocol,
        "faces": len(faces),
        "batch": flags.batch,
        "rounds": flags.rounds,
        **made_by,
        "versions": made_by["versions"] | versions,
        **measured,
    }


def load_faces(trained: Trained, *, data_dir: Path | None) -> tuple[np.ndarray, np.ndarray]:
    """Load the test faces of a run, u8 `[n, 48, 48]`, and their labels `[n]`.

    Raises:
      UserError: its faces or classes are not those that fer's network knows.
    """
    if trained.labels != EMOTIONS or trained.image_shape != SHAPE:
        raise UserError(
            f"the model names {', '.join(trained.labels)} on faces of {trained.image_shape}; fer's "
            f"names {', '.join(EMOTIONS)} on faces of {SHAPE}: take a run on FER2013"
        )
    split = results.load_data(trained.config, data_dir)["test"]
    return np.asarray(split.images)[..., 0], split.labels


def measure(
    ours: Worker, fers: Mapping[str, Worker], labels: np.ndarray, flags: argparse.Namespace
) -> dict[str, Any]:
    """Find each side's fastest way, then let the two take turns.

    `fers` are fer's processes by their memory settings.
    """
    chunks = sorted({min(chunk, flags.batch) for chunk in CHUNKS})
    called = [("predict", flags.batch), *(("tf.function", chunk) for chunk in chunks)]
    ways = {
        "ours": [
            Way(ours, "kept", {"chunk": chunk})
            for chunk in ([flags.chunk] if flags.chunk else chunks)
        ],
        "fer": [
            Way(worker, memory, {"way": way, "chunk": chunk})
            for memory, worker in fers.items() for way, chunk in called
        ],
    }
    chosen, tried = {}, {}
    for side, candidates in ways.items():
        chosen[side], tried[side] = choose(candidates, batch=flags.batch, trials=flags.trials)
    load_before = os.getloadavg()[0]
    runs = {
        side: partial(way.worker, "run", batch=flags.batch, **way.form)
        for side, way in chosen.items()
    }
    for run in runs.values():
        run(count=flags.warm_up)
    times = {side: [] for side in runs}
    for _ in range(flags.rounds):
        for side, run in runs.items():
            times[side] += run(count=1)
    load = {"before": load_before, "after": os.getloadavg()[0]}
    costs = {
        side: summarise(times[side], way.worker("peak"), flags.batch)
        for side, way in chosen.items()
    }
    told = {
        side: {"accuracy": accuracy(way, labels), **way.describe()} for side, way in chosen.items()
    }
    return {
        **told,
        # Processes that wanted a core; the two sides take turns and are one of them.
        "cost": {"load": load, "loaded": load_before > 1.5, **costs, "tried": tried},
        **compare_sides(costs["ours"], costs["fer"]),
    }


def choose(ways: Sequence[Way], *, batch: int, trials: int) -> tuple[Way, list[dict[str, Any]]]:
    """Return the fastest way, and the median of each."""
    runs = [partial(way.worker, "run", batch=batch, **way.form) for way in ways]
    medians = try_in_turn(runs, trials=trials)
    said = [
        {**way.describe(), "median_ms": 1e3 * seconds}
        for way, seconds in zip(ways, medians, strict=True)
    ]
    return ways[medians.index(min(medians))], said


def accuracy(way: Way, labels: np.ndarray) -> float:
    """Return the share of all faces that a way names as they are labelled."""
    return float(np.mean(np.asarray(way.worker("classify", **way.form)) == labels))


def print_table(result: dict[str, Any]) -> None:
    """Print both sides: size, accuracy, speed and memory."""
    table = make_table(
        f"From bytes to probabilities, {result['batch']} faces at a time", "", "parameters",
        "accuracy", "faces/s", "ms", "least ms", "CPU ms", "peak MiB",
    )
    for side, name in NAMES.items():
        row, peak = result["cost"][side], result["cost"][side]["peak_memory_bytes"]
        table.add_row(
            name, f"{result[side]['parameters']:,}", f"{result[side]['accuracy']:.2%}",
            f"{row['images_per_second']:,.0f}",
            *(f"{row[key]:,.1f}" for key in ("median_ms", "least_ms", "processor_ms")),
            f"{peak / 2**20:,.0f}" if peak else "-",
        )
    called = "; ".join(
        f"{name}: {result[side].get('way', 'jitted')}, {result[side]['chunk']} faces a call, freed "
        f"memory {result[side]['memory']}"
        for side, name in NAMES.items()
    )
    table.caption = (
        f"{called}. Accuracy on {result['faces']:,} test faces of {result['dataset']}, "
        f"{result['protocol']}."
    )
    Console().print(table)


def _parse_flags(argv: list[str] | None) -> argparse.Namespace:
    parser = Parser("benchmarks.throughput", main.__doc__)
    parser.add_argument("model", type=Path, help="a finished run's workdir, or a .safetensors")
    parser.add_argument("--batch", type=int, default=256, help="faces a round (default: 256)")
    parser.add_argument(
        "--chunk", type=int, help="of ours, faces a call (default: the fastest of 32 to 256)"
    )
    parser.add_argument(
        "--rounds", type=int, default=15, help="timed rounds, at least 10 (default: 15)"
    )
    parser.add_argument("--warm_up", type=int, default=3, help="rounds before (default: 3)")
    parser.add_argument(
        "--trials", type=int, default=5, help="rounds that choose each side's way (default: 5)"
    )
    parser.add_argument(
        "--data_dir", type=Path,
        help="folder of the prepared datasets (default: $FER_JAX_DATA, else ./data)",
    )
    parser.add_argument(
        "--workdir", type=Path, default=Path("runs/pypi_fer"),
        help="where fer's virtual environment is or goes (default: runs/pypi_fer)",
    )
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks/throughput.json"))
    flags = parser.parse_args(argv)
    for name, least in {"batch": 1, "chunk": 1, "rounds": 10, "warm_up": 1, "trials": 1}.items():
        value = getattr(flags, name)
        if value is not None and value < least:
            parser.error(f"--{name} is {value}; expected at least {least}")
    return flags


if __name__ == "__main__":
    sys.exit(main())
