"""Show two runs side by side: tables, reliability, and the faces on which they disagree."""

import json
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from fer_jax import files
from fer_jax.predictions import Predictions
from fer_jax.report import plots
from fer_jax.report.calibration import draw_reliability, faces_text, reliability_table
from fer_jax.report.elements import figure_html, page_html, section, table_html
from fer_jax.report.style import INK, look
from fer_jax.report.tables import Table
from fer_jax.report.wording import count, percent

COLUMNS = 6


def write_page(
    folder: Path | str,
    a: Predictions,
    b: Predictions,
    order: np.ndarray,
    *,
    images: np.ndarray | None,
    note: str,
    bins: list[dict[str, Any]],
) -> Path:
    """Write `folder/comparison.html` and its PNG files from `folder/comparison.json`.

    Args:
      a, b: what the two models said of the same faces.
      order: places of all faces with different answers `[d]`; the first ones are shown.
      images: the faces to show u8 `[n, h, w, c]`, None if they are not there.
      note: what is to be known of the images.
      bins: each model's `fer_jax.calibration.Reliability`, "before" and maybe "after".

    Returns the path of the page.
    """
    folder = Path(folder)
    held = json.loads((folder / "comparison.json").read_text())
    path = folder / "comparison.html"
    files.write_text(path, _page(held, folder, a, b, order, images, note, bins))
    return path


def comparison_table(held: dict[str, Any]) -> Table:
    """Build the table of both accuracies and their difference."""
    rows = [
        (f"{letter}: {run['name']}", percent(found["accuracy"]), _span(found))
        for letter, run, found in zip("AB", held["runs"], held["accuracies"], strict=True)
    ]
    difference = held["difference"]
    low, high = (_points(difference[name]) for name in ("low", "high"))
    rows.append(("A − B, points", _points(difference["value"]), f"{low} to {high}"))
    word = " (synthetic)" if held["dataset"] == "synthetic" else ""
    return Table(
        title=f"{held['n']:,} {faces_text(held)}",
        columns=("run", f"accuracy{word}", "95 % interval"),
        rows=rows,
        notes=(
            f"Intervals: Wilson; of A − B a paired bootstrap ({held['resamples']:,} resamples). "
            "None covers other trainings.",
        ),
    )


def counts_table(held: dict[str, Any]) -> Table:
    """Build the table of who is right on how many faces, with McNemar's test."""
    counts, test = held["counts"], held["mcnemar"]
    names = {"both": "both", "only_a": "A alone", "only_b": "B alone", "neither": "neither"}
    discordant = counts["only_a"] + counts["only_b"]
    return Table(
        title="Who is right",
        columns=("right", "faces", "share of the faces"),
        rows=[
            (text, count(counts[name]), percent(counts[name] / held["n"]))
            for name, text in names.items()
        ],
        notes=(
            f"McNemar's test, {test['test']}, on the {discordant:,} that one alone has right: "
            f"p {_p(test['p'])}. Same answer, right or wrong: {percent(held['agreement'], 1)}.",
        ),
    )


@plots.styled
def draw_disagreements(
    images: np.ndarray,
    a: Predictions,
    b: Predictions,
    places: np.ndarray,
    *,
    classes: list[str],
    title: str,
) -> Figure:
    """Draw faces u8 `[n, h, w, c]` with their labels and what each model says of them."""
    rows, cell, text, head = -(-len(places) // COLUMNS), 1.25, 0.5, 0.55  # inches
    width, height = COLUMNS * cell, head + rows * (cell + text)
    figure = Figure(figsize=(width, height))
    grid = [
        # By hand, because a computed layout forgets the text beneath the last row.
        figure.add_axes((
            (column * cell + 0.03) / width,
            1 - (head + row * (cell + text) + cell) / height,
            (cell - 0.06) / width,
            (cell - 0.06) / height,
        ))
        for row in range(rows) for column in range(COLUMNS)
    ]
    for axes in grid:
        axes.set_axis_off()
    looks = look("A")[0], look("vgg")[0]
    for axes, image, place in zip(grid, images, places, strict=False):
        axes.imshow(image.squeeze(), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        label = int(a.labels[place])
        _write(axes, 0, f"label: {classes[label]}", INK, bold=False)
        for line, (letter, said, colour) in enumerate(zip("AB", (a, b), looks, strict=True), 1):
            answer = int(said.answers[place])
            share = 100 * float(said.probabilities[place, answer])
            right = answer == label
            _write(
                axes, line, f"{letter} {classes[answer]} {share:.0f} %{' ✓' if right else ''}",
                colour, bold=right,
            )
    figure.text(0.03 / width, 1 - 0.08 / height, title, va="top", fontsize=9.5)
    return figure


def _write(axes: Any, line: int, text: str, colour: str, *, bold: bool) -> None:
    axes.text(
        0, -0.03 - 0.125 * line, text, transform=axes.transAxes, va="top", color=colour,
        fontsize=7, weight="bold" if bold else "normal",
    )


def _page(held, folder, a, b, order, images, note, bins) -> str:
    names = [run["name"] for run in held["runs"]]
    value = held["difference"]["value"]
    accuracies = [percent(found["accuracy"], 1) for found in held["accuracies"]]
    headline = (
        f"Of {count(held['n'])} {faces_text(held)}, {names[0]} has {accuracies[0]} right and "
        f"{names[1]} {accuracies[1]}: {_points(value)} points, McNemar's p "
        f"{_p(held['mcnemar']['p'])}."
    )
    banner = ""
    if held["dataset"] == "synthetic":
        banner = (
            '<p class="banner" role="note"><strong>SYNTHETIC</strong> Every number here is made '
            "from drawn, synthetic faces, not from photographs of people.</p>"
        )
    header = (
        f"<header><h1>{escape(' and '.join(names))}</h1>{banner}"
        f'<p class="headline">{escape(headline).replace(" %", "&nbsp;%")}</p></header>'
    )
    calibrations = dict(zip(names, held["calibration"], strict=True))
    diagrams = "".join(
        figure_html(
            draw_reliability(held_bins, found, {**held, "run": name}), f"reliability-{letter}",
            folder / "figures", alt=f"Reliability diagram of {name}", kind="wide",
        )
        for letter, (name, found), held_bins in zip("ab", calibrations.items(), bins, strict=True)
    )
    body = (
        section(
            "Accuracy",
            f'<div class="pair">{table_html(comparison_table(held))}'
            f"{table_html(counts_table(held))}</div>",
        )
        + section("Disagreement", _grid(held, folder, a, b, order, images, note))
        + section("Calibration", table_html(reliability_table(calibrations, held)) + diagrams)
        + section(
            "How to repeat this",
            f"<pre>{escape(held['command'])}</pre><p class='notes'>Dataset "
            f"{escape(held['dataset'])}, protocol {escape(held['protocol'])}; bootstrap seed "
            f"{held['seed']}; commit {escape(str(held['commit']))}.</p>",
        )
    )
    footer = "Made by fer_jax from two runs' predictions. The figures as PNG are in figures/."
    return page_html(" and ".join(names), header, body, footer=footer)


def _grid(held, folder, a, b, order, images, note) -> str:
    said = f'<p class="notes">{escape(note)}</p>' if note else ""
    if not len(order):
        return "<p>The two give every face the same answer.</p>"
    if images is None:
        return said
    names = [run["name"] for run in held["runs"]]
    shown = order[: len(images)]
    title = (
        f"A {names[0]}, B {names[1]}: {len(shown):,} of {len(order):,} {faces_text(held)} with "
        "different answers,\nthose first where the less sure of the two is surest. ✓: right"
    )
    figure = draw_disagreements(images, a, b, shown, classes=held["classes"], title=title)
    alt = f"{len(shown)} faces on which {names[0]} and {names[1]} disagree"
    return said + figure_html(figure, "disagreements", folder / "figures", alt=alt, kind="grid")


def _span(found: dict[str, float]) -> str:
    return f"{100 * found['accuracy_low']:.2f}–{100 * found['accuracy_high']:.2f}"


def _points(value: float) -> str:
    return f"{100 * value:+.2f}".replace("-", "−")


def _p(value: float) -> str:
    return f"= {value:.3f}" if value >= 0.001 else "< 0.001"
