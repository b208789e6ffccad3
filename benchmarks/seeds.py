"""Measure seeds that train as one program against the same seeds one after another.

    python -m benchmarks.seeds --net=resnet9 --seeds=1,4,16          # minutes on a GPU
    python -m benchmarks.seeds --net=resnet9 --width=0.06 --batch=16 --steps=2 --seeds=1,4   # CPU

Both ways take the same steps of the same seeds from fresh states: the one program is what
`config.seeds` runs on an accelerator, the other K runs' own programs, dispatched in turn. They are
timed in alternation. The faces are drawn ones, resident on the device.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import jax
from ml_collections import ConfigDict

from benchmarks.timing import alternate, make_table, report
from fer_jax import stacked, train
from fer_jax.arguments import Parser
from fer_jax.configuring import load_config
from fer_jax.dispatch import make_dispatch, make_order, put_faces
from fer_jax.errors import UsageError, run_command
from fer_jax.grid import expand_seeds
from fer_jax.host import prepare_process

NETS = ("resnet9", "se_separable")


@run_command
def main(argv: list[str] | None = None) -> None:
    """Time K seeds in one program against K in sequence; write JSON, print a table."""
    flags = _parse_flags(argv)
    prepare_process()
    table = make_table(
        f"{flags.net}, width {flags.width:g}, batch {flags.batch}, {flags.steps} steps",
        "seeds", "one program, images/s", "in sequence, images/s", "ratio", "compiling, s",
    )
    rows = []
    for count in flags.seeds:
        row = measure(make_config(flags, seeds=count), repeats=flags.repeats)
        rows.append(row)
        together, sequence = row["together"], row["sequence"]
        table.add_row(
            str(count), f"{together['images_per_second']:,.0f}",
            f"{sequence['images_per_second']:,.0f}", f"{row['ratio']:.2f}",
            f"{together['first'] - together['median']:.1f}",
        )
    measured = {
        "benchmark": "seeds", "net": flags.net, "width": flags.width, "batch_size": flags.batch,
        "steps": flags.steps, "dtype": flags.dtype, "rows": rows,
    }
    report(flags.results or Path(f"results/benchmarks/seeds-{flags.net}.json"), measured, table)


def make_config(flags: argparse.Namespace, *, seeds: int) -> ConfigDict:
    """Make the run of the flags: the network's own config on as many drawn faces as are needed."""
    config = load_config(f"configs/{flags.net}.py")
    config.update({
        "seeds": seeds, "batch_size": flags.batch, "epochs": 1,
        "steps_per_dispatch": flags.steps, "mesh": {"data": flags.devices},
        "model": {"width": flags.width, "dtype": flags.dtype},
        "data": {"dataset": "synthetic", "sizes": (flags.batch * flags.steps, 64, 64)},
    })
    return config


def measure(config: ConfigDict, *, repeats: int) -> dict[str, Any]:
    """Time `config.steps_per_dispatch` steps of each seed both ways."""
    runs = expand_seeds(config)
    points = [stacked.Point(one, Path(name), {}, {}) for name, one in runs.items()]
    prepared = stacked.prepare(points, None)
    steps = prepared[0].steps_per_epoch
    ways = {
        "together": _together(prepared, steps), "sequence": _sequence(prepared, steps),
    }
    seconds = alternate(ways, repeats=repeats)
    images = len(runs) * steps * config.batch_size
    found = {
        name: {**times, "images_per_second": images / times["median"]}
        for name, times in seconds.items()
    }
    return {
        "seeds": len(runs), **found,
        "ratio": found["together"]["images_per_second"] / found["sequence"]["images_per_second"],
    }


def _together(runs: list[train.Run], steps: int):
    # Copies, for the steps take the states by donation.
    held = [stacked.begin(_copied(runs))]
    program = stacked.make_program(runs)
    orders = stacked.draw_orders([_order(run) for run in runs], held[0])

    def go():
        state, totals = program(orders, held[0], 0, steps)
        held[0] = held[0]._replace(state=state, totals=totals)
        jax.block_until_ready(totals)

    return go


def _sequence(runs: list[train.Run], steps: int):
    first = runs[0]
    dispatch = make_dispatch(
        train.make_step(first.config, first.model, first.tx), first.mesh, steps=steps
    )
    held = [train.begin(run) for run in _copied(runs)]
    faces = [put_faces(run.splits["train"], run.mesh) for run in runs]
    orders = [_order(run)(run.state.key, 0) for run in runs]

    def go():
        for i, saved in enumerate(held):
            state, totals = dispatch.train(
                saved.state, saved.totals, faces[i], orders[i][:steps], saved.plateau.scale
            )
            held[i] = saved._replace(state=state, totals=totals)
            jax.block_until_ready(totals)

    return go


def _copied(runs: list[train.Run]) -> list[train.Run]:
    return [run._replace(state=jax.tree.map(lambda leaf: leaf.copy(), run.state)) for run in runs]


def _order(run: train.Run):
    labels = run.splits["train"].labels
    return make_order(labels, balance="none", batch_size=run.config.batch_size)


def _parse_flags(argv: list[str] | None) -> argparse.Namespace:
    parser = Parser("benchmarks.seeds", main.__doc__)
    parser.add_argument("--net", choices=NETS, default="resnet9", help="default: resnet9")
    parser.add_argument("--seeds", default="1,4,16", help="how many at a time (default: 1,4,16)")
    parser.add_argument("--width", type=float, default=1.0, help="of the network (default: 1)")
    parser.add_argument("--batch", type=int, default=64, help="of each seed (default: 64)")
    parser.add_argument("--steps", type=int, default=64, help="of one dispatch (default: 64)")
    parser.add_argument("--repeats", type=int, default=10, help="timed dispatches (default: 10)")
    parser.add_argument("--dtype", default="float32", help="of the computation (default: float32)")
    parser.add_argument("--devices", type=int, default=0, help="0 is all (default)")
    parser.add_argument(
        "--results", type=Path, help="file to write (default: results/benchmarks/seeds-NET.json)"
    )
    flags = parser.parse_args(argv)
    try:
        flags.seeds = [int(count) for count in flags.seeds.split(",")]
    except ValueError:
        raise UsageError(f"--seeds={flags.seeds}: expected numbers, as in 1,4,16") from None
    if min(flags.seeds) < 1:
        raise UsageError(f"--seeds={flags.seeds}: expected numbers from 1 on")
    return flags


if __name__ == "__main__":
    sys.exit(main())
