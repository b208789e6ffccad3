"""Draw the report's figures, each from plain results, and write them as PNG or inline SVG."""

import functools
import io
import itertools
import re
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from fer_jax import files
from fer_jax.report.results import EMOTIONS, Run, Study
from fer_jax.report.style import GRID, INK, MUTED, ON_NETWORK, look, variables
from fer_jax.report.wording import distortion_name, distortion_text, strength_symbol

_RC = {
    "font.size": 8.5,
    "font.family": "DejaVu Sans",
    "text.parse_math": False,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "lines.linewidth": 1.7,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "svg.fonttype": "none",
    "svg.hashsalt": "fer_jax",
}


def styled(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """Make a function draw in the report's style."""

    @functools.wraps(draw)
    def draw_styled(*args, **kwargs) -> Figure:
        with matplotlib.rc_context(_RC):
            return draw(*args, **kwargs)

    return draw_styled


def looks(study: Study) -> dict[str, tuple[str, str]]:
    """Give each run, by name, its (colour, marker), the same in all figures."""
    spare = itertools.count()
    taken: set[str] = set()
    found = {}
    for run in study.runs:
        kind = run.kind if run.kind not in taken else ""
        taken.add(run.kind)
        known = look(kind, -1)
        found[run.name] = known if known != look("", -1) else look("", next(spare))
    return found


@styled
def curve(run: Run, quantity: str, *, colour: str, synthetic: bool) -> Figure | None:
    """Draw training and validation `quantity` ("loss" or "accuracy") by epoch.

    The tested weights' epoch is marked. Returns a figure without axes where no epoch has values.
    """
    figure = Figure(figsize=(3.9, 2.75), layout="constrained")
    lines = {}
    for part in ("validation", "train"):
        points = [(e["epoch"], e.get(f"{part}_{quantity}")) for e in run.history]
        lines[part] = [(x, y) for x, y in points if y is not None]
    if not any(lines.values()):
        return figure
    axes = figure.add_subplot()
    for part, shade, style in (("train", 0.55, "--"), ("validation", 1.0, "-")):
        if lines[part]:
            x, y = zip(*lines[part], strict=True)
            marker = "o" if len(x) < 3 else None
            axes.plot(
                x, y, style, color=colour, alpha=shade, marker=marker, markersize=4, label=part
            )
    best = run.result.get("best_epoch")
    chosen = [(x, y) for x, y in lines["validation"] if x == best]
    if chosen:
        axes.axvline(best, color=MUTED, linewidth=0.8, linestyle=":")
        axes.plot(
            *chosen[0], "o", color=colour, markersize=6, label=f"best epoch ({best})", zorder=3
        )
    word = ", synthetic" if synthetic else ""
    axes.set_title(f"{run.label}: {quantity}{word}")
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6, min_n_ticks=1))
    if quantity == "accuracy":
        low, high = axes.get_ylim()
        # A flat curve should look flat: show at least ten points.
        room = max(0.0, 0.1 - (high - low)) / 2
        axes.set_ylim(max(0.0, low - room), high + room)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None, symbol=" %"))
    axes.legend(loc="best")
    return figure


@styled
def confusion(
    counts: Sequence[Sequence[int]], *, labels: Sequence[str], title: str, colour: str
) -> Figure:
    """Draw a confusion matrix, rows true: row percentages, and the counts beneath them."""
    counts = np.asarray(counts, dtype=float)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    size = len(counts)
    figure = Figure(figsize=(4.1, 3.9))
    # Fixed, as the labels are: a computed layout of 98 texts takes longer than drawing them.
    axes = figure.add_axes((0.17, 0.17, 0.81, 0.76))
    for row in range(size):
        for column in range(size):
            share = shares[row, column]
            axes.add_patch(
                Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=colour, alpha=0.75 * share)
            )
            if not counts[row, column]:
                axes.text(column, row, "0", ha="center", va="center", color=MUTED, fontsize=7)
                continue
            ink = ON_NETWORK if share > 0.75 else INK
            axes.text(column, row - 0.02, f"{100 * share:.0f}", ha="center", va="bottom", color=ink)
            axes.text(
                column,
                row + 0.1,
                f"{counts[row, column]:.0f}",
                ha="center",
                va="top",
                fontsize=5.8,
                color=ink if share > 0.3 else MUTED,
            )
    axes.set_xticks(range(size), labels, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(size), labels)
    axes.set_xticks(np.arange(size + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(size + 1) - 0.5, minor=True)
    axes.grid(False)
    axes.grid(True, which="minor")
    axes.tick_params(which="both", length=0)
    axes.set(xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5), aspect="equal")
    axes.set_xlabel("predicted (row percent, count below)")
    axes.set_ylabel("true")
    axes.set_title(title)
    return figure


@styled
def robustness(study: Study) -> Figure:
    """Draw every classifier's test accuracy against the strength of the chosen distortion."""
    name, chosen = study.distortion
    figure = Figure(figsize=(5.0, 3.9), layout="constrained")
    axes = figure.add_subplot()
    colours, ends, ticks, bases = looks(study), [], set(), []
    for run in study.classifiers:
        points = [e for e in run.by_strength(name) if e.get("accuracy") is not None]
        if not points:
            continue
        colour, marker = colours[run.name]
        x = [e["strength"] for e in points]
        y = [e["accuracy"] for e in points]
        ticks.update(x)
        banded = [e for e in points if None not in (e.get("accuracy_low"), e.get("accuracy_high"))]
        axes.fill_between(
            [e["strength"] for e in banded],
            [e["accuracy_low"] for e in banded],
            [e["accuracy_high"] for e in banded],
            color=colour,
            alpha=0.16,
            linewidth=0,
        )
        axes.plot(x, y, marker=marker, markersize=4.5, color=colour)
        ends.append((y[-1], x[-1], run.label, colour))
        bases.append(np.asarray(points[0]["confusion"]).sum(1))
    right = max(ticks, default=1.0) or 1.0
    low, high = _accuracy_range(axes, bases)
    axes.axvline(chosen, color=MUTED, linewidth=0.9, linestyle="--")
    axes.annotate(
        f"chosen, {strength_symbol(name)} = {chosen:g}",
        (chosen, high),
        xytext=(4, -2),
        textcoords="offset points",
        va="top",
        fontsize=8,
        color=MUTED,
    )
    for share, text in _floors(bases):
        axes.axhline(share, color=MUTED, linewidth=0.8, linestyle=":")
        axes.annotate(
            text,
            (0, share),
            xytext=(2, 3 if share > 0.2 else -5),
            textcoords="offset points",
            va="bottom" if share > 0.2 else "top",
            fontsize=7.5,
            color=MUTED,
        )
    spread = spread_apart([e[0] for e in ends], gap=0.055 * (high - low))
    for place, (y, x, text, colour) in zip(spread, ends, strict=True):
        axes.annotate(
            text,
            (x, y),
            xytext=(right * 1.045, place),
            color=colour,
            va="center",
            fontsize=8.5,
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.5, "shrinkB": 4},
        )
    axes.set(xlim=(-0.02 * right, 1.03 * right), ylim=(low, high))
    axes.set_xticks(_apart(sorted(ticks), 0.06 * right))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None, symbol=" %"))
    axes.set_xlabel(f"strength of {distortion_name(name)}, {strength_symbol(name)} (0: clean)")
    word = ", synthetic faces" if study.synthetic else ""
    axes.set_title(f"Test accuracy by strength{word}")
    return figure


@styled
def recall(study: Study, *, distorted: bool) -> Figure:
    """Draw each classifier's recall of each emotion on the test split."""
    figure = Figure(figsize=(3.9, 3.5), layout="constrained")
    axes = figure.add_subplot()
    colours = looks(study)
    shown = [(r, study.distorted(r) if distorted else r.evaluation()) for r in study.classifiers]
    shown = [(r, e["per_class"]["recall"]) for r, e in shown if e and e.get("per_class")]
    offsets = np.linspace(-0.24, 0.24, len(shown)) if len(shown) > 1 else [0.0]
    for (run, values), offset in zip(shown, offsets, strict=False):
        colour, marker = colours[run.name]
        places = [(v, i + offset) for i, v in enumerate(values) if v is not None]
        if places:
            x, y = zip(*places, strict=True)
            axes.plot(x, y, marker, color=colour, markersize=4.5, label=run.label, clip_on=False)
    size = max((len(values) for _, values in shown), default=7)
    axes.set_yticks(range(size), study.classes[:size])
    axes.set_yticks(np.arange(size + 1) - 0.5, minor=True)
    axes.tick_params(which="both", axis="y", length=0)
    axes.grid(False, axis="y")
    axes.grid(True, axis="y", which="minor")
    axes.set(xlim=(-0.03, 1.03), ylim=(size - 0.5, -0.5))
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
    images = f"distorted ({distortion_text(study.distortion)})" if distorted else "clean"
    word = ", synthetic" if study.synthetic else ""
    axes.set_title(f"Recall, {images}{word}", fontsize=9)
    if axes.lines:
        figure.legend(loc="outside lower center", ncols=2 if len(shown) < 5 else 3, fontsize=7.5)
    return figure


@styled
def samples(rows: Sequence[tuple[str, np.ndarray]]) -> Figure:
    """Draw named rows of images u8 `[k, h, w, 1]` beneath one another."""
    strips = [(name, strip(images)) for name, images in rows]
    height, width = strips[0][1].shape
    # The names stand beside the faces, and take nothing from their width.
    names = 0.07 * max(len(line) for name, _ in rows for line in name.split("\n"))
    size = (7.0 + names, 7.0 * len(strips) * height / width + 0.2)
    figure = Figure(figsize=size, layout="constrained")
    for axes, (name, image) in zip(np.ravel(figure.subplots(len(strips), 1)), strips, strict=True):
        axes.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="nearest", aspect="equal")
        axes.set_ylabel(name, rotation=0, ha="right", va="center", color=INK)
        # What the picture leaves of its place belongs to the names, which were cut off.
        axes.set_anchor("E")
        axes.grid(False)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    return figure


def strip(images: np.ndarray, *, gap: int = 2, between: int = 255) -> np.ndarray:
    """Set images u8 `[k, h, w, 1]` side by side: u8 `[h, k*w + (k-1)*gap]`, white between."""
    images = np.asarray(images, dtype=np.uint8)[..., 0]
    padded = np.pad(images, ((0, 0), (0, 0), (0, gap)), constant_values=between)
    return np.concatenate(list(padded), axis=1)[:, :-gap]


def save_png(figure: Figure, path: Path) -> None:
    """Write a figure as PNG at twice the screen's resolution, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context(_RC), files.replacing(path) as file:
        FigureCanvasAgg(figure)
        figure.savefig(
            file, format="png", dpi=192, facecolor="white", metadata={"Software": None}
        )
        # The layout stands; working it out again for the SVG costs as much as drawing.
        figure.set_layout_engine("none")


def inline_svg(figure: Figure, *, ident: str, alt: str) -> str:
    """Write a figure as SVG to stand in HTML: its colours CSS variables, its ids all its own."""
    buffer = io.StringIO()
    with matplotlib.rc_context(_RC):
        FigureCanvasSVG(figure)
        plain = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(buffer, format="svg", transparent=True, metadata=plain)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    view = re.search(r'viewBox="([^"]+)"', text).group(1)
    head = f'<svg viewBox="{view}" role="img" aria-label="{escape(alt)}">'
    text = re.sub(r"<svg[^>]*>", lambda _: head, text, count=1)
    text = text.replace('id="', f'id="{ident}-').replace("url(#", f"url(#{ident}-")
    text = text.replace('xlink:href="#', f'href="#{ident}-')
    text = re.sub(r"'DejaVu Sans'[^;\"]*", "var(--sans)", text)
    for colour, name in variables().items():
        text = text.replace(colour, f"var(--{name})")
    return text


def _accuracy_range(axes, bases: Sequence[np.ndarray]) -> tuple[float, float]:
    low, high = axes.get_ylim()
    floors = [share for share, _ in _floors(bases)]
    low, high = min([low, *floors]) - 0.05, high + 0.06
    return max(low, 0.0), min(high, 1.04)


def _floors(bases: Sequence[np.ndarray]) -> list[tuple[float, str]]:
    """Return what guessing reaches: the largest class's share, and one over the classes."""
    if not bases or bases[0].sum() == 0:
        return []
    base = bases[0] / bases[0].sum()
    most = int(base.argmax())
    always, chance = float(base[most]), 1.0 / len(base)
    name = EMOTIONS[most] if most < len(EMOTIONS) else f"class {most}"
    if always - chance < 0.025:
        return [(chance, f"chance, {100 * chance:.1f} %")]
    return [
        (always, f"always “{name}”, {100 * always:.1f} %"),
        (chance, f"chance, {100 * chance:.1f} %"),
    ]


def spread_apart(values: Sequence[float], *, gap: float) -> list[float]:
    """Move values apart, as little as a simple pass can, until neighbours differ by `gap`."""
    order = np.argsort(values, kind="stable")
    places = np.asarray(values, dtype=float)[order]
    for _ in range(200):
        for i in range(len(places) - 1):
            lack = gap - (places[i + 1] - places[i])
            if lack > 1e-9:
                places[i] -= lack / 2
                places[i + 1] += lack / 2
    found = np.empty(len(places))
    found[order] = places
    return [float(p) for p in found]


def _apart(ticks: Sequence[float], least: float) -> list[float]:
    kept: list[float] = []
    for tick in ticks:
        if not kept or tick - kept[-1] >= least:
            kept.append(tick)
    return kept
