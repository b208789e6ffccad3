"""The least time of a step: FLOPs and bytes counted from its jaxpr, and devices' peaks."""

from collections.abc import Iterator
from math import prod
from typing import Any, NamedTuple

import jax


class Peak(NamedTuple):
    """What a device can do at best: dense FLOP/s by dtype, and bytes/s of its memory."""

    bfloat16: float
    float32: float  # as XLA runs it by default: TF32 on NVIDIA's tensor cores
    bandwidth: float
    source: str


# NVIDIA's data sheets. Those of Hopper print what sparsity doubles ("1,979 TFLOPS with sparsity" in
# bfloat16, 989 in TF32), so half of it stands here; the A100's prints both.
H200 = "https://nvdam.widen.net/s/nb5zzzsjdf/hpc-datasheet-sc23-h200-datasheet-3002446"
H100 = "https://resources.nvidia.com/en-us-tensor-core/nvidia-tensor-core-gpu-datasheet"
A100 = (
    "https://www.nvidia.com/content/dam/en-zz/Solutions/Data-Center/a100/pdf/"
    "nvidia-a100-datasheet-us-nvidia-1758950-r4-web.pdf"
)
# By jax's device_kind.
PEAKS = {
    "NVIDIA H200": Peak(1_979e12 / 2, 989e12 / 2, 4.8e12, f"H200 SXM, {H200}"),
    "NVIDIA H100 80GB HBM3": Peak(1_979e12 / 2, 989e12 / 2, 3.35e12, f"H100 SXM, {H100}"),
    "NVIDIA H100 PCIe": Peak(1_513e12 / 2, 756e12 / 2, 2.0e12, f"H100 PCIe, {H100}"),
    "NVIDIA A100-SXM4-80GB": Peak(312e12, 156e12, 2.039e12, f"A100 80GB SXM, {A100}"),
    "NVIDIA A100-SXM4-40GB": Peak(312e12, 156e12, 1.555e12, f"A100 40GB SXM, {A100}"),
    "NVIDIA A100 80GB PCIe": Peak(312e12, 156e12, 1.935e12, f"A100 80GB PCIe, {A100}"),
    "NVIDIA A100-PCIE-40GB": Peak(312e12, 156e12, 1.555e12, f"A100 40GB PCIe, {A100}"),
}


class Operation(NamedTuple):
    """A convolution or matrix product: its FLOPs, two a multiply-add, and the bytes it touches."""

    name: str
    flops: float
    bytes: float


class Floor(NamedTuple):
    """What a step must do at least, and the seconds that takes; None where no peak is known."""

    flops: float
    bytes: float
    seconds: float | None


def count_operations(function: Any, *arguments: Any) -> list[Operation]:
    """List the convolutions and products of a function, gradients included, from its jaxpr.

    Arrays may be abstract. Padding counts as work, since kernels do it; the zeros between the
    pixels of a strided convolution's gradient do not. A loop's body counts as often as it runs, and
    of the branches of a choice the one with the least arithmetic.
    """
    closed = jax.make_jaxpr(function)(*arguments)
    return list(_walk(closed.jaxpr, 1))


def floor_of(
    operations: list[Operation], *, state_bytes: float, peak: Peak | None, dtype: str
) -> Floor:
    """Return the least work and time of a step.

    Each operation takes its arithmetic or its bytes at the peak, whichever is longer; all that is
    elementwise is taken to be fused into them, for nothing. Parameters, statistics and moments are
    read and written once (`state_bytes` each way).
    """
    flops = sum(each.flops for each in operations)
    moved = sum(each.bytes for each in operations) + 2 * state_bytes
    if peak is None:
        return Floor(flops, moved, None)
    speed = getattr(peak, dtype)
    seconds = sum(max(each.flops / speed, each.bytes / peak.bandwidth) for each in operations)
    return Floor(flops, moved, seconds + 2 * state_bytes / peak.bandwidth)


def _walk(jaxpr: Any, times: int) -> Iterator[Operation]:
    for equation in jaxpr.eqns:
        name, parameters = equation.primitive.name, equation.params
        if name == "conv_general_dilated":
            yield _operation(equation, times, _convolution_macs(equation))
        elif name == "dot_general":
            (contracted, _), _ = parameters["dimension_numbers"]
            inner = prod(equation.invars[0].aval.shape[axis] for axis in contracted)
            yield _operation(equation, times, equation.outvars[0].aval.size * inner)
        elif name == "cond":
            forms = [list(_walk(branch.jaxpr, times)) for branch in parameters["branches"]]
            platforms = parameters.get("branches_platforms")
            if platforms is None:
                yield from min(forms, key=lambda form: sum(each.flops for each in form))
            else:
                # Forms of one operation: what is not a CPU's own is the sum over taps.
                yield from forms[platforms.index(None)]
            continue
        repeats = times * (parameters["length"] if name == "scan" else 1)
        for value in parameters.values():
            for inner in _jaxprs(value):
                yield from _walk(inner, repeats)


def _jaxprs(value: Any) -> Iterator[Any]:
    if hasattr(value, "jaxpr"):
        yield value.jaxpr
    elif hasattr(value, "eqns"):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _jaxprs(item)


def _operation(equation: Any, times: int, macs: float) -> Operation:
    arrays = [*equation.invars, *equation.outvars]
    moved = sum(each.aval.size * each.aval.dtype.itemsize for each in arrays)
    return Operation(equation.primitive.name, 2.0 * macs * times, float(moved * times))


def _convolution_macs(equation: Any) -> float:
    numbers = equation.params["dimension_numbers"]
    kernel = equation.invars[1].aval.shape
    # Of a kernel `[.., out, in, *window]`, by any order of its axes: one output takes all but out.
    each = prod(kernel) / kernel[numbers.rhs_spec[0]]
    # Every second pixel of a gradient through a stride of two is a zero put there.
    return equation.outvars[0].aval.size * each / prod(equation.params["lhs_dilation"])
