"""Show a suite of corruptions: a table, a heat-map, and the runs of a study side by side."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from fer_jax.report import plots
from fer_jax.report.elements import figure_html, table_html
from fer_jax.report.results import Run, Study
from fer_jax.report.style import INK, MUTED, ON_NETWORK
from fer_jax.report.tables import Table
from fer_jax.report.wording import MISSING, count, percent, tag

TITLES = {"fer2013-c": "FER2013-C"}


def suite_table(entry: dict[str, Any], *, title: str = "") -> Table:
    """Build the table of one suite, in percent: a row a corruption, and the means."""
    errors = entry.get("errors") or {}
    ce, relative = errors.get("ce") or {}, errors.get("relative_ce") or {}
    rows = []
    for name, cells in entry["cells"].items():
        values = [cell["accuracy"] for cell in cells]
        spread = [cell["sd"] for cell in cells if cell["sd"] is not None]
        mark = "*" if name in entry["trained_on"] else ""
        rows.append((
            words(name) + mark, *map(_points, values), _points(float(np.mean(values))),
            _points(max(spread)) if spread else MISSING, _points(ce.get(name)),
            _points(relative.get(name)),
        ))
    blank = ("",) * len(next(iter(entry["cells"].values())))
    for label, part in (("mean of all", ""), ("mean, not trained on", "_untrained")):
        rows.append((
            label, *blank, _points(entry[f"mean_accuracy{part}"]), "",
            _points(errors.get(f"mce{part}")), _points(errors.get(f"relative_mce{part}")),
        ))
    return Table(
        title=title or heading(entry),
        columns=("corruption", *map(str, range(1, len(blank) + 1)), "mean", "sd", "CE", "rel. CE"),
        rows=rows,
        notes=_notes(entry, errors),
    )


def comparison_table(study: Study, suite: str) -> Table | None:
    """Compare all runs of a study that ran a suite, one row a run and filter; None without two."""
    entries = [(run, e) for run in study.finished for e in suites_of(run) if e["suite"] == suite]
    if len(entries) < 2:
        return None
    rows = []
    for run, entry in entries:
        errors = entry.get("errors") or {}
        rows.append((
            run.label + (f" behind {entry['filter']}" if entry["filter"] else ""), entry["split"],
            count(entry["n"]), percent(entry["clean"], 1), percent(entry["mean_accuracy"], 1),
            percent(entry["mean_accuracy_untrained"], 1), percent(errors.get("mce"), 1),
            percent(errors.get("mce_untrained"), 1), percent(errors.get("relative_mce"), 1),
        ))
    return Table(
        title=f"{TITLES[suite]}: all runs{tag(study)}",
        columns=(
            "network", "split", "faces", "clean", "mean of 15", "not trained on", "mCE",
            "mCE, not trained on", "relative mCE",
        ),
        rows=rows,
        notes=("Accuracy; mCE and relative mCE are errors relative to the reference's.",),
    )


def suite_section(study: Study, folder: Path) -> str:
    """Return ready HTML for all suites of all runs, and write their heat-maps; "" without any."""
    shown = [(run, entry) for run in study.finished for entry in suites_of(run)]
    parts = []
    for suite in dict.fromkeys(entry["suite"] for _, entry in shown):
        table = comparison_table(study, suite)
        parts += [table_html(table, study)] if table else []
    for run, entry in shown:
        title = f"{run.label}, {heading(entry)}{tag(study)}"
        over = f"{run.label}{tag(study)}\n{heading(entry)}"
        figure = heat_map(entry, title=over, colour=plots.looks(study)[run.name][0])
        name = "-".join(filter(None, (
            entry["suite"], run.name, entry["split"], entry["filter"],
            f"n{entry['n']}" if entry["n"] < entry["of"] else "",
        )))
        table = suite_table(entry, title=title)
        alt = f"Heat-map of accuracy by corruption and severity: {title}; the table has the numbers"
        parts.append(figure_html(figure, name, folder, alt=alt, kind="wide"))
        parts.append(table_html(table, study))
    return "".join(parts)


@plots.styled
def heat_map(entry: dict[str, Any], *, title: str, colour: str) -> Figure:
    """Draw the accuracy, in percent, of each corruption and severity; darker is better."""
    names = list(entry["cells"])
    values = np.array([[cell["accuracy"] for cell in entry["cells"][name]] for name in names])
    values = np.concatenate([values, values.mean(1, keepdims=True)], axis=1)
    low, high = min(1 / 7, values.min()), max(entry["clean"], values.max())
    figure = Figure(figsize=(5.0, 5.6), layout="constrained")
    axes = figure.add_subplot()
    # Half a row between groups, and half a column before the mean.
    starts = {group["corruptions"][0] for group in entry["groups"].values()}
    top = np.cumsum([0.0] + [1.35 if name in starts else 1.0 for name in names[1:]])
    left = np.arange(values.shape[1]) + 0.3 * (np.arange(values.shape[1]) == values.shape[1] - 1)
    for y, row in zip(top, values, strict=True):
        for x, value in zip(left, row, strict=True):
            share = (value - low) / max(high - low, 1e-9)
            axes.add_patch(Rectangle(
                (x - 0.48, y - 0.46), 0.96, 0.92, facecolor=colour, alpha=0.04 + 0.76 * share,
                linewidth=0,
            ))
            ink = ON_NETWORK if share > 0.85 else INK
            axes.text(x, y, f"{100 * value:.1f}", ha="center", va="center", color=ink, fontsize=8)
    marks = ["*" if name in entry["trained_on"] else "" for name in names]
    axes.set_yticks(top, [words(n) + m for n, m in zip(names, marks, strict=True)])
    for label in axes.get_yticklabels():
        label.set_color(INK)
    axes.set_xticks(left, [*map(str, range(1, values.shape[1])), "mean"])
    axes.xaxis.tick_top()
    axes.grid(False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set(xlim=(-0.5, left[-1] + 0.5), ylim=(top[-1] + 0.5, -0.5))
    axes.set_title(title)
    note = f"accuracy, %; columns: severity; clean faces: {100 * entry['clean']:.1f} %"
    if any(marks):
        note += "; * trained on"
    axes.set_xlabel(note, color=MUTED, fontsize=7.5)
    return figure


def heading(entry: dict[str, Any]) -> str:
    """Name a suite with its split, its filter and, if it is a part, how many faces."""
    text = f"{TITLES[entry['suite']]}, {entry['split']}"
    if entry["filter"]:
        text += f", behind {entry['filter']}"
    if entry["views"] != "plain":
        text += f", {entry['views']} views"
    if entry["n"] < entry["of"]:
        text += f", {entry['n']} of {entry['of']} faces"
    return text


def words(name: str) -> str:
    """Give a corruption's name in words."""
    return name.replace("_", " ").replace("gaussian", "Gaussian").replace("jpeg", "JPEG")


def suites_of(run: Run) -> list[dict[str, Any]]:
    """Return the suites in a run's results."""
    return run.result.get("suites") or []


def _notes(entry: dict[str, Any], errors: dict[str, Any]) -> tuple[str, ...]:
    notes = [
        f"Accuracy, %, on {entry['n']} faces; clean {_points(entry['clean'])}. sd: the greatest of "
        f"a row, over {entry['draws']} draws."
    ]
    if entry["trained_on"]:
        notes.append("* trained on.")
    if not entry.get("reference"):
        notes.append("CE needs a reference: --reference=WORKDIR of a plain VGG's suite.")
        return tuple(notes)
    notes.append(
        f"CE: errors in % of those of {entry['reference']['run']} (clean "
        f"{_points(entry['reference']['clean'])}); the last rows are mCE."
    )
    undefined = errors.get("relative_undefined")
    if undefined:
        said = ", ".join(map(words, undefined))
        notes.append(f"Rel. CE is not defined where the reference loses nothing: {said}.")
    return tuple(notes)


def _points(value: float | None) -> str:
    return MISSING if value is None else f"{100 * value:.1f}"
