"""What a grid chooses from: its points by their validation metric, as a table and as CSV."""

import csv
import io
import statistics
from pathlib import Path
from typing import Any, NamedTuple

from fer_jax import files
from fer_jax.report.results import Run, Study, read_study
from fer_jax.report.tables import Table
from fer_jax.report.wording import MISSING, count, number, percent, tag

CSV = "points.csv"


class Point(NamedTuple):
    """A point of a grid: what it sets, by the field's path, and the epoch whose weights it keeps.

    `epoch` is that row of metrics.jsonl, empty while the run is unfinished or has no such row.
    """

    run: Run
    sets: dict[str, Any]
    epoch: dict[str, Any]

    @property
    def loss(self) -> float | None:
        """Return the validation loss; None is NaN or unfinished."""
        return self.epoch.get("validation_loss")

    @property
    def accuracy(self) -> float | None:
        """Return the validation accuracy, 0..1; None of a DAE."""
        return self.epoch.get("validation_accuracy")


def rank(study: Study) -> list[Point]:
    """List a grid's points, the best first: by validation accuracy, of DAEs by validation loss.

    Equal ones by loss, then in the grid's order; those without a number come last.
    """
    runs = {run.name: run for run in study.runs}
    points = [
        Point(runs[name], sets, _kept(runs[name]))
        for name, sets in (study.points or {}).items() if name in runs
    ]

    def key(point):
        undefined = point.loss is None
        return undefined, -(point.accuracy or 0.0), 0.0 if undefined else point.loss

    return sorted(points, key=key)


def choices(study: Study) -> Table | None:
    """Build the table of a grid's points, the best first; None if the study is no grid.

    It holds validation numbers only: what is chosen by test faces cannot be tested by them.
    """
    points = rank(study)
    if not points:
        return None
    axes = varied(points)
    rows = []
    for place, point in enumerate(points, start=1):
        mark = " best" if place == 1 and _chooses(points) else ""
        mark = mark if point.run.finished else " unfinished"
        rows.append(
            (
                f"{place}{mark}",
                *(_cell(point.sets[path]) for path in axes),
                count(point.epoch.get("epoch")),
                number(point.loss),
                percent(point.accuracy) + (" collapsed" if point.run.collapsed else ""),
            )
        )
    names = _short(axes)
    return Table(
        title=f"{study.title}: {len(points)} points on validation faces{tag(study)}",
        columns=("rank", *names, "epoch", "loss", "accuracy"),
        rows=rows,
        notes=_notes(points),
    )


def say_best(study: Study) -> str:
    """Name the best point of a grid in one sentence."""
    points = rank(study)
    if not points or points[0].loss is None:
        return "No point of the grid has a number yet."
    best, done = points[0], sum(point.run.finished for point in points)
    said = f"accuracy {percent(best.accuracy, 1)}" if best.accuracy else f"loss {number(best.loss)}"
    text = f"On validation faces{tag(study)} the best of {len(points)} points is {best.run.name}: "
    text += said + "."
    return text if done == len(points) else f"{text} {len(points) - done} are not finished."


def write_csv(workdir: Path | str) -> Path:
    """Write a grid's points, the best first, to `workdir/points.csv`; undefined cells are empty."""
    points = rank(read_study(workdir))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    measured = ("epochs", "best_epoch", "validation_loss", "validation_accuracy")
    writer.writerow(("point", *(points[0].sets if points else ()), *measured))
    for point in points:
        epochs = (len(point.run.history), point.epoch.get("epoch"))
        writer.writerow((point.run.name, *point.sets.values(), *epochs, point.loss, point.accuracy))
    path = Path(workdir) / CSV
    files.write_text(path, text.getvalue())
    return path


def varied(points: list[Point]) -> list[str]:
    """List the fields in which the points differ."""
    return [
        path for path in points[0].sets
        if any(point.sets[path] != points[0].sets[path] for point in points)
    ]


def _chooses(points: list[Point]) -> bool:
    """Tell whether there is anything to choose: a seed is not chosen."""
    return varied(points) not in ([], ["seed"]) and points[0].loss is not None


def _notes(points: list[Point]) -> tuple[str, ...]:
    measure = "accuracy" if points[0].accuracy is not None else "loss"
    if not _chooses(points):
        values = [v for v in (getattr(point, measure) for point in points) if v is not None]
        if len(values) < 2:
            return ()
        form = percent if measure == "accuracy" else number
        mean, spread = statistics.mean(values), statistics.stdev(values)
        return (f"Mean {form(mean)}, standard deviation {form(spread)}.",)
    return (
        f"By the validation {measure} of the epoch whose weights are kept. No test face is "
        "looked at here; test the chosen point alone: python -m fer_jax.evaluate "
        "--workdir=WORKDIR/POINT --split=test",
        f"The best is {points[0].run.name}.",
    )


def _kept(run: Run) -> dict[str, Any]:
    """Give the row of the epoch whose weights the results are of, or would be."""
    rows = {row["epoch"]: row for row in run.history}
    last = max(rows, default=None)
    if run.result.get("weights") == "last":
        return rows.get(last, {})
    return rows.get(run.result.get("best_epoch", last), {})


def _short(paths: list[str]) -> list[str]:
    last = [path.rpartition(".")[2] for path in paths]
    return [name if last.count(name) == 1 else path for path, name in zip(paths, last, strict=True)]


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(_cell, value)) or MISSING
    return f"{value:g}" if isinstance(value, float) else str(value)
