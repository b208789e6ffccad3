"""Draw what an audit found: the leaked share of each class, and rows of example faces."""

from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from fer_jax import files
from fer_jax.data.faces import EMOTIONS, Faces
from fer_jax.data.findings import Findings, members, usages_of
from fer_jax.data.masks import copied_from

EXAMPLES = 6  # pairs a row
WIDTH = 8.3  # inches
TITLE_HEIGHT, BARS_HEIGHT, ROW_HEIGHT = 0.4, 2.55, 0.94  # inches
LEFT, SLOT, SIDE = 1.75, 1.09, 0.5  # inches: of a row's first face, a pair with its gap, a face
INK, MUTED, GRID = "#1d2126", "#666c75", "#dcdfe3"
COLOURS = ("#0067a5", "#c8500a", "#00805c")  # one a usage
LIGHTER = 0.4  # opacity of the near-copies' part of a bar
_RC = {
    "font.size": 8.5,
    "font.family": "DejaVu Sans",
    "text.parse_math": False,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "legend.frameon": False,
    "legend.fontsize": 8,
}


class Row(NamedTuple):
    """Hold a row of the picture."""

    title: str
    text: str  # beneath the title
    pairs: list[tuple[int, ...]]  # of faces


def draw_audit(path: Path, faces: Faces, found: Findings, report: dict[str, Any]) -> None:
    """Draw the picture of an audit and write it as PNG, whole or not at all.

    Args:
      path: of the PNG.
      faces: the dataset.
      found: what `examine` found in it.
      report: what `describe` made of it, and "dataset", the dataset's name.

    Raises:
      OSError: it cannot be written.
    """
    rows = [row for row in _rows(faces, found, report) if row.pairs]
    leaked = {usage: entry for usage, entry in report["leaked"].items() if entry["images"]}
    top = BARS_HEIGHT if leaked else 0.0
    height = TITLE_HEIGHT + top + ROW_HEIGHT * len(rows) + 0.2
    with matplotlib.rc_context(_RC):
        figure = Figure(figsize=(WIDTH, height))
        FigureCanvasAgg(figure)
        if leaked:
            # Below the title a line for the legend, below the bars two for names and a gap.
            bottom = 1 - (TITLE_HEIGHT + top - 0.5) / height
            axes = figure.add_axes((0.07, bottom, 0.915, (top - 0.75) / height))
            _draw_bars(axes, leaked)
        asked = ": how many have a copy in Training" if leaked else ""
        title = f"{report['dataset']}, {report['images']:,} images{asked}"
        figure.text(0.012, 1 - 0.2 / height, title, fontsize=11, fontweight="bold", va="center")
        for i, row in enumerate(rows):
            row_top = 1 - (TITLE_HEIGHT + top + ROW_HEIGHT * i) / height
            _draw_row(figure, row, faces, top=row_top, inch=1 / height)
        note = "Below each pair: split and label of the left image, then of the right one."
        figure.text(LEFT / WIDTH, 0.1 / height, note, fontsize=7.5, color=MUTED, va="center")
        with files.replacing(path) as file:
            options = dict(dpi=160, facecolor="white", metadata={"Software": None})
            figure.savefig(file, format="png", **options)


def _rows(faces: Faces, found: Findings, report: dict[str, Any]) -> list[Row]:
    near, identical = found.near, report["identical"]
    copied = copied_from(found.mask, "Training") & (faces.usage != "Training")
    plain, mirrored = (
        [_apart(faces, found, a, b) for a, b in _once_each(near.first[some], near.second[some])]
        for some in (~near.mirrored, near.mirrored)
    )
    conflicts = [_differing(faces, group) for group in members(found.group, found.conflicting)]
    constant = np.flatnonzero(found.constant)
    across = sum(entry["identical"] for entry in report["leaked"].values())
    within = sum(identical["redundant_within"].values())
    of_n = report["near_copies"]
    return [
        Row(
            "Identical across splits",
            f"{across:,} validation and\ntest images stand in\nTraining, pixel by pixel",
            _spread([_with_training(faces, found, i) for i in np.flatnonzero(copied)]),
        ),
        Row(
            "Identical in a split",
            f"{within:,} images repeat one\nof their own split",
            _spread(_within(faces, found)),
        ),
        Row(
            "Near-copies",
            f"{of_n['pairs'] - of_n['mirrored']:,} pairs: other size,\nbrightness or watermark",
            _spread(_crossing_first(faces, plain)),
        ),
        Row(
            "Mirrored near-copies",
            f"{of_n['mirrored']:,} pairs",
            _spread(_crossing_first(faces, mirrored)),
        ),
        Row(
            "Conflicting labels",
            f"{report['conflicting']['groups']:,} groups of identical\nimages with several\nlabels",
            _spread(conflicts),
        ),
        Row(
            "Constant images",
            f"{len(constant):,} images whose\npixels are all equal",
            [tuple(constant[i : i + 2].tolist()) for i in range(0, len(constant), 2)][:EXAMPLES],
        ),
    ]


def _with_training(faces: Faces, found: Findings, face: int) -> tuple[int, int]:
    training = (found.group == found.group[face]) & (faces.usage == "Training")
    return int(np.flatnonzero(training)[0]), int(face)


def _within(faces: Faces, found: Findings) -> list[tuple[int, int]]:
    pairs = []
    for usage in usages_of(faces):
        here = (faces.usage == usage) & ~found.constant
        pairs += [tuple(group[:2]) for group in members(found.group, here) if len(group) > 1]
    return pairs


def _once_each(first: np.ndarray, second: np.ndarray) -> list[tuple[int, int]]:
    """Drop pairs that show a face of an earlier pair again."""
    seen, pairs = set(), []
    for pair in zip(first.tolist(), second.tolist(), strict=True):
        if seen.isdisjoint(pair):
            pairs.append(pair)
        seen.update(pair)
    return pairs


def _apart(faces: Faces, found: Findings, first: int, second: int) -> tuple[int, int]:
    """Take of two groups two faces of different splits, if there are."""
    one, other = (np.flatnonzero(found.group == found.group[face]) for face in (first, second))
    differ = faces.usage[one][:, None] != faces.usage[other]
    i, j = np.argwhere(differ)[0] if differ.any() else (0, 0)
    a, b = int(one[i]), int(other[j])
    return (b, a) if faces.usage[b] == "Training" else (a, b)


def _crossing_first(faces: Faces, pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    crossing = [(a, b) for a, b in pairs if faces.usage[a] != faces.usage[b]]
    return crossing if len(crossing) >= EXAMPLES else [*crossing, *pairs][:EXAMPLES]


def _differing(faces: Faces, group: list[int]) -> tuple[int, int]:
    first = group[0]
    return first, next(face for face in group if faces.emotion[face] != faces.emotion[first])


def _spread(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    n = min(EXAMPLES, len(pairs))
    return [pairs[i * len(pairs) // n] for i in range(n)]


def _draw_bars(axes, leaked: dict[str, Any]) -> None:
    names = [*EMOTIONS, "all"]
    width = 0.8 / len(leaked)
    for i, (usage, entry) in enumerate(leaked.items()):
        entries = [*(entry["by_emotion"][name] for name in EMOTIONS), entry]
        places = np.arange(len(names)) + (i - (len(leaked) - 1) / 2) * width
        identical = np.array([e["identical_share"] or 0.0 for e in entries])
        near = np.array([e["near_share"] or 0.0 for e in entries])
        colour = COLOURS[i % len(COLOURS)]
        axes.bar(places, identical, width * 0.92, color=colour, label=f"{usage}, identical")
        axes.bar(
            places, near, width * 0.92, bottom=identical, color=colour, alpha=LIGHTER, linewidth=0,
            label=f"{usage}, near-copy",
        )
        for x, a, b in zip(places, identical, near, strict=True):
            text = f"{100 * a:.0f} + {100 * b:.0f}" if a or b else "0"
            axes.text(x, a + b, f"{text}\n", ha="center", va="center", fontsize=6.5, color=MUTED)
    axes.set_xticks(range(len(names)), names)
    axes.tick_params(axis="both", length=0)
    axes.grid(axis="y")
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.set_ylim(0, max(0.05, axes.get_ylim()[1] * 1.04))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
    # Above the axes, so that no bar can reach it.
    axes.legend(
        loc="lower right", bbox_to_anchor=(1.005, 0.985), ncols=2 * len(leaked), handlelength=1.1,
        columnspacing=1.1, handletextpad=0.4, borderaxespad=0,
    )


def _draw_row(figure: Figure, row: Row, faces: Faces, *, top: float, inch: float) -> None:
    figure.text(0.012, top, row.title, fontsize=8.5, fontweight="bold", va="top")
    figure.text(0.012, top - 0.17 * inch, row.text, fontsize=7.5, color=MUTED, va="top")
    for i, pair in enumerate(row.pairs):
        left = LEFT + i * SLOT
        for j, face in enumerate(pair):
            x = left + j * (SIDE + 0.02)
            axes = figure.add_axes((x / WIDTH, top - SIDE * inch, SIDE / WIDTH, SIDE * inch))
            axes.imshow(faces.images[face].squeeze(), cmap="gray", vmin=0, vmax=255)
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        labels = [f"{faces.usage[face]}: {EMOTIONS[faces.emotion[face]]}" for face in pair]
        for line, label in enumerate(labels):
            y = top - (SIDE + 0.11 + 0.105 * line) * inch
            figure.text(left / WIDTH, y, label, fontsize=6.2, va="baseline")
