"""Build the report's tables as plain rows of text, for HTML, the terminal and Markdown alike."""

import statistics
from typing import Any, NamedTuple

from fer_jax.report.paper import FER2013_TRAINING_ENTROPY, LI_DAE_BCE, LI_TABLES
from fer_jax.report.results import Run, Study
from fer_jax.report.wording import (
    MISSING,
    count,
    distortion_name,
    distortion_text,
    interval,
    number,
    percent,
    strength_symbol,
    tag,
)


class Table(NamedTuple):
    """A table of text: the first column names the row, the others hold its values."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    notes: tuple[str, ...] = ()


def markdown(table: Table) -> str:
    """Write a table as GitHub Markdown, with its title above and its notes below."""

    def line(cells: tuple[str, ...]) -> str:
        safe = (" ".join(str(c).split()).replace("|", "\\|").replace("<", "&lt;") for c in cells)
        return "| " + " | ".join(safe) + " |"

    rule = "|---|" + "---:|" * (len(table.columns) - 1)
    lines = [f"**{table.title}**", "", line(table.columns), rule, *map(line, table.rows)]
    if table.notes:
        lines += ["", " ".join(table.notes)]
    return "\n".join(lines) + "\n"


def li_tables(study: Study) -> list[Table]:
    """Build Li's Tables 2-4, the paper beside ours: all of them if a study ran any."""
    kinds = [kind for kind in study.li_tables if study.is_study or study.run_of(kind)]
    return [_li_table(study, kind) for kind in kinds]


def _li_table(study: Study, kind: str) -> Table:
    paper, run, ours = LI_TABLES[kind], study.run_of(kind), f"ours{tag(study)}"
    rows = []
    for name, evaluation in (
        ("clean", run and run.evaluation()),
        ("distorted", run and study.distorted(run)),
    ):
        loss, accuracy = paper[name]
        e = evaluation or {}
        rows.append(
            (
                name,
                number(loss),
                number(e.get("loss")),
                percent(accuracy),
                _accuracy_cell(run, e),
                interval(e),
            )
        )
    return Table(
        title=f"{paper['place']}: {paper['name']}",
        columns=(
            "test images",
            "loss, paper",
            f"loss, {ours}",
            "accuracy, paper",
            f"accuracy, {ours}",
            "95 % interval",
        ),
        rows=rows,
        notes=_li_notes(study, run),
    )


def _li_notes(study: Study, run: Run | None) -> tuple[str, ...]:
    if run is None:
        return ("Not run here.",)
    if not run.finished:
        return ("Not finished: no results yet.",)
    notes = list(_how(study, [run]))
    if run.collapsed:
        notes.append("Collapsed: it gives (nearly) every clean face the same emotion.")
    return tuple(notes)


def classifiers(study: Study) -> Table | None:
    """Compare all classifiers on the test split, clean and under the chosen distortion."""
    if not study.classifiers:
        return None
    rows = []
    for run in study.classifiers:
        clean, noisy = run.evaluation() or {}, study.distorted(run) or {}
        rows.append(
            (
                run.label,
                _accuracy_cell(run, clean),
                interval(clean),
                number(clean.get("macro_f1"), 3),
                percent(noisy.get("accuracy")),
                interval(noisy),
                number(noisy.get("macro_f1"), 3),
                _points(clean, noisy),
            )
        )
    word = "synthetic, " if study.synthetic else ""
    return Table(
        title=f"All classifiers, test split{tag(study)}",
        columns=(
            "network",
            f"accuracy ({word}clean)",
            "95 % interval",
            f"macro F1 ({word}clean)",
            f"accuracy ({word}distorted)",
            "95 % interval",
            f"macro F1 ({word}distorted)",
            "change, points",
        ),
        rows=rows,
        notes=_how(study, study.classifiers),
    )


def _how(study: Study, runs: list[Run]) -> tuple[str, ...]:
    """Say how the faces of a table were distorted, and which networks saw more than one view."""
    notes = [f"Distorted: {distortion_text(study.distortion)}."]
    for views in sorted({run.views for run in runs} - {"plain"}):
        labels = ", ".join(run.label for run in runs if run.views == views)
        notes.append(f"By {views} views, averaged: {labels}.")
    return tuple(notes)


def ours_only(study: Study) -> Table | None:
    """Build the table of the networks that stand beside Li's and have no table there, or None."""
    li = study.li_tables
    runs = [r for r in study.classifiers if r is not study.run_of(r.kind) or r.kind not in li]
    return _by_input("Not in the paper", runs, study) if li and runs else None


def accuracies(study: Study) -> Table | None:
    """Build the narrow table of all classifiers, a row for each kind of test image, or None."""
    runs = study.classifiers
    return _by_input(f"Test split{tag(study)}", runs, study) if runs else None


def _by_input(title: str, runs: list[Run], study: Study) -> Table:
    rows = []
    for run in runs:
        for name, e in (("clean", run.evaluation()), ("distorted", study.distorted(run))):
            e = e or {}
            cell = _accuracy_cell(run, e)
            rows.append((run.label, name, number(e.get("loss")), cell, interval(e)))
    ours = f"ours{tag(study)}"
    return Table(
        title=title,
        columns=("network", "test images", f"loss, {ours}", f"accuracy, {ours}", "95 % interval"),
        rows=rows,
        notes=_how(study, runs),
    )


def averages(study: Study) -> Table | None:
    """Set the averages of the weights beside the weights as they were trained, or None."""
    rows = []
    for run in study.finished:
        pairs = {
            "clean": (run.evaluation(), run.evaluation(weights="raw")),
            "distorted": (study.distorted(run), study.distorted(run, weights="raw")),
        }
        for name, (average, raw) in pairs.items():
            if average and raw:
                losses = [number(e.get("loss")) for e in (average, raw)]
                accuracies = [percent(e.get("accuracy")) for e in (average, raw)]
                rows.append((run.label, name, *losses, *accuracies, _points(raw, average)))
    if not rows:
        return None
    return Table(
        title=f"Average of the weights, and the weights as trained{tag(study)}",
        columns=(
            "network", "test images", "loss, average", "loss, trained", "accuracy, average",
            "accuracy, trained", "points",
        ),
        rows=rows,
        notes=("Test split. Everything else here is by the average; it is an exponential one.",),
    )


def private_half(study: Study) -> Table | None:
    """Build the accuracies on FER2013's PrivateTest where it is not the test split itself."""
    rows = []
    for run in study.classifiers:
        clean, test = run.evaluation(split="private"), run.evaluation()
        if clean is None or (test and test.get("n") == clean.get("n")):
            continue
        noisy = study.distorted(run, split="private") or {}
        rows.append(
            (
                run.label,
                _accuracy_cell(run, clean),
                interval(clean),
                percent(noisy.get("accuracy")),
                interval(noisy),
            )
        )
    if not rows:
        return None
    return Table(
        title="PrivateTest alone",
        columns=("network", "accuracy, clean", "95 % interval", "distorted", "95 % interval"),
        rows=rows,
        notes=("Ours only; one half of the test split above.",),
    )


def reconstruction(study: Study) -> Table | None:
    """Build the DAE's pixel cross-entropy over the strengths of the chosen distortion, or None."""
    dae = study.run_of("dae")
    if dae is None or not dae.finished or study.distortion is None:
        return None
    name, chosen = study.distortion
    by_split = {s: dae.by_strength(name, split=s) for s in ("validation", "test")}
    losses = {(s, e["strength"]): e.get("loss") for s, es in by_split.items() for e in es}
    splits = [s for s in by_split if by_split[s]]
    if not splits:
        return None
    symbol = strength_symbol(name)
    rows = []
    for strength in sorted({strength for _, strength in losses}):
        label = f"{symbol} = {strength:g}" if strength else "clean"
        label += " (chosen)" if abs(strength - chosen) < 1e-9 else ""
        rows.append((label, *(number(losses.get((s, strength))) for s in splits)))
    notes = ["Binary cross-entropy in nats a pixel."]
    if study.dataset in ("fer2013", "synthetic"):
        blank = (MISSING,) * (len(splits) - 1)
        rows.append(("paper, end of training", *blank, number(LI_DAE_BCE)))
        notes.append(
            "The paper does not say of which images its number is, nor at which strength."
        )
    if study.dataset == "fer2013":
        notes.append(
            "A perfect reconstruction of FER2013's Training images has "
            f"{FER2013_TRAINING_ENTROPY:.4f}, not 0; the floor of other images differs."
        )
    return Table(
        title=f"Reconstruction by the DAE under {distortion_name(name)}",
        columns=("input", *(f"{s}{tag(study)}" for s in splits)),
        rows=rows,
        notes=tuple(notes),
    )


def recalls(study: Study, *, distorted: bool) -> Table | None:
    """Build each classifier's recall of each emotion on the test split, or None."""
    columns, cells = [], []
    for run in study.classifiers:
        e = study.distorted(run) if distorted else run.evaluation()
        recall = ((e or {}).get("per_class") or {}).get("recall")
        if recall:
            columns.append(run.label)
            cells.append([percent(value, 1) for value in recall])
    if not columns:
        return None
    images = f"distorted, {distortion_text(study.distortion)}" if distorted else "clean"
    return Table(
        title=f"Recall of each emotion, {images}{tag(study)}",
        columns=("emotion", *columns),
        rows=[(name, *values) for name, *values in zip(study.classes, *cells, strict=False)],
    )


def size_and_cost(study: Study) -> Table | None:
    """Build the table of parameters, epochs and training time."""
    if not study.runs:
        return None
    rows = []
    for run in study.runs:
        parameters = run.result.get("parameters") or {}
        epochs = run.result.get("epochs") or len(run.history) or None
        best = run.result.get("best_epoch")
        seconds = [e["seconds"] for e in run.history if e.get("seconds") is not None]
        speeds = [e["images_per_second"] for e in run.history if e.get("images_per_second")]
        rows.append(
            (
                run.label + ("" if run.finished else " (unfinished)"),
                count(parameters.get("trainable")),
                count(parameters.get("frozen")),
                count(parameters.get("non_trainable")),
                f"{count(epochs)} ({count(best)})" if best is not None else count(epochs),
                count(statistics.median(speeds)) if speeds else MISSING,
                f"{sum(seconds) / 60:.1f}" if seconds else MISSING,
            )
        )
    return Table(
        title="Parameters and cost",
        columns=(
            "network",
            "trainable",
            "frozen",
            "running statistics",
            "epochs (best)",
            "images/s",
            "minutes",
        ),
        rows=rows,
        notes=("Images/s is the median epoch's, in training; minutes are the sum of the epochs.",),
    )


def all_evaluations(study: Study) -> Table | None:
    """List every evaluation of every run."""
    rows = [
        (
            run.label,
            str(e.get("split")),
            _views(e),
            _input(e) + (f", {e['weights']} weights" if e.get("weights") else ""),
            count(e.get("n")),
            number(e.get("loss")),
            percent(e.get("accuracy")),
            interval(e),
            percent(e.get("balanced_accuracy")),
            number(e.get("macro_f1")),
        )
        for run in study.finished
        for e in run.evaluations
    ]
    if not rows:
        return None
    return Table(
        title=f"Every evaluation{tag(study)}",
        columns=(
            "network",
            "split",
            "views",
            "input",
            "n",
            f"loss{tag(study)}",
            f"accuracy{tag(study)}",
            "95 % interval",
            f"balanced accuracy{tag(study)}",
            f"macro F1{tag(study)}",
        ),
        rows=rows,
    )


def _views(evaluation: dict[str, Any]) -> str:
    views, average = evaluation.get("views") or MISSING, evaluation.get("average")
    return f"{views}, {average}" if average else views


def _input(evaluation: dict[str, Any]) -> str:
    name, strength = evaluation.get("distortion") or "clean", evaluation.get("strength")
    return "clean" if name == "clean" else distortion_text((name, strength or 0.0))


def _accuracy_cell(run: Run | None, evaluation: dict[str, Any]) -> str:
    text = percent(evaluation.get("accuracy"))
    return f"{text} collapsed" if run and run.collapsed and text != MISSING else text


def _points(clean: dict[str, Any], noisy: dict[str, Any]) -> str:
    before, after = clean.get("accuracy"), noisy.get("accuracy")
    if before is None or after is None:
        return MISSING
    return f"{100 * (after - before):+.1f}".replace("-", "−")
