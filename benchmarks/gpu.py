"""Every network's training step on one device against its floor: `python -m benchmarks.gpu`.

One command for the day a GPU is there; without one it measures the processor, and says so. Each
row has two processes of its own: the first starts with an empty compilation cache, the second with
what that one has compiled, and is timed. A row is written as soon as it is measured, and the same
command goes on with those that are missing.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import reporting
from fer_jax.arguments import Parser
from fer_jax.errors import UsageError, UserError, run_command, suggest

BATCHES = (16, 128, 1024)
FACES = 28_709  # FER2013's Training
MARK = "ROW "
ASK = """
import json, jax
from fer_jax import provenance
print(json.dumps({"platform": jax.devices()[0].platform, "name": provenance.device()}))
"""
SAME = ("net", "batch", "width", "dtype", "asked_steps", "faces")


@run_command
def main(argv: list[str] | None = None) -> None:
    """Measure networks' training steps on the first device, and write rows and table."""
    flags = _parse(argv)
    if flags.one:
        from benchmarks import gpu_step
        from fer_jax import host

        host.prepare_process()
        options = json.loads(flags.one)
        print(MARK + json.dumps(gpu_step.measure(**options)), flush=True)
        return
    from benchmarks.gpu_step import NETS

    nets = flags.nets.split(",") if flags.nets else list(NETS)
    for net in nets:
        if net not in NETS:
            raise UsageError(f"--nets={net}: no such network. {suggest(net, NETS)}")
    device = find_device()
    print(explain_device(device), flush=True)
    rows = [] if flags.anew else reporting.load_rows(flags.out)
    for net in nets:
        for batch in flags.batches:
            asked = {
                "net": net, "batch": batch, "width": flags.width, "dtype": flags.dtype,
                "steps": flags.steps, "repeats": flags.repeats, "faces": flags.faces,
            }
            if any(_key(row) == _key(asked | {"asked_steps": flags.steps}) for row in rows):
                continue
            rows.append(measure_row(asked) | {"asked_steps": flags.steps})
            reporting.save_rows(flags.out, rows, measured_on=device["name"])
            row = rows[-1]
            said = row.get("error") or f"{row['images_per_second']:,.0f} images a second"
            print(f"{net}, batch {batch}: {said}", flush=True)
    for table in make_tables(rows):
        reporting.show(table)
    print(f"wrote {flags.out}")


def find_device() -> dict[str, str]:
    """Ask a process of its own for `name` and `platform`: this one must leave a GPU's memory alone.

    Raises:
      UserError: jax finds no device, or none that works.
    """
    done = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise UserError(f"jax has no device that works: {last[:300]}")
    return json.loads(done.stdout.splitlines()[-1])


def explain_device(device: dict[str, str]) -> str:
    """Say on what a call measures, and what that means where there is no accelerator."""
    if device["platform"] != "cpu":
        return f"measuring {device['name']}"
    return (
        f"no GPU is here (jax sees the processor alone): measuring {device['name']}. Its peak is "
        "not known, so the floor and its shares stay empty, and the device's own peak of memory "
        "too. All rows take very long on it: name a few with --nets, --batches and --faces"
    )


def measure_row(asked: dict[str, Any]) -> dict[str, Any]:
    """Measure a row in processes with a cold and then a warm cache; what fails is kept as an error.

    Such a row, as of a batch that does not fit the device, is not tried again.
    """
    with tempfile.TemporaryDirectory() as cache:
        cold, warm = (_start(asked, cache) for _ in range(2))
    if "error" in cold or "error" in warm:
        return asked | {"error": cold.get("error") or warm.get("error")}
    return warm | {
        "first_step_cold_seconds": cold["first_step_seconds"],
        "compile_cold_seconds": cold["compile_seconds"],
    }


def _start(asked: dict[str, Any], cache: str) -> dict[str, Any]:
    options = json.dumps(asked | {"began": time.time()})
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu", f"--one={options}"],
        capture_output=True, text=True,
        env=os.environ | {
            "FER_JAX_CACHE": cache, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        },
    )
    rows = [line.removeprefix(MARK) for line in done.stdout.splitlines() if line.startswith(MARK)]
    if done.returncode or not rows:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        return {"error": lines[-1][:300] if lines else f"exit code {done.returncode}"}
    return json.loads(rows[-1])


def _key(row: dict[str, Any]) -> tuple:
    return tuple(row.get(name) for name in SAME)


def make_tables(rows: list[dict[str, Any]]) -> list[Any]:
    """Make the tables of speed and of memory."""
    from fer_jax.report import Table

    number = reporting.number
    good = [row for row in rows if "error" not in row]
    kinds = ", ".join(sorted({f"{row['device_kind']}, {row['dtype']}" for row in good}))
    speed = [
        (
            _name(row), number(row["images_per_second"]), number(1e3 * row["step_seconds"], ".3g"),
            number(row["floor_seconds"] and 1e3 * row["floor_seconds"], ".3g"),
            number(row["share_of_floor"], ".0%"), number(row["share_of_peak"], ".0%"),
            number(row["pipeline_overhead"], ".1%"),
            number(row["first_step_cold_seconds"], ".1f"),
            number(row["first_step_seconds"], ".1f"),
        )
        for row in good
    ]
    memory = [
        (
            _name(row),
            *(number(row[f"{name}_bytes"] and row[f"{name}_bytes"] / 2**20) for name in PARTS),
            number(row["allowed_bytes"] and row["allowed_bytes"] / 2**20),
            number(row["device_peak_bytes"] and row["device_peak_bytes"] / 2**20),
        )
        for row in good
    ]
    failed = tuple(f"{_name(row)}: {row['error']}" for row in rows if "error" in row)
    return [
        Table(
            f"Training steps ({kinds})",
            ("net, batch", "img/s", "ms a step", "floor ms", "of floor", "of peak", "pipeline",
             "first cold s", "warm s"), speed,
            ("Floor: each convolution and product at the device's peak FLOP/s or bandwidth, "
             "whichever is longer, and the state read and written once. Pipeline: what look-up, "
             "augmentation and distortion add to steps on one fixed batch. First: from the start "
             "of the process to the end of the first dispatch.", *failed),
        ),
        Table(
            "Device memory, MiB",
            ("net, batch", *PARTS, "sum + 20 %", "device's peak"), memory,
            ("Activations: the temporaries of the compiled program by XLA's analysis.",),
        ),
    ]


PARTS = ("parameters", "moments", "dataset", "activations")


def _name(row: dict[str, Any]) -> str:
    return f"{row['net']}, {row['batch']}"


def _parse(argv: list[str] | None) -> Any:
    parser = Parser("benchmarks.gpu", main.__doc__)
    parser.add_argument("--nets", default="", metavar="NAME,NAME", help="default: all")
    parser.add_argument(
        "--batches", type=_numbers, default=BATCHES, metavar="N,N", help="default: 16,128,1024"
    )
    parser.add_argument(
        "--width", type=float, default=0.0, help="of networks that have one (default: their own)"
    )
    parser.add_argument(
        "--steps", type=int, default=0, help="a dispatch (default: 64, on CPU 1)"
    )
    parser.add_argument("--repeats", type=int, default=10, help="timed dispatches (default: 10)")
    parser.add_argument(
        "--faces", type=int, default=FACES, help=f"on the device (default: {FACES:,})"
    )
    parser.add_argument(
        "--dtype", choices=("bfloat16", "float32"), default="bfloat16", help="of the computation"
    )
    parser.add_argument("--anew", action="store_true", help="measure again what is there")
    parser.add_argument("--out", type=Path, default=reporting.FOLDER / "gpu.json")
    parser.add_argument("--one", help="of its own processes: a row's options as JSON")
    return parser.parse_args(argv)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


if __name__ == "__main__":
    raise SystemExit(main())
