"""Several seeds of one run: mean, spread and interval over them, and the table that says them."""

import statistics
from collections.abc import Sequence
from typing import Any, NamedTuple

from fer_jax.report.results import Study
from fer_jax.report.tables import Table
from fer_jax.report.wording import MISSING, distortion_text, number, tag


class Spread(NamedTuple):
    """What one value is over seeds; `sd`, `low` and `high` are None for a single seed.

    Attributes:
      mean: of the values.
      sd: their standard deviation, with n - 1 degrees of freedom.
      low, high: ends of Student's t interval of the mean, 95 %.
      n: how many there are.
    """

    mean: float
    sd: float | None
    low: float | None
    high: float | None
    n: int


def over_seeds(values: Sequence[float]) -> Spread:
    """Summarise one value of each seed; there must be at least one."""
    # Here, because it takes a second and most reports are of one seed.
    from scipy.stats import t as student

    mean, n = statistics.fmean(values), len(values)
    if n < 2:
        return Spread(mean, None, None, None, n)
    sd = statistics.stdev(values)
    half = float(student.ppf(0.975, n - 1)) * sd / n**0.5
    return Spread(mean, sd, mean - half, mean + half, n)


def seeds(study: Study) -> Table | None:
    """Build the table of a study whose runs differ in their seed alone; None if it is another.

    A row is an evaluation: its accuracy, or of a DAE its loss, over the seeds that have it.
    """
    if not _differ_in_seed_alone(study):
        return None
    measure, head = ("accuracy", "accuracy, %") if study.classifiers else ("loss", "loss")
    found: dict[tuple[str, str], list[float]] = {}
    for run in study.finished:
        for entry in run.evaluations:
            value = entry.get(measure)
            if value is not None:
                found.setdefault((str(entry.get("split")), _input(entry)), []).append(value)
    rows = []
    for (split, faces), values in found.items():
        spread = over_seeds(values)
        cells = [_text(value, measure) for value in (spread.mean, spread.sd)]
        rows.append((split, faces, *cells, _interval(spread, measure), str(spread.n)))
    if not rows:
        return None
    return Table(
        title=f"{study.title}: {len(study.finished)} seeds{tag(study)}",
        columns=("split", "faces", f"mean {head}", "sd", "95 % interval", "seeds"),
        rows=rows,
        notes=("The interval is Student's t over the seeds: of their mean, not of one run.",),
    )


def _text(value: float | None, measure: str) -> str:
    if measure == "loss" or value is None:
        return number(value)
    return f"{100 * value:.2f}"


def _interval(spread: Spread, measure: str) -> str:
    if spread.sd is None:
        return MISSING
    ends = spread.low, spread.high
    if measure == "accuracy":
        # No share is beyond these, though a t interval of few seeds knows nothing of that.
        ends = max(spread.low, 0.0), min(spread.high, 1.0)
    return "–".join(_text(end, measure) for end in ends)


def _differ_in_seed_alone(study: Study) -> bool:
    configs = [dict(run.result.get("config") or {}) for run in study.finished]
    drawn = [config.pop("seed", None) for config in configs]
    return (
        len(configs) > 1 and len(set(drawn)) == len(drawn)
        and all(config and config == configs[0] for config in configs)
    )


def _input(entry: dict[str, Any]) -> str:
    name, strength = entry.get("distortion") or "clean", entry.get("strength") or 0.0
    faces = "clean" if name == "clean" else distortion_text((name, strength))
    for more, plain in (("views", "plain"), ("average", None), ("weights", None)):
        if entry.get(more) not in (None, plain):
            faces += f", {entry[more]}"
    return faces
