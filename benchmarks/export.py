"""Measure how fast exported files answer beside fer_jax itself, and how far their answers differ.

    python -m benchmarks.export runs/shipped --json=results/export.json   # 1 minute on two cores

Each runtime gets the same faces u8 in batches of 1 and 64; they take turns, round after round, and
the median of the rounds counts. ONNX runs in onnxruntime, StableHLO by `jax.export`.
"""

import io
import statistics
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np

from fer_jax import host, provenance, writers
from fer_jax.arguments import Parser
from fer_jax.errors import UserError, run_command
from fer_jax.export import STABLEHLO, to_stablehlo
from fer_jax.export_onnx import INPUT, to_onnx
from fer_jax.report.tables import Table
from fer_jax.report.terminal import print_table
from fer_jax.trained import Trained, answer_of, load_trained

BATCHES = (1, 64)


@run_command
def main(argv: list[str] | None = None) -> None:
    """Time fer_jax, ONNX and StableHLO on the same faces in turn."""
    parser = Parser("benchmarks.export", main.__doc__)
    parser.add_argument("model", type=Path, help="a finished run's workdir, or a .safetensors")
    parser.add_argument("--rounds", type=int, default=15, metavar="N", help="default: 15")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there too")
    arguments = parser.parse_args(argv)
    host.prepare_process()
    trained = load_trained(arguments.model)
    answers = make_runtimes(trained)
    rows = [row for batch in BATCHES for row in measure(answers, trained, batch, arguments.rounds)]
    print_table(Table(
        title=f"{trained.card['model']}, run {trained.card['run']}: {jax.devices()[0].platform}",
        columns=("batch", "runtime", "images/s", "ms a batch", "greatest difference"),
        rows=[
            (str(row["batch"]), row["runtime"], f"{row['images_per_second']:.0f}",
             f"{row['milliseconds']:.1f}", f"{row['difference']:.1e}")
            for row in rows
        ],
        notes=(f"Medians of {arguments.rounds} rounds in turn.",),
    ))
    if arguments.json:
        described = {"run": trained.card["run"], "model": trained.card["model"], "rows": rows}
        writers.write_json(arguments.json, {**described, **provenance.describe()})


def make_runtimes(trained: Trained) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Give each runtime as a function of faces u8 `[b, h, w, c]` to probabilities.

    Raises:
      UserError: onnxruntime is not installed.
    """
    try:
        import onnxruntime
    except ImportError:
        raise UserError("install onnxruntime for this: pip install onnxruntime") from None
    variables, jitted = jax.device_put(trained.variables), jax.jit(answer_of(trained))
    with zipfile.ZipFile(io.BytesIO(to_stablehlo(trained))) as file:
        program = jax.jit(jax.export.deserialize(bytearray(file.read(STABLEHLO))).call)
    session = onnxruntime.InferenceSession(
        to_onnx(trained, card=""), providers=["CPUExecutionProvider"]
    )
    return {
        "fer_jax": lambda faces: np.asarray(jitted(variables, faces)),
        "StableHLO": lambda faces: np.asarray(program(faces)),
        "ONNX": lambda faces: session.run(None, {INPUT: faces})[0],
    }


def measure(
    runtimes: dict[str, Callable[[np.ndarray], np.ndarray]], trained: Trained, batch: int,
    rounds: int,
) -> list[dict[str, float]]:
    """Let the runtimes take turns on a batch of drawn faces; give a row for each."""
    shape = (batch, *trained.image_shape)
    faces = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    expected = runtimes["fer_jax"](faces)
    differences = {name: float(abs(run(faces) - expected).max()) for name, run in runtimes.items()}
    seconds = {name: [] for name in runtimes}
    for _ in range(rounds):
        for name, run in runtimes.items():
            started = time.perf_counter()
            run(faces)
            seconds[name].append(time.perf_counter() - started)
    return [
        {
            "batch": batch, "runtime": name, "milliseconds": 1000 * statistics.median(times),
            "images_per_second": batch / statistics.median(times),
            "difference": differences[name],
        }
        for name, times in seconds.items()
    ]


if __name__ == "__main__":
    raise SystemExit(main())
