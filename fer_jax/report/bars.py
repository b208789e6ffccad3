"""Draw bars by class: how many faces each split has of it, and how many of them are named right."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from fer_jax.metrics import wilson
from fer_jax.report.plots import styled
from fer_jax.report.style import INK, MUTED, NETWORKS

PLAIN = NETWORKS["linear"][0]


@styled
def class_counts(
    counts: Mapping[str, Sequence[int]], *, classes: Sequence[str], title: str
) -> Figure:
    """Draw the number of faces of each class, a panel a split; each panel has its own scale."""
    figure = Figure(figsize=(max(4.0, 2.5 * len(counts) + 0.7), 2.9), layout="constrained")
    panels = figure.subplots(1, len(counts), sharey=True, squeeze=False)[0]
    size = max(map(len, counts.values()))
    for axes, (split, numbers) in zip(panels, counts.items(), strict=True):
        numbers = np.pad(np.asarray(numbers), (0, size - len(numbers)))
        total = numbers.sum()
        axes.barh(range(size), numbers, color=PLAIN, height=0.72)
        for place, number in enumerate(numbers):
            axes.annotate(
                f"{number:,} ({100 * number / max(total, 1):.1f} %)", (number, place),
                xytext=(3, 0), textcoords="offset points", va="center", fontsize=7, color=INK,
            )
        # Room for the text of the longest bar.
        axes.set_xlim(0, 1.55 * max(numbers.max(), 1))
        axes.xaxis.set_major_locator(MaxNLocator(3, integer=True))
        axes.set_title(f"{split}: {total:,} faces", fontsize=8.5)
        axes.grid(False)
        axes.tick_params(axis="y", length=0)
    panels[0].set_yticks(range(size), [*classes, *map(str, range(len(classes), size))][:size])
    panels[0].set_ylim(size - 0.5, -0.5)
    figure.suptitle(title, fontsize=9.5, x=0.01, ha="left")
    return figure


@styled
def class_accuracy(
    confusions: Mapping[str, Sequence[Sequence[int]]],
    *,
    classes: Sequence[str],
    title: str,
    colour: str,
) -> Figure:
    """Draw the share of each class' faces that are named right (its recall), with 95 % intervals.

    `confusions` are counts `[k, k]`, rows true, by what is done to the faces; the first is drawn
    full, the others paler. The intervals are Wilson's.
    """
    figure = Figure(figsize=(5.6, 3.2), layout="constrained")
    axes = figure.add_subplot()
    thick = 0.8 / len(confusions)
    for order, (name, counts) in enumerate(confusions.items()):
        counts = np.asarray(counts)
        right, total = np.diag(counts), counts.sum(1)
        places = np.arange(len(counts)) + (order - (len(confusions) - 1) / 2) * thick
        known = [i for i in range(len(counts)) if total[i]]
        shares = [right[i] / total[i] for i in known]
        ends = np.array([wilson(int(right[i]), int(total[i])) for i in known]).reshape(-1, 2)
        bars = axes.bar(
            places[known], shares, width=0.94 * thick, color=colour, alpha=1 - 0.55 * (order > 0),
            label=name,
        )
        errors = np.maximum(abs(ends.T - shares), 0)
        axes.errorbar(
            places[known], shares, yerr=errors, fmt="none", ecolor=INK, elinewidth=0.8, capsize=1.5,
        )
        for bar, share, high in zip(bars, shares, ends[:, 1], strict=True):
            axes.annotate(
                f"{100 * share:.0f}", (bar.get_x() + bar.get_width() / 2, high), xytext=(0, 2),
                textcoords="offset points", ha="center", fontsize=7, color=INK,
            )
    counts = np.asarray(next(iter(confusions.values())))
    ticks = [f"{name}\n{n:,}" for name, n in zip(classes, counts.sum(1), strict=False)]
    axes.set_xticks(range(len(ticks)), ticks)
    axes.tick_params(axis="x", length=0)
    axes.grid(False, axis="x")
    axes.set_ylim(0, 1.08)
    axes.set_yticks(np.linspace(0, 1, 6))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
    whole = np.trace(counts) / max(counts.sum(), 1)
    axes.axhline(whole, color=MUTED, linewidth=0.9, linestyle=":", zorder=0)
    axes.set_title(title)
    if len(confusions) > 1:
        figure.legend(loc="outside lower center", ncols=2, fontsize=7.5)
    return figure
