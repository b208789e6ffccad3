"""Make the tables of what was timed beside others: steps beside PyTorch's, faces beside `fer`."""

import json
from pathlib import Path
from typing import Any

from benchmarks import reporting

MODES = {"train": "training", "infer": "inference"}


def describe_throughput(path: Path) -> str:
    """Return what `benchmarks.throughput` measured as Markdown, with its command."""
    from fer_jax.report import Table
    from fer_jax.report.tables import markdown

    if not path.exists():
        return "Not measured yet."
    result = json.loads(path.read_text())
    cells = [
        (
            f"ours: {result['ours']['run']}" if side == "ours" else f"fer: {result[side]['model']}",
            f"{result[side]['parameters']:,}",
            f"{result['cost'][side]['images_per_second']:,.0f}",
            f"{result[side]['accuracy']:.1%}".replace("%", " %"),
        )
        for side in ("ours", "fer")
    ]
    columns = "network", "parameters", "faces/s", f"accuracy, {result['faces']:,} test faces"
    title = f"Faces a second, batch {result['batch']}, {result['protocol']}"
    return f"{markdown(Table(title, columns, cells)).strip()}\n\n{reporting.made_by(result)}"


def make_table(results: list[dict[str, Any]]) -> Any:
    """Make one row a network, batch and mode: images a second of both, their ratios, memory."""
    from fer_jax.report import Table

    cells = [_cells(result) for result in sorted(results, key=_order)]
    columns = (
        "network", "batch", "", "cores", "fer_jax, images/s", "PyTorch, images/s", "ratio",
        "of processor time", "memory, MiB", "PyTorch's", "commit",
    )
    return Table("A step beside PyTorch's", columns, cells)


def describe(folder: Path) -> str:
    """Return the table of a folder's results, and of any folder in it, as Markdown."""
    from fer_jax.report.tables import markdown

    results = [json.loads(path.read_text()) for path in sorted(folder.rglob("*.json"))]
    if not results:
        return "Not measured yet."
    devices = {result["device"].split("(", 1)[-1].rstrip(")") for result in results}
    ahead = sum(result["ratio"] >= 1 for result in results)
    said = f"{ahead} of {len(results)} at PyTorch's speed or above. {', '.join(sorted(devices))}."
    return f"{markdown(make_table(results)).strip()}\n\n{said}"


def _cells(result):
    sides = [result["cost"][side] for side in ("ours", "torch")]
    return (
        result["net"],
        str(result["batch"]),
        MODES[result["mode"]],
        result["device"].split()[0],
        *(f"{side['images_per_second']:,.0f}" for side in sides),
        f"{result['ratio']:.2f}",
        f"{result['ratio_of_processor_time']:.2f}",
        *(_mebibytes(side["peak_memory_bytes"]) for side in sides),
        (result["commit"] or "unknown")[:7],
    )


def _mebibytes(count):
    return f"{count / 2**20:,.0f}" if count else "—"


def _order(result):
    return result["device"].split()[0], result["net"], result["mode"] != "train", result["batch"]
