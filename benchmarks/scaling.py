"""Compute, on paper, up to how many devices data parallelism pays for each network.

    python -m benchmarks.scaling                    # prints the table
    python -m benchmarks.scaling --doc=docs/scaling.md      # and puts it there

Nothing is run: multiply-adds are counted in the network's own program, for one face, and the rest
is arithmetic. A step of N devices takes

    6 * multiply-adds * batch / N / (peak * share)          (forward 2 each, backward twice that)
  + 2 * (N - 1) / N * 4 * parameters / bandwidth            (a ring's all-reduce, float32)
  + 2 * log2(N) * latency

and the two are not overlapped, which XLA does in part: a pessimist's number.
"""

import argparse
import math
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
from jax.extend import core

from fer_jax import files, models
from fer_jax.arguments import Parser
from fer_jax.configuring import load_config
from fer_jax.data.splits import face_shape
from fer_jax.errors import UserError, run_command
from fer_jax.preprocess import input_shape, read_preprocess
from fer_jax.results import count_parameters
from fer_jax.summary import abstract_state

NETWORKS = (
    "dae", "vgg", "vgg_dae:A", "alexnet", "vgg16_dick", "resnet9", "vgg16", "lip_vgg16",
    "se_separable", "alizadeh_shallow", "alizadeh_deep", "agrawal_fcn", "custom_cnn",
)


class Link(NamedTuple):
    """What joins the devices: bytes a second each can send, and seconds that a message takes."""

    name: str
    bandwidth: float
    latency: float


LINKS = (
    Link("NVLink 4", 450e9, 5e-6),
    Link("InfiniBand NDR 400", 50e9, 10e-6),
    Link("Ethernet 100", 12.5e9, 30e-6),
    Link("Ethernet 10", 1.25e9, 50e-6),
)
# Another doubling pays while it shortens the step at least by this share.
PAYS = 0.25
MARKS = "<!-- python -m benchmarks.scaling -->", "<!-- end -->"


class Cost(NamedTuple):
    """What one network costs: multiply-adds of a face, forward, and trainable parameters."""

    name: str
    multiply_adds: int
    parameters: int


@run_command
def main(argv: list[str] | None = None) -> None:
    """Count every network, compute the table, and print it or put it into a page."""
    flags = _parse_flags(argv)
    table = make_table([count(name) for name in NETWORKS], flags)
    if flags.doc:
        write_table(flags.doc, table)
    print(table)


def count(name: str) -> Cost:
    """Count a config's network for one face as it is trained."""
    path, _, variant = name.partition(":")
    config = load_config(f"configs/{path}.py" + (f":{variant}" if variant else ""))
    if "runs" in config:
        config = config.runs[path]
    state = abstract_state(config)
    model = models.build(config.model)
    shape = input_shape(face_shape(config.data.dataset), preprocess=read_preprocess(config))
    face = jax.ShapeDtypeStruct((1, *shape), jax.numpy.float32)
    variables = {"params": state.params, "batch_stats": state.batch_stats}
    program = jax.make_jaxpr(lambda v, x: model.apply(v, x, train=False))(variables, face)
    parameters = count_parameters(state, rules=config.optim.rules)["trainable"]
    return Cost(name, count_multiply_adds(program.jaxpr), parameters)


def count_multiply_adds(program: core.Jaxpr) -> int:
    """Count those of a program's convolutions and matrix products; the rest is not counted."""
    total = 0
    for equation in program.eqns:
        name, shapes = equation.primitive.name, [v.aval.shape for v in equation.invars]
        out = math.prod(equation.outvars[0].aval.shape) if equation.outvars else 0
        if name == "conv_general_dilated":
            # Of the kernel's sides that of its outputs is in `out` already.
            outputs = shapes[1][equation.params["dimension_numbers"].rhs_spec[0]]
            total += out * math.prod(shapes[1]) // outputs
        elif name == "dot_general":
            (contracted, _), _ = equation.params["dimension_numbers"]
            total += out * math.prod(shapes[0][axis] for axis in contracted)
        else:
            times = equation.params.get("length", 1) if name == "scan" else 1
            total += times * sum(map(count_multiply_adds, _inner(equation.params)))
    return total


def seconds_of_step(
    cost: Cost, link: Link, *, devices: int, batch: int, flops: float
) -> float:
    """Return the seconds of one step of `batch` faces shared by so many devices."""
    compute = 6 * cost.multiply_adds * batch / devices / flops
    if devices == 1:
        return compute
    exchanged = 2 * (devices - 1) / devices * 4 * cost.parameters / link.bandwidth
    return compute + exchanged + 2 * math.log2(devices) * link.latency


def most_devices(cost: Cost, link: Link, *, batch: int, flops: float) -> tuple[int, float]:
    """Return the devices up to which each doubling pays, at most one a face, and the speed-up."""

    def seconds(devices):
        return seconds_of_step(cost, link, devices=devices, batch=batch, flops=flops)

    devices = 1
    while 2 * devices <= batch and seconds(2 * devices) <= (1 - PAYS) * seconds(devices):
        devices *= 2
    return devices, seconds(1) / seconds(devices)


def make_table(costs: list[Cost], flags: argparse.Namespace) -> str:
    """Make the Markdown table: costs, and for each link the devices and the speed-up there."""
    head = ["network", "parameters", "multiply-adds a face", "all-reduced"]
    head += [f"{link.name}" for link in LINKS]
    lines = [head, ["---", *["---:"] * (len(head) - 1)]]
    flops = flags.tflops * 1e12 * flags.share
    for cost in costs:
        cells = [
            cost.name, f"{cost.parameters:,}", f"{cost.multiply_adds / 1e6:,.1f} M",
            f"{4 * cost.parameters / 1e6:,.2f} MB",
        ]
        for link in LINKS:
            found = most_devices(cost, link, batch=flags.batch, flops=flops)
            cells.append("{} ({:.1f}x)".format(*found))
        lines.append(cells)
    said = (
        f"Batch {flags.batch} in all, devices of {flags.tflops:g} TFLOP/s (peak) of which "
        f"{flags.share:.0%} is reached. Devices up to which each doubling shortens the step by "
        f"{PAYS:.0%} or more, and in brackets how much faster than one device they are. "
        + "; ".join(
            f"{link.name}: {link.bandwidth / 1e9:g} GB/s, {link.latency * 1e6:g} µs"
            for link in LINKS
        ) + "."
    )
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + f"\n\n{said}\n"


def write_table(path: Path, table: str) -> None:
    """Put the table between the page's two marks.

    Raises:
      UserError: the page has no such marks.
    """
    text = path.read_text()
    first, last = map(re.escape, MARKS)
    if not re.search(f"{first}.*{last}", text, re.DOTALL):
        raise UserError(f"{path} has no lines {MARKS[0]} and {MARKS[1]}; put them where it belongs")
    made = f"{MARKS[0]}\n{table}{MARKS[1]}"
    files.write_text(path, re.sub(f"{first}.*{last}", lambda _: made, text, flags=re.DOTALL))


def _inner(parameters: dict[str, Any]) -> Iterator[core.Jaxpr]:
    for value in parameters.values():
        for one in value if isinstance(value, (tuple, list)) else [value]:
            if isinstance(one, core.ClosedJaxpr):
                yield one.jaxpr
            elif isinstance(one, core.Jaxpr):
                yield one


def _parse_flags(argv: list[str] | None) -> argparse.Namespace:
    parser = Parser("benchmarks.scaling", main.__doc__)
    parser.add_argument("--batch", type=int, default=1024, help="of all devices (default: 1024)")
    parser.add_argument(
        "--tflops", type=float, default=989.0,
        help="peak of a device in 10**12 operations a second (default: 989, an H200's in bfloat16)",
    )
    parser.add_argument(
        "--share", type=float, default=0.3, help="share of it that is reached (default: 0.3)"
    )
    parser.add_argument("--doc", type=Path, help="Markdown page that the table is put into")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
