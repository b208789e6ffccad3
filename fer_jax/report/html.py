"""Write report.html: one file that asks for nothing outside it, and figures/*.png beside it."""

import json
from html import escape
from pathlib import Path

import numpy as np

from fer_jax import files
from fer_jax.report import choices, gallery, plots, tables, wording
from fer_jax.report.elements import (
    details, faces_png, figure_html, named_list, page_html, section, table_html,
)
from fer_jax.report.paper import LI_2023
from fer_jax.report.results import LABELS, Run, Study, read_study
from fer_jax.report.seeds import seeds
from fer_jax.report.style import variables
from fer_jax.report.suites import suite_section

# More faces than these are too small to see on a page.
_FACES = 10
_POINTS = 3


def write_report(workdir: Path | str) -> Path:
    """Write `workdir/report.html` and `workdir/figures/*.png` from a run's or a study's results.

    Reads results.json, metrics.jsonl and the npz files of pictures only. What is missing is left
    out or shown as a dash.

    Returns the path of report.html.

    Raises:
      UserError: there are no results in `workdir`.
    """
    workdir = Path(workdir)
    study = read_study(workdir)
    page = _page(study, workdir / "figures")
    path = workdir / "report.html"
    files.write_text(path, page)
    return path


def _page(study: Study, folder: Path) -> str:
    title = f"{study.title}: {wording.dataset_text(study)}"
    sections = [_alarms(study), _choices(study), _curves(study, folder), _cost(study)]
    sections = [*sections, _protocol(study)] if study.points else [
        _alarms(study),
        _seeds(study),
        _paper(study),
        _averages(study),
        _robustness(study, folder),
        _suites(study, folder),
        _denoising(study, folder),
        _classes(study, folder),
        gallery.examples(study, folder),
        gallery.feature_maps(study, folder),
        _curves(study, folder),
        gallery.class_sizes(study, folder),
        _cost(study),
        _protocol(study),
    ]
    footer = (
        "Made by fer_jax from this folder's result files alone. The same figures as PNG are in "
        "figures/."
    )
    return page_html(title, _header(study), "".join(filter(None, sections)), footer=footer)


def _header(study: Study) -> str:
    banner = ""
    if study.synthetic:
        banner = (
            '<p class="banner" role="note"><strong>SYNTHETIC</strong> Every number of ours here '
            "is made from drawn, synthetic faces, not from photographs of people.</p>"
        )
    facts = "".join(
        f"<div><dt>{escape(term)}</dt><dd>{escape(value)}</dd></div>"
        for term, value in wording.scale(study)
    )
    kind = "Grid" if study.points else "Study" if study.is_study else "Run"
    return (
        f"<header><h1>{kind} {escape(study.title)}</h1>{banner}"
        f'<p class="headline">{escape(_headline(study)).replace(" %", "&nbsp;%")}</p>'
        f"{_heroes(study)}<dl>{facts}</dl></header>"
    )


def _headline(study: Study) -> str:
    return choices.say_best(study) if study.points else wording.headline(study)


def _heroes(study: Study) -> str:
    """Show the accuracy under the chosen distortion large, the hybrid's and the plain VGG's."""
    cards = []
    runs = [study.run_of("A"), study.run_of("vgg")] if study.is_study else study.classifiers
    for run in filter(None, runs):
        clean, noisy = run.evaluation() or {}, study.distorted(run)
        if not noisy or noisy.get("accuracy") is None:
            continue
        syn = ' <span class="syn">synthetic</span>' if study.synthetic else ""
        flag = ' <span class="collapsed">collapsed</span>' if run.collapsed else ""
        lines = [
            f"95 % interval {wording.interval(noisy)} %{syn}",
            f"clean faces {wording.percent(clean.get('accuracy'))}{syn}",
        ]
        if run.kind in study.li_tables:
            pair = [study.li_tables[run.kind][key][1] for key in ("distorted", "clean")]
            said = " and ".join(wording.percent(value) for value in pair)
            lines.append(f"{LI_2023}: {said}")
        cards.append(
            f'<div class="hero" style="--net:{_variable(study, run)}">'
            f"<h3>{escape(run.label)}, distorted{flag}</h3>"
            f'<p class="big">{wording.percent(noisy["accuracy"])}{syn}</p>'
            + "".join(f'<p class="muted">{line}</p>' for line in lines)
            + "</div>"
        )
    return f'<div class="heroes">{"".join(cards)}</div>' if cards else ""


def _alarms(study: Study) -> str:
    items = []
    for run in study.runs:
        said = [escape(alarm) for alarm in run.alarms]
        if run.collapsed:
            said.insert(0, "the tested weights have <strong>collapsed</strong>")
        if not run.finished:
            said.append(f"not finished: no results, epochs so far: {len(run.history)}")
        items += (
            [f"<li><strong>{escape(run.label)}</strong>: {'; '.join(said)}</li>"] if said else []
        )
    if not items:
        return (
            '<p class="muted">No alarms: no run met NaN or a collapse, and its numbers fit '
            "together.</p>"
        )
    return (
        '<section class="alarms" aria-label="Alarms"><h2>Alarms</h2>'
        f"<ul>{''.join(items)}</ul></section>"
    )


def _choices(study: Study) -> str:
    table = choices.choices(study)
    return section("Choice", table_html(table, study)) if table else ""


def _paper(study: Study) -> str:
    found = tables.li_tables(study)
    ours, both = tables.ours_only(study), tables.classifiers(study)
    private = tables.private_half(study)
    if not found and not both:
        return ""
    lead = ""
    if found:
        lead = (
            f"<p>The paper: {LI_2023}, “A robust VGG network combined with Denoising Autoencoder "
            "module for human emotion recognition”, tested on 7,178 images of FER2013. Accuracy is "
            "the share of test images named right, the interval Wilson’s, in percent.</p>"
        )
    shown = [table_html(t, study) for t in [*found, ours, private, both] if t]
    heading = "The paper and ours" if found else "Accuracy"
    return section(heading, lead + f'<div class="tables">{"".join(shown)}</div>')


def _seeds(study: Study) -> str:
    table = seeds(study)
    return section("Over the seeds", table_html(table, study)) if table else ""


def _averages(study: Study) -> str:
    table = tables.averages(study)
    return section("Average of the weights", table_html(table, study)) if table else ""


def _robustness(study: Study, folder: Path) -> str:
    if study.distortion is None or not study.classifiers:
        return ""
    strengths = {
        e["strength"] for r in study.classifiers for e in r.by_strength(study.distortion[0])
    }
    if len(strengths) < 2:
        return ""
    name = wording.distortion_name(study.distortion[0])
    figure = plots.robustness(study)
    caption = (
        f"Accuracy on the test split against the strength of {name}; bands are 95 % Wilson "
        "intervals over the test images. Dotted lines: what guessing reaches."
        f"{' Synthetic faces.' if study.synthetic else ''}"
    )
    alt = f"Line chart of test accuracy by strength of {name}: " + "; ".join(
        f"{run.label} "
        + ", ".join(
            f"{wording.percent(e.get('accuracy'), 1)} at {e['strength']:g}"
            for e in run.by_strength(study.distortion[0])
        )
        for run in study.classifiers
    )
    body = figure_html(figure, "robustness", folder, alt=alt, caption=caption, kind="wide")
    return section("Accuracy against noise", body)


def _suites(study: Study, folder: Path) -> str:
    body = suite_section(study, folder)
    return section("Under corruptions", body) if body else ""


def _denoising(study: Study, folder: Path) -> str:
    table = tables.reconstruction(study)
    body = _sample_rows(study, folder) + (table_html(table, study) if table else "")
    return section("Noisy and reconstructed faces", body) if body else ""


def _sample_rows(study: Study, folder: Path) -> str:
    """Show the paper's Figure 5: what goes in, what each DAE makes of it, what was meant."""
    runs = sorted((r for r in study.runs if r.samples is not None), key=lambda r: r.kind != "dae")
    if not runs:
        return ""
    first = runs[0].samples
    rows, made = [("noisy", first["distorted"][:_FACES])], []
    for run in runs:
        recon = run.samples["recon"][:_FACES]
        same = np.array_equal(run.samples["distorted"], first["distorted"])
        if same and not any(np.array_equal(recon, other) for other in made):
            made.append(recon)
            rows.append((f"{'the' if run.kind == 'dae' else run.label + '’s'} DAE’s output", recon))
    rows.append(("clean", first["clean"][:_FACES]))
    plots.save_png(plots.samples(rows), folder / "samples.png")
    chosen = study.distortion
    if "name" in first and "strength" in first:
        chosen = (str(first["name"]), float(first["strength"]))
    faces = f"{len(rows[0][1])} {'synthetic ' if study.synthetic else ''}test faces"
    parts = [
        f"<span>{escape(name)}</span>"
        f'<img src="{faces_png(images)}" alt="{escape(f"{faces}, {name}")}">'
        for name, images in rows
    ]
    if "labels" in first:
        labels = [int(label) for label in first["labels"][:_FACES]]
        said = [study.classes[i] if i < len(study.classes) else str(i) for i in labels]
        parts.append(f"<span></span><ol>{''.join(f'<li>{name}</li>' for name in said)}</ol>")
    caption = f"As the paper’s Figure 5: {faces} under {wording.distortion_text(chosen)}."
    if len(made) > 1:
        caption += (
            " A DAE that no pixel loss trains need not give back a face: it gives what its "
            "classifier found useful."
        )
    return (
        f'<figure><div class="strips">{"".join(parts)}</div>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _classes(study: Study, folder: Path) -> str:
    colours = plots.looks(study)
    pairs = []
    for run in study.classifiers:
        figures = []
        for name, e in (("clean", run.evaluation()), ("distorted", study.distorted(run))):
            if not e or not e.get("confusion"):
                continue
            word = ", synthetic" if study.synthetic else ""
            title = f"{run.label}, {name}{word}"
            figure = plots.confusion(
                e["confusion"], labels=run.classes, title=title, colour=colours[run.name][0]
            )
            alt = f"Confusion matrix of {run.label} on {name} test images: {_diagonal(run, e)}"
            figures.append(figure_html(figure, f"confusion-{run.name}-{name}", folder, alt=alt))
        pairs.append(f'<div class="pair">{"".join(figures)}</div>' if figures else "")
    if not any(pairs):
        return ""
    recall, detail = [], []
    for distorted in (False, True):
        table = tables.recalls(study, distorted=distorted)
        if table is None:
            continue
        if study.is_study:
            figure = plots.recall(study, distorted=distorted)
            name = f"recall-{'distorted' if distorted else 'clean'}"
            alt = f"{table.title}; the table has the numbers"
            recall.append(figure_html(figure, name, folder, alt=alt))
        detail.append(table_html(table, study))
    # Points compare networks; bars with intervals say more of one.
    alone = "".join(
        gallery.accuracy_bars(study, run, folder, colour=colours[run.name][0])
        for run in (() if study.is_study else study.classifiers)
    )
    body = (
        "<h3>Confusion matrices</h3><p>Rows are the true emotions; the large figure is the "
        "share of the row in percent, the small one the number of test images.</p>"
        + "".join(pairs)
        + "<h3>Recall of each emotion</h3>"
        + (f'<div class="pair">{"".join(recall)}</div>' if study.is_study else alone)
        + details("The recalls as tables", f'<div class="tables">{"".join(detail)}</div>')
    )
    return section("Which emotions", body)


def _curves(study: Study, folder: Path) -> str:
    colours, parts = plots.looks(study), []
    # Of a grid's many points the best are enough.
    best = [point.run for point in choices.rank(study)[:_POINTS]]
    for run in best or study.runs:
        figures = []
        for quantity in ("loss", "accuracy"):
            figure = plots.curve(
                run, quantity, colour=colours[run.name][0], synthetic=study.synthetic
            )
            if figure.axes:
                alt = (
                    f"{quantity.capitalize()} of {run.label} by epoch. {_last_epoch(run, quantity)}"
                )
                figures.append(figure_html(figure, f"curve-{run.name}-{quantity}", folder, alt=alt))
        if not figures:
            continue
        paper = study.li_tables.get(run.kind) if study.run_of(run.kind) is run else None
        note = f" <span class='muted'>(the paper’s {paper['curves']})</span>" if paper else ""
        parts.append(
            f'<h3>{escape(run.label)}{note}</h3><div class="pair">{"".join(figures)}</div>'
        )
    stopped = [
        f"{LABELS[kind]} {paper['stopped']}"
        for kind, paper in study.li_tables.items()
        if study.run_of(kind)
    ]
    note = f"<p class='notes'>Epochs in the paper: {', '.join(stopped)}.</p>" if stopped else ""
    return section("Training curves", "".join(parts) + note) if parts else ""


def _cost(study: Study) -> str:
    table = tables.size_and_cost(study)
    recorded = []
    for run in study.finished:
        cost = run.result.get("cost") or {}
        said = "; ".join(f"{name}: {_scalar(value)}" for name, value in cost.items())
        recorded += [(run.label, said)] if said else []
    more = details("All that was recorded", named_list(recorded)) if recorded else ""
    return section("Size and cost", (table_html(table, study) if table else "") + more)


def _protocol(study: Study) -> str:
    notes = "".join(f"<li>{escape(note)}</li>" for note in wording.notes(study))
    commands = "\n".join(escape(command) for command in wording.commands(study))
    every = tables.all_evaluations(study)
    versions = next((r.result["versions"] for r in study.finished if r.result.get("versions")), {})
    said = ", ".join(f"{name} {version}" for name, version in versions.items())
    configs = {r.name: r.result.get("config") for r in study.finished if r.result.get("config")}
    return section(
        "How to read and repeat this",
        (f'<ul class="plain">{notes}</ul>' if notes else "")
        + (f"<h3>Command</h3><pre>{commands}</pre>" if commands else "")
        + (f'<p class="notes">Versions: {escape(said)}.</p>' if said else "")
        + (details("Every evaluation", table_html(every, study)) if every else "")
        + (
            details("Configs", f"<pre>{escape(json.dumps(configs, indent=1))}</pre>")
            if configs
            else ""
        ),
    )


def _variable(study: Study, run: Run) -> str:
    return f"var(--{variables()[plots.looks(study)[run.name][0]]})"


def _diagonal(run: Run, evaluation: dict) -> str:
    recall = (evaluation.get("per_class") or {}).get("recall") or []
    pairs = zip(run.classes, recall, strict=False)
    return ", ".join(f"{name} {wording.percent(value, 0)} right" for name, value in pairs)


def _last_epoch(run: Run, quantity: str) -> str:
    last = run.history[-1]
    said = [
        f"{part} {wording.number(last[key])}"
        for part in ("train", "validation")
        if last.get(key := f"{part}_{quantity}") is not None
    ]
    return f"At epoch {last['epoch']}: {', '.join(said)}."


def _scalar(value: object) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else str(value)
