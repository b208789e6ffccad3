"""Time our training step, or inference, against PyTorch's: same network, weights and batch.

    python -m benchmarks.step --net=dae --against=torch                      # 1 minute, two cores
    python -m benchmarks.step --net=vgg --against=torch --batch=16 --mode=infer

Each side has a process of its own, so that memory and threads are its own, and the two take turns,
so that both see the same machine. A turn is a few steps, one after another as in training; the
first is not counted, for it finds the caches full of the other side's data and the other's threads
still waiting awake. Before all that one step without dropout must give the same loss and
weights. PyTorch stands there at its best: channels last or not, and with the memory settings that
ours has (fer_jax/host.py) or without, whichever is fastest here, and with its fused Adam.
"""

import argparse
import importlib.metadata
import importlib.util
import json
import os
import sys
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from flax.traverse_util import flatten_dict
from ml_collections import ConfigDict
from rich.console import Console
from rich.table import Table

from benchmarks.draws import draw_images, draw_variables
from benchmarks.timing import compare_sides, summarise, try_in_turn
from benchmarks.workers import MEMORIES, Worker
from fer_jax import models, provenance
from fer_jax.arguments import Parser, is_field, set_fields
from fer_jax.configuring import load_config
from fer_jax.errors import UserError, run_command, suggest
from fer_jax.ops.normalisation import channels_after
from fer_jax.writers import write_json

# The check's optimizer. Adam's first update is the rate times g / (|g| + epsilon), so with the
# usual epsilon the sign of a gradient that is zero but for rounding, as a bias' before a BatchNorm,
# would decide a whole update; with this one such a gradient moves nothing.
CHECK_EPSILON = 1e-3
# Rounding of sums of up to 1e6 products in float32, through a dozen layers; Winograd's filtering
# rounds five to ten times as much: Li's VGG differs by 4e-6 on one core and 1.3e-5 on two.
LOSS_TOLERANCE = 5e-5
# The norm of the differences between the updates of all weights over that of the updates. A ReLU
# or pool whose inputs are equal but for rounding may decide otherwise, and single weights then move
# elsewhere: some layers of the largest networks have 1e7 such decisions to take.
UPDATE_TOLERANCE = 0.03
LOGIT_TOLERANCE = 1e-3  # of the logits' largest

LAYOUTS = ("default", "channels_last")


@run_command
def main(argv: list[str] | None = None) -> None:
    """Check that both sides compute the same, time them in turn, write and print the result."""
    flags, fields = _parse_flags(argv)
    config = set_fields(load_config(f"configs/{flags.net}.py"), fields)
    result = compare(config, flags)
    write(result, flags.out)
    print_table(result)
    print(f"wrote {flags.out}")
    print(f"ratio {result['ratio']:.3f}")


def compare(config: ConfigDict, flags: argparse.Namespace) -> dict[str, Any]:
    """Measure both sides and return what is written.

    Raises:
      UserError: PyTorch is not there or has no such network here, or the two do not agree.
    """
    if importlib.util.find_spec("torch") is None:
        raise UserError("PyTorch is not installed: pip install torch==2.13.0")
    from benchmarks.torch_networks import TWINS

    if config.model.name not in TWINS:
        raise UserError(
            f"--net={flags.net} has no PyTorch twin. {suggest(config.model.name, TWINS)}"
        )
    spec, arrays = describe_work(config, flags)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        files = [str(Path(folder) / name) for name in ("spec.json", "arrays.npz")]
        Path(files[0]).write_text(json.dumps(spec))
        np.savez(files[1], **arrays)
        choice = choose_torch(files, flags)
        ours = stack.enter_context(Worker("benchmarks.step_ours", *files))
        # With PyTorch's default layout, whichever is timed: at batch 64 the loss of Li's VGG in
        # channels-last is 5.7e-4 off that in float64 (one Intel Xeon core), and in this one 6e-7.
        with start_torch(files, layout="default", memory=choice["memory"]) as reference:
            agreement = check(ours, reference, Path(folder), spec, arrays)
        theirs = stack.enter_context(start_torch(files, **choice))
        load_before = os.getloadavg()[0]
        times = {"ours": [], "torch": []}
        for worker in (ours, theirs):
            worker("run", count=flags.warm_up)
        for _ in range(flags.rounds):
            times["ours"] += ours("run", count=1 + flags.steps)[1:]
            times["torch"] += theirs("run", count=1 + flags.steps)[1:]
        peaks = {"ours": ours("peak"), "torch": theirs("peak")}
    sides = {name: summarise(times[name], peaks[name], flags.batch) for name in times}
    made_by = provenance.describe()
    return {
        "schema": 1,
        "benchmark": "step",
        "net": flags.net,
        "width": config.model.get("width"),
        "batch": flags.batch,
        "mode": flags.mode,
        "rounds": flags.rounds,
        "steps": flags.steps,
        **made_by,
        "versions": made_by["versions"] | {"torch": importlib.metadata.version("torch")},
        "torch": choice,
        "agreement": agreement,
        "cost": {
            # Processes that wanted a core; ours and PyTorch's take turns and are one of them.
            "load": {"before": load_before, "after": os.getloadavg()[0]},
            "loaded": load_before > 1.5,
            **sides,
        },
        **compare_sides(sides["ours"], sides["torch"]),
    }


def describe_work(
    config: ConfigDict, flags: argparse.Namespace
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return what both sides are told, as JSON holds it, and the weights and batch they share."""
    optim = config.optim
    if optim.name != "adam":
        raise UserError(f"config.optim.name is {optim.name!r}; both sides are timed with adam")
    # A constant rate: the schedules' cost is nothing, and PyTorch's are other functions.
    optim.update({"schedule": "constant", "warmup_epochs": 0.0, "l2": 0.0, "clip_norm": 0.0,
                  "accumulate": 1, "rules": ((".*", "train"),), "thaw_epochs": {}})
    model = config.model.to_dict()
    side = config.preprocess.crop or config.preprocess.size or 48
    shape = (flags.batch, side, side, channels_after(1, name=config.preprocess.normalise))
    variables = draw_variables(models.build(config.model), shape)
    arrays = flatten_dict(variables, sep="/")
    images = np.round(255 * draw_images(shape)).astype(np.uint8)
    labels = np.random.default_rng(0).integers(0, config.model.classes, flags.batch)
    without_dropout = {**model, **({"dropout": 0.0} if "dropout" in model else {})}
    spec = {
        "task": config.task,
        "mode": flags.mode,
        "model": model,
        "optim": optim.to_dict(),
        "check": {
            "model": without_dropout, "optim": {**optim.to_dict(), "epsilon": CHECK_EPSILON},
        },
    }
    return spec, {**arrays, "images": images, "labels": labels}


def start_torch(files: list[str], *, layout: str, memory: str) -> Worker:
    """Start PyTorch's side in one of its forms."""
    return Worker("benchmarks.step_torch", *files, layout, environment=MEMORIES[memory])


def choose_torch(files: list[str], flags: argparse.Namespace) -> dict[str, str]:
    """Return the form of PyTorch's side that is fastest, by the median of a few steps in turn."""
    choices = [{"layout": a, "memory": b} for a in LAYOUTS for b in MEMORIES]
    with ExitStack() as stack:
        workers = [stack.enter_context(start_torch(files, **choice)) for choice in choices]
        medians = try_in_turn([partial(worker, "run") for worker in workers], trials=flags.trials)
    return choices[medians.index(min(medians))]


def check(
    ours: Worker, theirs: Worker, folder: Path, spec: dict[str, Any], arrays: dict[str, np.ndarray]
) -> dict[str, float]:
    """Compare what both compute, and return by how much it differs.

    Raises:
      UserError: it differs by more than rounding explains.
    """
    paths = folder / "ours.npz", folder / "torch.npz"
    for worker, path in zip((ours, theirs), paths, strict=True):
        worker("check", out=str(path))
    with np.load(paths[0]) as a, np.load(paths[1]) as b:
        mine, other = dict(a), dict(b)
    if spec["mode"] == "infer":
        expected = np.moveaxis(other["logits"], 1, -1)
        found = {"logits": float(np.abs(mine["logits"] - expected).max() / np.abs(expected).max())}
        limits = {"logits": LOGIT_TOLERANCE}
    else:
        found = _compare_updates(mine, other, spec, arrays)
        limits = {"loss": LOSS_TOLERANCE, "update": UPDATE_TOLERANCE}
    # Not <=, so that a NaN fails.
    wrong = [name for name, limit in limits.items() if not found[name] <= limit]
    if wrong:
        told = ", ".join(f"{n} by {found[n]:.2g} (at most {limits[n]:g})" for n in wrong)
        raise UserError(f"the two sides do not compute the same: they differ in {told}")
    return found


def _compare_updates(mine, other, spec, arrays) -> dict[str, float]:
    from benchmarks import torch_networks
    from benchmarks.step_torch import nest
    from benchmarks.torch_weights import to_state_dict

    twin = torch_networks.build(spec["model"], tuple(arrays["images"].shape[1:]))
    before, after = (
        {
            name: tensor.numpy()
            for name, tensor in to_state_dict(
                nest({k: v for k, v in flat.items() if k.startswith("params/")}),
                names=twin.names, flattened=twin.flattened,
            ).items()
        }
        for flat in (arrays, mine)
    )
    rate = spec["optim"]["learning_rate"]
    difference = [(after[name] - other[name]) / rate for name in after]
    update = [(after[name] - before[name]) / rate for name in after]
    square = lambda parts: sum(float(np.square(part).sum()) for part in parts)  # noqa: E731
    return {
        "loss": float(abs(mine["loss"] - other["loss"]) / abs(other["loss"])),
        "update": (square(difference) / square(update)) ** 0.5,
        # In units of the rate, of which no update is larger than one.
        "largest": max(float(np.abs(part).max()) for part in difference),
    }


def write(result: dict[str, Any], out: Path) -> None:
    """Write one benchmark's result whole."""
    out.parent.mkdir(parents=True, exist_ok=True)
    write_json(out, result)


def print_table(result: dict[str, Any]) -> None:
    """Print images a second and peak memory of both."""
    kind = {"train": "training", "infer": "inference"}[result["mode"]]
    table = Table(title=f"{result['net']}, batch {result['batch']}, {kind}")
    for column in ("", "images/s", "median, ms", "least, ms", "processor, ms", "peak memory, MiB"):
        table.add_column(column, justify="left" if not column else "right")
    layout, memory = result["torch"]["layout"], result["torch"]["memory"]
    table.caption = f"PyTorch: layout {layout}, freed memory {memory}; ours: kept"
    names = {"ours": "fer_jax", "torch": "PyTorch"}
    for side, name in names.items():
        row = result["cost"][side]
        peak = row["peak_memory_bytes"]
        table.add_row(
            name,
            f"{row['images_per_second']:,.1f}",
            *(f"{row[key]:,.1f}" for key in ("median_ms", "least_ms", "processor_ms")),
            f"{peak / 2**20:,.0f}" if peak else "-",
        )
    Console().print(table)


def _parse_flags(argv: list[str] | None) -> tuple[argparse.Namespace, list[str]]:
    parser = Parser("benchmarks.step", main.__doc__)
    parser.add_argument("--net", required=True, help="a config's name, as configs/NET.py")
    parser.add_argument("--against", choices=("torch",), default="torch", help="the other side")
    parser.add_argument("--batch", type=int, default=64, help="images a step (default: 64)")
    parser.add_argument(
        "--mode", choices=("train", "infer"), default="train", help="(default: train)"
    )
    parser.add_argument(
        "--rounds", type=int, default=5, help="turns of each side (default: 5)"
    )
    parser.add_argument(
        "--steps", type=int, default=4,
        help="timed steps of a turn, after one that is not (default: 4)",
    )
    parser.add_argument("--warm_up", type=int, default=3, help="steps before them (default: 3)")
    parser.add_argument(
        "--trials", type=int, default=3, help="steps that choose PyTorch's form (default: 3)"
    )
    parser.add_argument("--width", type=float, help="factor on the network's widths, for a look")
    parser.add_argument(
        "--out", type=Path, help="(default: results/benchmarks/step/NET-MODE-BATCH.json)"
    )
    flags, fields = parser.parse_known_args(argv)
    unknown = [argument for argument in fields if not is_field(argument)]
    if unknown:
        parser.error(f"unexpected argument {unknown[0]!r}")
    for name in ("batch", "rounds", "steps", "warm_up", "trials"):
        if getattr(flags, name) < 1:
            parser.error(f"--{name} is {getattr(flags, name)}; expected at least 1")
    if flags.width is not None:
        fields.append(f"--config.model.width={flags.width}")
    if flags.out is None:
        name = f"{flags.net}-{flags.mode}-{flags.batch}.json"
        flags.out = Path("results/benchmarks/step") / name
    return flags, fields


if __name__ == "__main__":
    sys.exit(main())
