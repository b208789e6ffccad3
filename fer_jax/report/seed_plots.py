"""Draw accuracy against the strength of noise over several seeds: their mean and their range."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from fer_jax.report.plots import spread_apart, styled
from fer_jax.report.style import GRID, NETWORKS, look

# A line's points: the strength, and the accuracy of each seed.
Points = Sequence[tuple[float, Sequence[float]]]


@styled
def noise(
    panels: Mapping[str, Mapping[str, Points]], *, title: str, strength: str
) -> Figure:
    """Draw a panel for each group of lines; a band reaches from the least seed to the greatest.

    Args:
      panels: for each panel's title its lines, by the name that stands at their end.
      title: of the whole figure.
      strength: what the horizontal axis is.
    """
    width = 3.6 * len(panels) + 1.4
    figure = Figure(figsize=(width, 4.0), layout="constrained")
    all_axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    names = dict.fromkeys(name for lines in panels.values() for name in lines)
    colours = _looks(names)
    values = [v for lines in panels.values() for points in lines.values() for _, vs in points
              for v in vs]
    low, high = max(min(values) - 0.04, 0.0), min(max(values) + 0.04, 1.02)
    for axes, (heading, lines) in zip(all_axes, panels.items(), strict=True):
        ticks: set[float] = set()
        for name, points in lines.items():
            colour, marker = colours[name]
            x = [s for s, _ in points]
            ticks |= set(x)
            axes.fill_between(
                x, [min(vs) for _, vs in points], [max(vs) for _, vs in points], color=colour,
                alpha=0.16, linewidth=0,
            )
            axes.plot(x, [np.mean(vs) for _, vs in points], marker=marker, markersize=4.5,
                      color=colour)
        right = max(ticks, default=1.0) or 1.0
        _name_ends(axes, lines, colours, right=right, gap=0.05 * (high - low))
        axes.set(xlim=(-0.03 * right, 1.04 * right), ylim=(low, high))
        axes.set_xticks(sorted(ticks))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None, symbol=" %"))
        axes.set_xlabel(strength)
        axes.set_title(heading, fontsize=8.5)
    figure.suptitle(title, fontsize=9.5, x=0.01, ha="left")
    return figure


def _name_ends(axes, lines: Mapping[str, Points], colours, *, right: float, gap: float) -> None:
    ends = [float(np.mean(points[-1][1])) for points in lines.values()]
    for place, end, (name, points) in zip(
        spread_apart(ends, gap=gap), ends, lines.items(), strict=True
    ):
        colour = colours[name][0]
        axes.annotate(
            name, (points[-1][0], end), xytext=(1.07 * right, place), color=colour, va="center",
            fontsize=8, annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": GRID, "linewidth": 0.5, "shrinkB": 4},
        )


def _looks(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Give each line its colour and marker: a network's own, or a spare one."""
    spare = iter(range(len(names)))
    return {name: look(name) if name in NETWORKS else look("", next(spare)) for name in names}
