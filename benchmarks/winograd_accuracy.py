"""Compare what networks learn with wide convolutions by Winograd's filtering and by their taps.

    python -m benchmarks.winograd_accuracy --config=configs/resnet9.py:small --seeds=0,1,2 \\
        --config.epochs=2                                          # 20 minutes on two CPU cores

Each seed trains twice from the same weights and batches, each time in a process of its own: as it
does on a CPU, and with every wide convolution left to XLA. The last epoch's accuracy on the
validation split counts; no test split is read. The two differ by rounding at first and by chance
then, so the difference is told with its interval over the seeds.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from fer_jax import provenance
from fer_jax.arguments import Parser, is_field
from fer_jax.errors import UserError, run_command
from fer_jax.report.seeds import over_seeds
from fer_jax.writers import write_json

FORMS = ("winograd", "taps")


@run_command
def main(argv: list[str] | None = None) -> None:
    """Train each seed in both forms, write the accuracies and print them."""
    flags, fields = _parse_flags(argv)
    if flags.form:
        train(flags, fields)
        return
    made_by = provenance.describe()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in flags.seeds:
            for form in FORMS:
                workdir = Path(folder) / f"{form}-{seed}"
                _start(form, seed, workdir, flags, fields)
                rows.append({"form": form, "seed": seed, **read(workdir)})
                write_json(flags.out, {
                    "schema": 1, "benchmark": "winograd_accuracy", "config": flags.config,
                    "fields": fields, **made_by, "rows": rows, **compare(rows),
                })
    print_table(rows)
    found = compare(rows)["difference"]
    print(f"winograd - taps: {100 * found['mean']:+.2f} points, " + (
        f"95 % {100 * found['low']:+.2f} to {100 * found['high']:+.2f}, n {found['n']}"
        if found["n"] > 1 else "one seed"
    ))
    print(f"wrote {flags.out}")


def train(flags: argparse.Namespace, fields: list[str]) -> None:
    """Train one seed in this process, in one form.

    Raises:
      UserError: no convolution of the network is wide enough for Winograd's filtering.
    """
    from fer_jax.main import main as run
    from fer_jax.ops import winograd

    pays, taken = winograd.pays, []

    def decide(x, kernel):
        taken.append(pays(x, kernel))
        return taken[-1] and flags.form == "winograd"

    winograd.pays = decide
    failed = run([
        f"--config={flags.config}", f"--workdir={flags.workdir}", f"--config.seed={flags.seeds[0]}",
        "--config.evaluation.splits=('validation',)", "--config.evaluation.strengths=()", *fields,
    ])
    if failed:
        raise UserError(f"training ended with {failed}; see above")
    if not any(taken):
        raise UserError(f"{flags.config} has no convolution that goes by Winograd's filtering")


def read(workdir: Path) -> dict[str, float]:
    """Return a run's accuracy and loss on the validation split after its last epoch."""
    lines = (json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines())
    last = [line for line in lines if "validation_accuracy" in line][-1]
    return {"accuracy": last["validation_accuracy"], "loss": last["validation_loss"]}


def compare(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what the forms differ by for each seed; mean, sd and 95 % interval of all."""
    of = {form: [row["accuracy"] for row in rows if row["form"] == form] for form in FORMS}
    differences = [a - b for a, b in zip(*(of[form] for form in FORMS), strict=False)]
    spreads = {form: over_seeds(found)._asdict() for form, found in of.items() if found}
    if differences:
        spreads["difference"] = over_seeds(differences)._asdict()
    return {"differences": differences, **spreads}


def print_table(rows: list[dict[str, Any]]) -> None:
    """Print the accuracies, a row a seed."""
    table = Table(title="Validation accuracy after the last epoch", caption="one run a cell")
    for column in ("seed", *FORMS):
        table.add_column(column, justify="right")
    for seed in dict.fromkeys(row["seed"] for row in rows):
        found = {row["form"]: row["accuracy"] for row in rows if row["seed"] == seed}
        table.add_row(str(seed), *(f"{100 * found[form]:.2f} %" for form in FORMS))
    Console().print(table)


def _start(form, seed, workdir, flags, fields):
    command = [
        sys.executable, "-m", "benchmarks.winograd_accuracy", f"--config={flags.config}",
        f"--seeds={seed}", f"--form={form}", f"--workdir={workdir}", *fields,
    ]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise UserError(f"seed {seed} by {form} ended with {done.returncode}: {done.stderr[-2000:]}")


def _parse_flags(argv: list[str] | None) -> tuple[argparse.Namespace, list[str]]:
    parser = Parser("benchmarks.winograd_accuracy", main.__doc__)
    parser.add_argument("--config", required=True, metavar="FILE.py[:VARIANT]", help="what to run")
    parser.add_argument("--seeds", default="0,1,2", help="(default: 0,1,2)")
    parser.add_argument(
        "--out", type=Path, default=Path("results/benchmarks/winograd_accuracy.json"),
        help="(default: results/benchmarks/winograd_accuracy.json)",
    )
    parser.add_argument("--form", choices=FORMS, help=argparse.SUPPRESS)
    parser.add_argument("--workdir", type=Path, help=argparse.SUPPRESS)
    flags, fields = parser.parse_known_args(argv)
    unknown = [argument for argument in fields if not is_field(argument)]
    if unknown:
        parser.error(f"unexpected argument {unknown[0]!r}")
    try:
        flags.seeds = [int(seed) for seed in flags.seeds.split(",")]
    except ValueError:
        parser.error(f"--seeds is {flags.seeds!r}; expected numbers, as in 0,1,2")
    return flags, fields


if __name__ == "__main__":
    sys.exit(main())
