"""Show calibration: a reliability diagram before and after the temperature, and a table."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from fer_jax.report.plots import styled
from fer_jax.report.style import INK, MUTED, look
from fer_jax.report.tables import Table
from fer_jax.report.wording import distortion_text, number, percent


def faces_text(about: Mapping[str, Any]) -> str:
    """Say on which faces, as in `test faces, random grey, p = 0.3`; synthetic ones are named so."""
    word = "synthetic " if about["dataset"] == "synthetic" else ""
    text = f"{word}{about['split']} faces"
    if about["distortion"] == "clean":
        return text
    return f"{text}, {distortion_text((about['distortion'], about['strength']))}"


@styled
def draw_reliability(
    bins: Mapping[str, Any], found: Mapping[str, Any], about: Mapping[str, Any]
) -> Figure:
    """Draw accuracy by confidence, and below it how many faces have each confidence.

    Args:
      bins: `fer_jax.calibration.Reliability` by panel: "before", and "after" the temperature.
      found: the summaries by the same names, and `temperature`.
      about: `run` and the faces, see `faces_text`.
    """
    figure = Figure(figsize=(3.4 * len(bins) + 0.2, 4.3), layout="constrained")
    figure.get_layout_engine().set(wspace=0.08)  # else one panel's 100 % meets the next one's 0 %
    rows = figure.subplots(
        2, len(bins), sharex=True, sharey="row", squeeze=False, height_ratios=(3, 1)
    )
    colour, _ = look("A")
    for column, (name, held) in enumerate(bins.items()):
        _draw_accuracy(rows[0, column], held, colour)
        _draw_counts(rows[1, column], held)
        head = "as trained" if name == "before" else f"temperature {found['temperature']:.2f}"
        rows[0, column].set_title(f"{head}: ECE {percent(found[name]['ece'], 1)}")
        rows[1, column].set_xlabel("confidence: the answer's probability")
    rows[0, 0].set_ylabel("share of right answers")
    rows[1, 0].set_ylabel("share of faces")
    rows[0, -1].legend(loc="upper left")
    figure.suptitle(
        f"{about['run']}: is it as often right as it says? ({faces_text(about)})", x=0.01,
        ha="left", fontsize=9.5,
    )
    return figure


def reliability_table(found: Mapping[str, Mapping[str, Any]], about: Mapping[str, Any]) -> Table:
    """Build the table of calibration, two rows a model: as trained (T = 1), and rescaled."""
    rows = []
    for name, held in found.items():
        states = [("T = 1", held["before"])]
        if held.get("after"):
            states.append((f"T = {held['temperature']:.2f}", held["after"]))
        for state, values in states:
            rows.append((
                f"{name}, {state}", percent(held["accuracy"]), percent(values["confidence"]),
                percent(values["ece"]), percent(values["ece_equal_mass"]), number(values["loss"]),
            ))
    return Table(
        title=f"Calibration on {next(iter(found.values()))['n']:,} {faces_text(about)}",
        columns=("model", "accuracy", "confidence", "ECE", "ECE, equal mass", "loss"),
        rows=rows,
        notes=(
            "ECE: expected calibration error, 15 bins of equal width (Guo et al. 2017) or of "
            "equally many faces. T: temperature; 1 as trained, the other fitted on clean "
            "validation faces. It changes no answer. Confidence: mean probability of the answers.",
        ),
    )


def _draw_accuracy(axes: Any, held: Any, colour: str) -> None:
    filled = held.counts > 0
    widths = np.diff(held.edges)
    axes.bar(
        held.edges[:-1][filled], held.accuracy[filled], width=widths[filled], align="edge",
        color=colour, alpha=0.35, edgecolor=colour, linewidth=0.6, label="right answers",
    )
    axes.plot((0, 1), (0, 1), "--", color=MUTED, linewidth=0.9, label="perfect calibration")
    axes.plot(
        held.confidence[filled], held.accuracy[filled], "o", color=INK, markersize=3,
        label="mean of the bin",
    )
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))


def _draw_counts(axes: Any, held: Any) -> None:
    axes.bar(
        held.edges[:-1], held.counts / held.counts.sum(), width=np.diff(held.edges), align="edge",
        color=MUTED, alpha=0.5, edgecolor=MUTED, linewidth=0.6,
    )
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
