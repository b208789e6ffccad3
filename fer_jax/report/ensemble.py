"""Show an ensemble: the table of rules, the size curve, disagreement and its confusion matrix."""

import json
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, PercentFormatter

from fer_jax import files
from fer_jax.report import plots
from fer_jax.report.calibration import faces_text
from fer_jax.report.elements import details, figure_html, page_html, section, table_html
from fer_jax.report.style import INK, MUTED, ON_NETWORK, look
from fer_jax.report.tables import Table
from fer_jax.report.wording import count, number, percent

MEAN = "simple mean"


def write_page(folder: Path | str) -> Path:
    """Write `folder/ensemble.html` and `folder/figures/*.png` from `folder/ensemble.json`.

    Returns the path of the page.
    """
    folder = Path(folder)
    held = json.loads((folder / "ensemble.json").read_text())
    path = folder / "ensemble.html"
    files.write_text(path, _page(held, folder / "figures"))
    return path


def rules_table(held: dict[str, Any]) -> Table:
    """Build the table of all rules against the best single model, in points of accuracy."""
    best = held["members"][held["best_single"]]["name"]
    single = held["singles"][held["best_single"]]
    rows = [("best single model", *_accuracies(single), "0", "—")]
    rows += [
        (rule["rule"], *_accuracies(rule), *_difference(rule["difference"]))
        for rule in held["rules"]
    ]
    word = " (synthetic)" if held["dataset"] == "synthetic" else ""
    return Table(
        title=f"{len(held['members'])} models on {held['n']:,} {faces_text(held)}",
        columns=(
            "rule", f"validation{word}", f"{held['split']}{word}", "difference", "95 % interval",
        ),
        rows=rows,
        notes=(
            f"Best single on validation: {best}. Difference in points of accuracy, with the 95 % "
            f"interval of a paired bootstrap over the faces ({held['resamples']:,} resamples); it "
            "does not cover other trainings. Weights are fitted on the clean validation faces; the "
            "validation column is a rule's accuracy in five-fold cross-validation on them.",
        ),
    )


def members_table(held: dict[str, Any]) -> Table:
    """Build the table of the single models."""
    rows = [
        (
            member["name"], str(member["model"]), str(member["seed"]), *_accuracies(single),
            number(single["loss"]), percent(single["ece"], 1), *_difference(single["difference"]),
        )
        for member, single in zip(held["members"], held["singles"], strict=True)
    ]
    return Table(
        title="The members alone",
        columns=(
            "run", "network", "seed", "validation", held["split"], "loss", "ECE",
            "difference to the best", "95 % interval",
        ),
        rows=rows,
    )


def quality_table(held: dict[str, Any]) -> Table:
    """Build the table of what the rules' probabilities are worth, and what was fitted."""
    rows = [
        (
            rule["rule"], number(rule["loss"]), percent(rule["ece"], 1), _p(rule["mcnemar"]["p"]),
            _fitted(rule["settings"], held),
        )
        for rule in held["rules"]
    ]
    return Table(
        title=f"Probabilities and weights, {faces_text(held)}",
        columns=("rule", "loss", "ECE", "McNemar's p", "fitted on validation"),
        rows=rows,
        notes=(
            "McNemar's p: against the best single model, not corrected for the number of rules. "
            "ECE: 15 bins of equal width. A vote's shares are no probabilities.",
        ),
    )


@plots.styled
def draw_sizes(held: dict[str, Any]) -> Figure:
    """Draw accuracy by the number of members of a simple mean."""
    figure = Figure(figsize=(5.0, 3.4), layout="constrained")
    axes = figure.add_subplot()
    colour, marker = look("A")
    other, other_marker = look("vgg")
    x = [row["size"] for row in held["sizes"]]
    axes.fill_between(
        x, [row["low"] for row in held["sizes"]], [row["high"] for row in held["sizes"]],
        color=colour, alpha=0.16, linewidth=0, label="least to most",
    )
    axes.plot(
        x, [row["mean"] for row in held["sizes"]], marker=marker, markersize=4, color=colour,
        label="mean of the ensembles of a size",
    )
    axes.plot(
        x, [row["best_first"] for row in held["sizes"]], "--", marker=other_marker, markersize=4,
        color=other, label="best on validation first",
    )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None, symbol=" %"))
    axes.set_xlabel("members of a simple mean")
    axes.set_title(f"Accuracy by size, {faces_text(held)}")
    axes.legend(loc="lower right")
    return figure


@plots.styled
def draw_disagreement(held: dict[str, Any]) -> Figure:
    """Draw the share of faces on which each pair of members answers differently."""
    shares = np.asarray(held["disagreement"])
    names = [member["name"] for member in held["members"]]
    size = len(names)
    side = 1.9 + 0.42 * size
    figure = Figure(figsize=(side, side - 0.2), layout="constrained")
    axes = figure.add_subplot()
    colour, _ = look("A")
    most = max(float(shares.max()), 1e-9)
    for row in range(size):
        for column in range(size):
            depth = shares[row, column] / most
            axes.add_patch(
                Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=colour, alpha=0.75 * depth)
            )
            ink = MUTED if row == column else ON_NETWORK if depth > 0.75 else INK
            text = "–" if row == column else f"{100 * shares[row, column]:.0f}"
            axes.text(column, row, text, ha="center", va="center", color=ink, fontsize=7.5)
    axes.set_xticks(range(size), names, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(size), names)
    axes.grid(False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set(xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5), aspect="equal")
    figure.suptitle("Different answers, % of the faces", x=0.01, ha="left", fontsize=9.5)
    return figure


def _page(held: dict[str, Any], folder: Path) -> str:
    best = max(held["rules"], key=lambda rule: rule["validation_accuracy"])
    mean = next(rule for rule in held["rules"] if rule["rule"] == MEAN)
    single = held["singles"][held["best_single"]]
    colour, _ = look("A")
    sizes = figure_html(
        draw_sizes(held), "sizes", folder, alt="Accuracy by the number of members",
        caption=_subsets(held), kind="wide",
    )
    disagreement = figure_html(
        draw_disagreement(held), "disagreement", folder,
        alt="Share of faces on which two members answer differently",
        caption="Members that err on different faces have something to add to one another.",
    )
    confusion = figure_html(
        plots.confusion(
            mean["confusion"], labels=held["classes"], title=f"{MEAN}, {faces_text(held)}",
            colour=colour,
        ),
        "confusion", folder, alt="Confusion matrix of the simple mean",
    )
    listed = "".join(
        f"<li>{escape(rule['rule'])}: {escape(rule['meaning'])}.</li>" for rule in held["rules"]
    )
    difference, span = _difference(mean["difference"])
    headline = (
        f"The simple mean of {len(held['members'])} models is right on "
        f"{percent(mean['accuracy'], 1)} of {count(held['n'])} {faces_text(held)}, the best single "
        f"one on {percent(single['accuracy'], 1)}: {difference} points ({span})."
    )
    banner = ""
    if held["dataset"] == "synthetic":
        banner = (
            '<p class="banner" role="note"><strong>SYNTHETIC</strong> Every number here is made '
            "from drawn, synthetic faces, not from photographs of people.</p>"
        )
    header = (
        f"<header><h1>Ensemble</h1>{banner}"
        f'<p class="headline">{escape(headline).replace(" %", "&nbsp;%")}</p></header>'
    )
    body = (
        section(
            "Rules",
            f'<div class="tables">{table_html(rules_table(held))}{table_html(quality_table(held))}'
            f"</div><p>Whoever has to choose a rule chooses by the validation column: there "
            f"{escape(best['rule'])} is ahead, with {escape(percent(best['validation_accuracy']))}."
            "</p>"
            + details("What the rules are", f'<ul class="plain">{listed}</ul>'),
        )
        + section("Size", sizes)
        + section(
            "Members",
            f'{table_html(members_table(held))}<div class="pair">{disagreement}{confusion}</div>',
        )
        + section("How to repeat this", _origin(held))
    )
    footer = "Made by fer_jax from ensemble.json alone. The figures as PNG are in figures/."
    return page_html("Ensemble", header, body, footer=footer)


def _origin(held: dict[str, Any]) -> str:
    runs = "".join(
        f"<li>{escape(m['name'])}: {escape(m['workdir'])}, config {escape(m['config_hash'])}, "
        f"commit {escape(str(m['commit']))}</li>"
        for m in held["members"]
    )
    return (
        f"<pre>{escape(held['command'])}</pre>"
        f'<p class="notes">Dataset {escape(held["dataset"])}, protocol '
        f"{escape(held['protocol'])}; {held['n_validation']:,} validation faces; seed "
        f"{held['seed']}; commit {escape(str(held['commit']))}; {escape(held['device'])}.</p>"
        f'<ul class="plain notes">{runs}</ul>'
    )


def _subsets(held: dict[str, Any]) -> str:
    drawn = [row["size"] for row in held["sizes"] if not row["all"]]
    if not drawn:
        return "All ensembles of each size."
    return (
        f"All ensembles of each size, except sizes {drawn[0]} to {drawn[-1]}: "
        f"{max(row['ensembles'] for row in held['sizes'])} drawn ones."
    )


def _accuracies(row: dict[str, Any]) -> tuple[str, str]:
    return percent(row["validation_accuracy"]), percent(row["accuracy"])


def _difference(found: dict[str, float]) -> tuple[str, str]:
    value, low, high = (
        f"{100 * found[name]:+.2f}".replace("-", "−") for name in ("value", "low", "high")
    )
    return value, f"{low} to {high}"


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else "< 0.001"


def _fitted(settings: dict[str, Any], held: dict[str, Any]) -> str:
    """Say what a rule took from validation, shortly."""
    if "chosen" in settings:
        pairs = zip(held["members"], settings["chosen"], strict=True)
        return ", ".join(f"{n} x {member['name']}" for member, n in pairs if n)
    for name in ("q", "C"):
        if name in settings:
            return f"{name} = {settings[name]:g}"
    return "weights" if "weights" in settings and len(set(map(str, settings["weights"]))) > 1 else (
        "nothing"
    )
