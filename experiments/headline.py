"""The README's top: PrivateTest under noise in one picture and one table, PyPI `fer` beside ours."""

from pathlib import Path
from typing import NamedTuple

from fer_jax.configuring import REPOSITORY
from fer_jax.report.results import Run, Study, read_study
from fer_jax.report.tables import Table
from fer_jax.report.wording import MISSING, count, percent

RESULTS = Path("results")
STUDY = RESULTS / "vgg_dae-small"
BASELINE = RESULTS / "pypi_fer"
SHIPPED = RESULTS / "shipped"
NOISE = "random_grey"
TOLD = (0.1, 0.2)  # the strengths that the sentence names


class Sources(NamedTuple):
    """What the top is made of; a run that is not there is left out."""

    study: Study
    baseline: Run | None
    shipped: Run | None


def read_sources(root: Path = REPOSITORY) -> Sources:
    """Read the study, the baseline and the shipped network's run from results/."""
    return Sources(read_study(root / STUDY), _only_run(root / BASELINE), _only_run(root / SHIPPED))


def gather(sources: Sources) -> Study:
    """Return a study of all the classifiers, whose "test" is FER2013's PrivateTest for each."""
    study, baseline, shipped = sources
    runs = [_on_private(run, "private") for run in study.classifiers]
    if shipped:
        runs.insert(0, _on_private(shipped, "private")._replace(label="Shipped ResNet9"))
    if baseline:
        label = f"PyPI fer {baseline.result['versions']['fer']}"
        runs.insert(0, _on_private(baseline, "test")._replace(label=label))
    return Study("PrivateTest", runs, True)


def table(gathered: Study) -> Table:
    """Build the table: accuracy at each strength, a row for each network."""
    rows = [(run, {e["strength"]: e for e in run.by_strength(NOISE)}) for run in gathered.runs]
    faces = max(e["n"] for _, entries in rows for e in entries.values())
    strengths = sorted({strength for _, entries in rows for strength in entries})
    columns = tuple("clean" if s == 0 else f"p = {s:g}" for s in strengths)
    return Table(
        title="FER2013 PrivateTest, each pixel a random grey level with probability p: accuracy, %",
        columns=("network", "parameters", *columns),
        rows=[
            (run.label, _parameters(run), *(_cell(entries.get(s)) for s in strengths))
            for run, entries in rows
        ],
        notes=(
            f"In brackets the Wilson 95 % interval over the {count(faces)} faces; it does not "
            "cover other seeds.",
        ),
    )


def sentence(sources: Sources) -> str:
    """Say what becomes of each kind of network under noise, from the results alone."""
    baseline, shipped = sources.baseline, sources.shipped
    said = []
    if baseline:
        said.append(
            f"PyPI `fer`, the package that people install, falls {_fall(baseline, 'test')}"
        )
    if shipped:
        size = count(shipped.result["parameters"]["trainable"])
        said.append(
            f"the network of {size} parameters that is shipped here goes "
            f"{_fall(shipped, 'private')}"
        )
    for kind, name in (("vgg", "a small plain VGG"), ("A", "the same VGG behind a frozen DAE")):
        if run := sources.study.run_of(kind):
            said.append(f"{name} goes {_fall(run, 'private')}")
    strengths = " and ".join(f"{strength:g}" for strength in TOLD)
    return (
        f"On FER2013's PrivateTest, when each pixel becomes a random grey level with probability "
        f"{strengths}: {'; '.join(said)}."
    )


def _fall(run: Run, split: str) -> str:
    clean = run.evaluation(split=split)
    noisy = [run.evaluation(NOISE, strength, split=split) for strength in TOLD]
    reached = " and ".join(percent(e["accuracy"], 1) for e in noisy if e)
    return f"from {percent(clean['accuracy'], 1)} to {reached}"


def _only_run(folder: Path) -> Run | None:
    if not (folder / "results.json").exists():
        return None
    (run,) = read_study(folder).runs
    return run


def _on_private(run: Run, split: str) -> Run:
    held = [entry | {"split": "test"} for entry in run.evaluations if entry["split"] == split]
    return run._replace(result=run.result | {"evaluations": held})


def _parameters(run: Run) -> str:
    parameters = run.result.get("parameters") or {}
    return count(parameters.get("trainable", 0) + parameters.get("frozen", 0))


def _cell(evaluation: dict | None) -> str:
    if evaluation is None:
        return MISSING
    low, high = evaluation["accuracy_low"], evaluation["accuracy_high"]
    return f"{100 * evaluation['accuracy']:.1f} ({100 * low:.0f}–{100 * high:.0f})"
