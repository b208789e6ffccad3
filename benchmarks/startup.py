"""How long a user waits: each command's --help, and the first training step: `benchmarks.startup`.

Help runs in fresh processes. The first step is a config's own, from the start of the process to the
end of the step, with an empty compilation cache and then with a full one. Processor time stands
beside the time of the clock, because it hardly depends on what else the machine does.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import reporting
from fer_jax.__main__ import COMMANDS
from fer_jax.arguments import Parser
from fer_jax.errors import UserError, run_command

OTHERS = ("experiments.li2023", "experiments.ledger", "experiments.readme", "benchmarks.gpu")
MARK = "STAGE "


@run_command
def main(argv: list[str] | None = None) -> None:
    """Time the commands' help and a config's first training step."""
    parser = Parser("benchmarks.startup", main.__doc__)
    parser.add_argument("--config", default="configs/quickstart.py", metavar="FILE.py[:VARIANT]")
    parser.add_argument("--repeats", type=int, default=3, help="medians are of so many (default: 3)")
    parser.add_argument("--out", type=Path, default=reporting.FOLDER / "startup.json")
    parser.add_argument("--one", type=Path, help="of its own processes: the workdir")
    flags = parser.parse_args(argv)
    if flags.one:
        stop_after_first_step(flags.config, flags.one)
        return
    rows = [
        {"what": f"{module} --help", **_timed([module, "--help"], flags.repeats)}
        for module in (*COMMANDS, *OTHERS)
    ]
    rows += first_steps(flags.config, flags.repeats)
    load = os.getloadavg()[0]
    reporting.save_rows(flags.out, [row | {"load": load} for row in rows])
    reporting.show(make_table(rows))
    print(f"wrote {flags.out}")


def first_steps(config: str, repeats: int) -> list[dict[str, Any]]:
    """Time the way to a config's first step, with a cold and with a warm compilation cache."""
    found = {"cold": [], "warm": []}
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            for cache in found:
                arguments = ["benchmarks.startup", f"--config={config}"]
                found[cache].append(
                    _run([*arguments, f"--one={folder}/{cache}"], FER_JAX_CACHE=f"{folder}/cache")
                )
    return [
        {
            "what": f"first step of {config}, {cache} cache",
            "seconds": median(one["seconds"] for one in ones),
            "cpu_seconds": median(one["cpu_seconds"] for one in ones),
            "stages": {
                name: median(one["stages"][name] for one in ones) for name in ones[0]["stages"]
            },
        }
        for cache, ones in found.items()
    ]


def stop_after_first_step(reference: str, workdir: Path) -> None:
    """Train a config as main does, say when each stage is over, and end after the first step."""
    from fer_jax import host

    host.prepare_process()
    from fer_jax import results, study, train
    from fer_jax.configuring import load_config

    def say(stage: str) -> None:
        print(MARK + json.dumps([stage, time.time()]), flush=True)

    def then(function, stage):
        def wrapped(*args, **options):
            returned = function(*args, **options)
            say(stage)
            return returned

        return wrapped

    def run_epoch(run, saved, dispatch, *args, steps, **options):
        import jax

        say("loop begun")
        jax.block_until_ready(dispatch(saved, 0, min(steps, run.steps_per_epoch)))
        say("first step")
        os._exit(0)

    say("imports")
    results.load_data = then(results.load_data, "faces")
    train.prepare = then(train.prepare, "state")
    train.run_epoch = run_epoch
    study.run(load_config(reference), workdir)


def _timed(arguments: list[str], repeats: int) -> dict[str, float]:
    each = [_run(arguments) for _ in range(repeats)]
    return {name: median(one[name] for one in each) for name in ("seconds", "cpu_seconds")}


def _run(arguments: list[str], **environment: str) -> dict[str, Any]:
    """Run `python -m` to its end; give seconds of the clock and of the processor, and its stages."""
    used, began, clock = _children(), time.time(), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", *arguments], capture_output=True, text=True,
        env=os.environ | environment,
    )
    if done.returncode:
        raise UserError(f"python -m {' '.join(arguments)} failed:\n{done.stderr[-2000:]}")
    said = [line.removeprefix(MARK) for line in done.stdout.splitlines() if line.startswith(MARK)]
    stages = {stage: moment - began for stage, moment in map(json.loads, said)}
    return {
        "seconds": time.perf_counter() - clock, "cpu_seconds": _children() - used, "stages": stages
    }


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def make_table(rows: list[dict[str, Any]]) -> Any:
    """Make the table of all that was timed."""
    from fer_jax.report import Table

    cells = [
        (row["what"], f"{row['seconds']:.2f}", f"{row['cpu_seconds']:.2f}") for row in rows
    ]
    notes = tuple(
        f"{row['what']}: " + ", ".join(f"{name} {s:.1f} s" for name, s in row["stages"].items())
        for row in rows if row.get("stages")
    )
    return Table("Start-up", ("what", "seconds", "CPU seconds"), cells, notes)


if __name__ == "__main__":
    raise SystemExit(main())
