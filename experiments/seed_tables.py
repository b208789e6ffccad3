"""Tables of an experiment's own runs: several seeds are one row, beside a baseline."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from experiments.seeds import by_spec
from fer_jax.report.results import Run, Study
from fer_jax.report.seeds import over_seeds
from fer_jax.report.tables import Table
from fer_jax.report.wording import MISSING, strength_symbol

# The splits in the order of the tables, and what they are called where the protocol does not say.
SPLITS = {
    "test": "test faces",
    "private": "all of PrivateTest",
    "private_clean": "PrivateTest without faces that stand in Training",
    "private_strict": "PrivateTest without faces that stand in Training or PublicTest",
}
SHORT = {
    "test": "test", "private": "Private", "private_clean": "no copies", "private_strict": "strict",
}
AS_PRINTED = "_as_printed"
CLEAN = 0.0
HARD = "\u00a0"  # a space that no line breaks at


class Cell(NamedTuple):
    """One accuracy, or difference, of a row: by seed, its interval, and its number of faces."""

    values: dict[int, float]
    alone: tuple[float, float] | None
    faces: frozenset[int]


def overview(study: Study) -> Table | None:
    """Build the one table of all classifiers: a row for each, a column a kind of test face."""
    rows, places = [], _places(study)
    if not places:
        return None
    classifiers = _classifiers(study)
    protocols = dict.fromkeys(_protocols(runs) for runs in classifiers.values())
    # A column that says the same in each row is left to the note.
    several = len(protocols) > 1
    for name, runs in classifiers.items():
        cells = [_cell(runs, split, strength, study) for split, strength in places]
        protocol = (_protocols(runs),) if several else ()
        rows.append((name, *protocol, _seeds(runs), *map(_mean_text, cells)))
    return Table(
        title=f"Accuracy in percent, all classifiers{_word(study)}",
        columns=(
            "run", *(("protocol",) if several else ()), "seeds",
            *(_place_text(*place, study) for place in places),
        ),
        rows=rows,
        notes=(
            "Mean ± sd over the seeds. Collapsed: the tested weights give (nearly) every clean "
            "face one emotion. “Private” is FER2013's PrivateTest; “no copies” leaves out its faces "
            "that also stand in Training, “strict” those in PublicTest too. Of the official "
            "protocols the test is PrivateTest itself. Protocol: " + ", ".join(protocols) + ".",
        ),
    )


def by_split(study: Study, *, baseline: str = "") -> list[Table]:
    """Build a table for each split: accuracy, interval and difference to the baseline by input.

    A run `NAME_as_printed` is held against `BASELINE_as_printed`.
    """
    made = [table for split in SPLITS if (table := _split_table(study, split, baseline))]
    return [table._replace(notes=_notes(baseline)) for table in made[:1]] + made[1:]


def _split_table(study: Study, split: str, baseline: str) -> Table | None:
    strengths = [strength for place, strength in _places(study) if place == split]
    classifiers, rows, faces = _classifiers(study), [], set()
    for name, runs in classifiers.items():
        against = classifiers.get(_baseline_of(name, baseline), [])
        texts: list[str] = []
        for strength in strengths:
            cell = _cell(runs, split, strength, study)
            faces |= cell.faces if cell else set()
            texts += [_mean_text(cell), _interval_text(cell)]
            if baseline:
                other = _cell(against, split, strength, study) if runs is not against else None
                texts.append(_difference_text(cell, other))
        if any(text != MISSING for text in texts):
            rows.append((name, _seeds(runs), *texts))
    if not rows:
        return None
    kinds = ("accuracy", "95 % interval", *([f"less {baseline}"] if baseline else []))
    columns = [f"{_strength_text(s, study)}: {kind}" for s in strengths for kind in kinds]
    held = " or ".join(f"{n:,}" for n in sorted(faces))
    return Table(
        title=f"Accuracy in percent, {SPLITS[split]} ({held}){_word(study)}",
        columns=("run", "seeds", *columns), rows=rows,
    )


def _notes(baseline: str) -> tuple[str, ...]:
    said = (
        "Mean ± sd over the seeds. The interval is Student's t over the seeds; of a single seed it "
        "is Wilson's, over the faces."
    )
    if baseline:
        said += (
            f" “Less {baseline}”: the difference in points, seed by seed, with its t interval; the "
            f"runs as printed are held against {baseline}{AS_PRINTED}."
        )
    return (said,)


def _classifiers(study: Study) -> dict[str, list[Run]]:
    found = {}
    for name, runs in by_spec(study).items():
        if tested := [run for run in runs if run.is_classifier]:
            found[name] = tested
    return found


def _places(study: Study) -> list[tuple[str, float]]:
    """List the (split, strength) pairs that any classifier was evaluated on, in order."""
    found = {
        (split, strength)
        for run in study.classifiers for split in SPLITS if not _same_as_test(run, split)
        for strength in accuracies(run, split, study)
    }
    return [place for split in SPLITS for place in sorted(found) if place[0] == split]


def accuracies(run: Run, split: str, study: Study) -> dict[float, dict[str, Any]]:
    """Give a run's evaluations of a split by strength of the chosen distortion, clean as 0."""
    if study.distortion:
        entries = run.by_strength(study.distortion[0], split=split)
    else:
        entries = [e | {"strength": CLEAN} for e in [run.evaluation(split=split)] if e]
    return {e["strength"]: e for e in entries if e.get("accuracy") is not None}


def _same_as_test(run: Run, split: str) -> bool:
    """Say whether the split is the protocol's test itself, which then has the same faces."""
    one, test = run.evaluation(split=split), run.evaluation()
    return split != "test" and bool(one and test) and one.get("n") == test.get("n")


def _cell(runs: Sequence[Run], split: str, strength: float, study: Study) -> Cell | None:
    found = {
        run.result["seed"]: entry
        for run in runs
        if not _same_as_test(run, split)
        and (entry := accuracies(run, split, study).get(strength))
    }
    if not found:
        return None
    first = next(iter(found.values()))
    ends = first.get("accuracy_low"), first.get("accuracy_high")
    alone = ends if len(found) == 1 and None not in ends else None
    values = {seed: entry["accuracy"] for seed, entry in found.items()}
    return Cell(values, alone, frozenset(entry["n"] for entry in found.values()))


def _mean_text(cell: Cell | None) -> str:
    if cell is None:
        return MISSING
    spread = over_seeds([*cell.values.values()])
    sd = "" if spread.sd is None else f"{HARD}±{HARD}{100 * spread.sd:.1f}"
    return f"{100 * spread.mean:.1f}{sd}"


def _interval_text(cell: Cell | None) -> str:
    if cell is None:
        return MISSING
    spread = over_seeds([*cell.values.values()])
    low, high = cell.alone or (spread.low, spread.high)
    # No share is beyond these, though a t interval of few seeds knows nothing of that.
    if low is None:
        return MISSING
    return f"{100 * max(low, 0):.1f} to {100 * min(high, 1):.1f}".replace(" ", HARD)


def _difference_text(cell: Cell | None, other: Cell | None) -> str:
    seeds = [seed for seed in cell.values if seed in other.values] if cell and other else []
    if not seeds:
        return MISSING
    spread = over_seeds([cell.values[seed] - other.values[seed] for seed in seeds])
    text = _signed(spread.mean)
    if spread.low is None:
        return text
    return f"{text} " + f"({_signed(spread.low)} to {_signed(spread.high)})".replace(" ", HARD)


def _signed(value: float) -> str:
    # Without the sum a small loss would be printed as −0.0.
    return f"{round(100 * value, 1) + 0.0:+.1f}".replace("-", "−")


def _baseline_of(name: str, baseline: str) -> str:
    return baseline + AS_PRINTED if name.endswith(AS_PRINTED) else baseline


def _seeds(runs: Sequence[Run]) -> str:
    collapsed = sum(run.collapsed for run in runs)
    if not collapsed:
        return str(len(runs))
    return f"{len(runs)} ({'' if collapsed == len(runs) else f'{collapsed} '}collapsed)"


def _protocols(runs: Sequence[Run]) -> str:
    return ", ".join(dict.fromkeys(str(run.result.get("protocol")) for run in runs))


def _place_text(split: str, strength: float, study: Study) -> str:
    return f"{SHORT[split]}: {_strength_text(strength, study)}"


def _strength_text(strength: float, study: Study) -> str:
    if strength == CLEAN:
        return "clean"
    return f"{strength_symbol(study.distortion[0])} = {strength:g}".replace(" ", HARD)


def _word(study: Study) -> str:
    return ", SYNTHETIC faces" if study.synthetic else ""


def noise_lines(study: Study) -> Mapping[str, list[tuple[float, list[float]]]]:
    """Give each classifier's accuracies on the test by strength: (strength, one of each seed)."""
    found = {}
    for name, runs in _classifiers(study).items():
        strengths = sorted({s for run in runs for s in accuracies(run, "test", study)})
        points = [
            (s, [e["accuracy"] for run in runs if (e := accuracies(run, "test", study).get(s))])
            for s in strengths
        ]
        if len(points) > 1:
            found[name] = points
    return found
