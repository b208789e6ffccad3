"""Runs that differ in their seed alone: group them, and say mean, spread and interval over them."""

import statistics
from collections.abc import Sequence
from typing import NamedTuple

from scipy.stats import t as student

from fer_jax.report.results import Run, Study


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
    mean, n = statistics.fmean(values), len(values)
    if n < 2:
        return Spread(mean, None, None, None, n)
    sd = statistics.stdev(values)
    half = float(student.ppf(0.975, n - 1)) * sd / n**0.5
    return Spread(mean, sd, mean - half, mean + half, n)


def by_spec(study: Study) -> dict[str, list[Run]]:
    """Group a study's finished runs by the line of the list that they are of, ordered by seed."""
    found: dict[str, list[Run]] = {}
    for run in sorted(study.finished, key=lambda run: run.result["seed"]):
        found.setdefault(spec_of(run.name, run.result["seed"]), []).append(run)
    # In the study's order, which is the list's.
    names = [spec_of(run.name, run.result["seed"]) for run in study.finished]
    return {name: found[name] for name in dict.fromkeys(names)}


def spec_of(run: str, seed: int) -> str:
    """Name the line of a list that a run is of: `A-1` of seed 1 is of `A`."""
    return run.removesuffix(f"-{seed}")
