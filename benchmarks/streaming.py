"""Measure training on faces that stream from the prepared file against resident ones.

    python -m benchmarks.streaming                                       # minutes on a GPU
    python -m benchmarks.streaming --net=linear --faces=4096 --batch=256 --repeats=5     # CPU

The same batches in the same order, once gathered on the device from the resident faces, once read
from an array file in a temporary folder, a dispatch ahead, as above `config.data.device_budget_mb`.
A third row reads and sends the batches and trains nothing: what the host alone can give. The file
is written a moment before, so the system holds it in memory; a cold disk may be slower.
"""

import argparse
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from benchmarks.timing import alternate, make_table, report
from fer_jax import train
from fer_jax.arguments import Parser
from fer_jax.configuring import load_config
from fer_jax.data import Split
from fer_jax.data.faces import Faces, load_faces, save_faces
from fer_jax.data.lazy import Rows
from fer_jax.dispatch import make_dispatch, make_order, put_faces
from fer_jax.errors import UsageError, run_command
from fer_jax.host import prepare_process
from fer_jax.streaming import MEGABYTE, streamed

NETS = ("linear", "vgg", "resnet9", "se_separable")


@run_command
def main(argv: list[str] | None = None) -> None:
    """Time an epoch resident, streamed and read alone; write JSON, print a table."""
    flags = _parse_flags(argv)
    prepare_process()
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(flags, Path(folder))
    size = flags.faces * flags.size**2 / MEGABYTE
    table = make_table(
        f"{flags.net}, {flags.faces:,} faces of {flags.size}x{flags.size} ({size:,.0f} MB), "
        f"batch {flags.batch}", "faces are", "images/s", "MB/s", "of resident",
    )
    for name, row in rows.items():
        share = row["images_per_second"] / rows["resident"]["images_per_second"]
        rows[name] = row | {"of_resident": share}
        table.add_row(
            name, f"{row['images_per_second']:,.0f}", f"{row['megabytes_per_second']:,.0f}",
            f"{share:.1%}",
        )
    measured = {
        "benchmark": "streaming", "net": flags.net, "faces": flags.faces, "size": flags.size,
        "batch_size": flags.batch, "steps_per_dispatch": flags.steps, "rows": rows,
    }
    report(flags.results, measured, table)


def measure(flags: argparse.Namespace, folder: Path) -> dict[str, dict[str, Any]]:
    """Time one epoch each way."""
    small = flags.net == "linear"  # of the quickstart
    config = load_config("configs/quickstart.py" if small else f"configs/{flags.net}.py")
    config = config.runs.linear if small else config
    config.update({
        "batch_size": flags.batch, "epochs": 1, "steps_per_dispatch": flags.steps,
        "data": {"dataset": "synthetic", "sizes": (flags.batch, 64, 64)},
    })
    run = train.prepare(config, folder)
    split = write_faces(flags, folder)
    resident = split._replace(images=np.asarray(split.images))
    dispatch = make_dispatch(
        train.make_step(config, run.model, run.tx), run.mesh, steps=flags.steps
    )
    order = make_order(split.labels, balance="none", batch_size=flags.batch)
    indices = order(run.state.key, 0)
    held = [train.begin(run)]
    faces = put_faces(resident, run.mesh)
    places = [
        (i, min(i + dispatch.steps, len(indices)))
        for i in range(0, len(indices), dispatch.steps)
    ]

    def step(faces, chosen):
        saved = held[0]
        state, totals = dispatch.train(
            saved.state, saved.totals, faces, chosen, saved.plateau.scale
        )
        held[0] = saved._replace(state=state, totals=totals)
        # As the loop of a run does after each dispatch.
        jax.block_until_ready(totals)

    def from_device():
        for first, last in places:
            step(faces, indices[first:last])

    def from_file(use):
        steps = dispatch.steps
        with streamed(split, np.asarray(indices), run.mesh, start=0, steps=steps) as take:
            for place in places:
                use(take(*place))

    ways = {
        "resident": from_device,
        "streamed": partial(from_file, partial(step, None)),
        "read and sent alone": partial(from_file, jax.block_until_ready),
    }
    images = places[-1][1] * flags.batch
    return {
        name: {
            **times, "images_per_second": images / times["median"],
            "megabytes_per_second": images * flags.size**2 / MEGABYTE / times["median"],
        }
        for name, times in alternate(ways, repeats=flags.repeats).items()
    }


def write_faces(flags: argparse.Namespace, folder: Path) -> Split:
    """Write noise as a prepared array file, and open it as training does above the budget."""
    generator, n = np.random.default_rng(0), flags.faces
    images = generator.integers(0, 256, (n, flags.size, flags.size), np.uint8)
    labels = (np.arange(n) % 7).astype(np.uint8)
    path = folder / "noise.npz"
    save_faces(path, Faces(images, labels, np.full(n, "Training"), np.full(n, ""), np.arange(n)))
    faces = load_faces(path, mapped=True)
    return Split(
        Rows(faces.images, np.arange(n)), labels.astype(np.int32), np.zeros(n, np.uint32),
        faces.source_row,
    )


def _parse_flags(argv: list[str] | None) -> argparse.Namespace:
    parser = Parser("benchmarks.streaming", main.__doc__)
    parser.add_argument("--net", choices=NETS, default="resnet9", help="default: resnet9")
    parser.add_argument("--faces", type=int, default=2**18, help="default: 262,144, or 604 MB")
    parser.add_argument("--size", type=int, default=48, help="pixels a side (default: 48)")
    parser.add_argument("--batch", type=int, default=1024, help="default: 1024")
    parser.add_argument("--steps", type=int, default=0, help="of one dispatch; 0 is the backend's")
    parser.add_argument("--repeats", type=int, default=5, help="timed epochs (default: 5)")
    parser.add_argument(
        "--results", type=Path, default=Path("results/benchmarks/streaming.json"),
        help="file to write (default: results/benchmarks/streaming.json)",
    )
    flags = parser.parse_args(argv)
    if flags.faces < flags.batch:
        raise UsageError(f"--faces={flags.faces} are fewer than a batch of {flags.batch}")
    return flags


if __name__ == "__main__":
    sys.exit(main())
