"""Peak host memory of a training on CPU, stage by stage: `python -m benchmarks.memory`.

It is the run of a config on its own faces, in one process: data, state, steps, validation, a
checkpoint, the evaluation of test faces. The steps and the evaluated faces are few: each repeats
what the one before had in memory.
"""

import gc
import os
import resource
from pathlib import Path
from typing import Any

from benchmarks import reporting
from fer_jax.arguments import Parser
from fer_jax.errors import run_command

MIB = 2**20


@run_command
def main(argv: list[str] | None = None) -> None:
    """Train a few steps of a config, and write the process's memory after each stage."""
    parser = Parser("benchmarks.memory", main.__doc__)
    parser.add_argument("--config", default="configs/vgg.py", metavar="FILE.py[:VARIANT]")
    parser.add_argument("--steps", type=int, default=3, help="of the epoch (default: 3)")
    parser.add_argument(
        "--faces", type=int, default=512, help="evaluated, of validation and test (default: 512)"
    )
    parser.add_argument("--workdir", type=Path, default=Path("runs/memory"), help="of checkpoints")
    parser.add_argument("--data_dir", help="of the prepared faces")
    parser.add_argument("--out", type=Path, default=reporting.FOLDER / "memory.json")
    flags = parser.parse_args(argv)
    from fer_jax import host
    from fer_jax.configuring import load_config

    host.prepare_process()
    rows = measure(
        load_config(flags.config), flags.workdir,
        steps=flags.steps, faces=flags.faces, data_dir=flags.data_dir,
    )
    reporting.save_rows(flags.out, [{"config": flags.config, **row} for row in rows])
    reporting.show(make_table(reporting.load_rows(flags.out)))
    print(f"wrote {flags.out}")


def measure(
    config: Any, workdir: Path, *, steps: int, faces: int, data_dir: str | None
) -> list[dict[str, Any]]:
    """Run the stages of a run; give after each what the process holds and has held, in MiB."""
    import jax

    from fer_jax import checkpoint, results, train
    from fer_jax.state import evaluated

    rows = []

    def note(stage: str) -> None:
        rows.append({"stage": stage, "resident_mib": resident(), "peak_mib": peak()})

    note("imports")
    load = results.load_data

    def load_data(*arguments):
        splits = load(*arguments)
        note("faces loaded")
        return splits

    config.epochs = 1
    try:
        results.load_data = load_data
        run = train.prepare(config, workdir, data_dir=data_dir)
    finally:
        results.load_data = load
    jax.block_until_ready(run.state)
    note("state made")
    few = {
        name: split if name == "train" else _first(split, faces)
        for name, split in run.splits.items()
    }
    run = run._replace(splits=few, steps_per_epoch=min(steps, run.steps_per_epoch))
    real = train.close_epoch

    def close_epoch(*arguments):
        note("steps taken")
        closed = real(*arguments)
        note("validated")
        return closed

    with checkpoint.open_checkpoints(workdir) as checkpointer:
        try:
            train.close_epoch = close_epoch
            saved = train.fit(run, checkpointer)
        finally:
            train.close_epoch = real
        checkpointer.wait()
        note("checkpoint written")
    entry = {"split": "test", "distortion": "random_grey", "strength": 0.2, "views": "plain"}
    results.evaluate_once(
        config, evaluated(saved.state), run.splits["test"], entry, model=run.model, mesh=run.mesh
    )
    note("test faces evaluated")
    return rows


def _first(split: Any, n: int) -> Any:
    return type(split)(*(None if array is None else array[:n] for array in split))


def resident() -> float:
    """Return the memory that the process holds now, in MiB."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB


def peak() -> float:
    """Return the most that the process has held, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MIB


def make_table(rows: list[dict[str, Any]]) -> Any:
    """Make the table of the stages."""
    from fer_jax.report import Table

    cells = [
        (row["stage"], f"{row['resident_mib']:,.0f}", f"{row['peak_mib']:,.0f}") for row in rows
    ]
    title = f"Host memory of {rows[0]['config']} on CPU, MiB"
    return Table(title, ("after", "resident", "peak so far"), cells, ())


if __name__ == "__main__":
    raise SystemExit(main())
