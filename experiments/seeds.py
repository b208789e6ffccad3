"""Runs of an experiment that differ in their seed alone: group them by their line of the list."""

from fer_jax.report.results import Run, Study


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
