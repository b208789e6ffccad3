"""Read what a run or a study left in its workdir, complete or not."""

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fer_jax.errors import UserError
from fer_jax.evaluation_alarms import COLLAPSED_SHARE, condense_evaluations
from fer_jax.report.paper import LI_TABLES

LABELS = {
    "dae": "DAE",
    "vgg": "Plain VGG",
    "A": "Hybrid A",
    "B": "Hybrid B",
    "finetune": "Fine-tuned hybrid",
    "multitask": "Multitask hybrid",
    "linear": "Linear baseline",
}

EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


class Run(NamedTuple):
    """One run: its results (empty while it is unfinished), its epochs and its pictures."""

    name: str
    kind: str
    label: str
    result: dict[str, Any]
    history: list[dict[str, Any]]
    samples: dict[str, np.ndarray] | None
    examples: dict[str, np.ndarray] | None = None
    feature_maps: dict[str, np.ndarray] | None = None

    @property
    def finished(self) -> bool:
        """Say whether the run has results."""
        return bool(self.result)

    @property
    def is_classifier(self) -> bool:
        """Say whether the run counted predictions."""
        return any(e.get("confusion") for e in self.evaluations)

    @property
    def classes(self) -> tuple[str, ...]:
        """Name the classes it can answer: the seven emotions, FER+'s eighth, others by number."""
        counts = next(filter(None, (e.get("confusion") for e in self.evaluations)), EMOTIONS)
        voted = str(self.result.get("protocol")).startswith("ferplus")
        names = (*EMOTIONS, "contempt") if voted else EMOTIONS
        return (*names[: len(counts)], *(f"class {i}" for i in range(len(names), len(counts))))

    @property
    def evaluations(self) -> list[dict[str, Any]]:
        """Return the entries of the results' `evaluations`."""
        return self.result.get("evaluations") or []

    @property
    def alarms(self) -> list[str]:
        """Return all alarms of the run as text, each once."""
        found = list(self.result.get("alarms") or [])
        if not found:
            found = [a for epoch in self.history for a in epoch.get("alarms") or []]
        found += condense_evaluations(self.evaluations)
        return list(dict.fromkeys(_alarm_text(alarm) for alarm in found))

    @property
    def collapsed(self) -> bool:
        """Say whether the tested weights answer one emotion only (or the DAE one image)."""
        clean = self.evaluation()
        if clean and clean.get("confusion"):
            counts = np.asarray(clean["confusion"], dtype=float)
            return counts.sum() > 0 and counts.sum(0).max() / counts.sum() >= COLLAPSED_SHARE
        rows = {epoch["epoch"]: epoch for epoch in self.history}
        tested = rows.get(self.result.get("best_epoch")) or (self.history or [{}])[-1]
        return any("collapse" in _alarm_text(alarm) for alarm in tested.get("alarms") or [])

    @property
    def views(self) -> str:
        """Return the views that stand for the run: plain ones, or else what its config has."""
        held = [e.get("views") or "plain" for e in self.evaluations]
        return "plain" if "plain" in held or not held else held[0]

    def evaluation(
        self,
        distortion: str = "clean",
        strength: float | None = None,
        *,
        split: str = "test",
        weights: str | None = None,
    ) -> dict[str, Any] | None:
        """Find one evaluation by `views` (any strength if None), or None.

        It is by the weights that the run is tested with, or else by `weights`: "raw" ones stand
        beside their average.
        """
        for e in self.evaluations:
            if (
                e.get("split") == split
                and e.get("weights") == weights
                and (e.get("views") or "plain") == self.views
                and (e.get("distortion") or "clean") == distortion
                and (strength is None or _same(e.get("strength"), strength))
            ):
                return e
        return None

    def by_strength(self, distortion: str, *, split: str = "test") -> list[dict[str, Any]]:
        """List the evaluations under one distortion by rising strength, clean first as 0."""
        found = {}
        for e in self.evaluations:
            shown = (e.get("views") or "plain") == self.views and not e.get("weights")
            if e.get("split") == split and shown:
                if (e.get("distortion") or "clean") == "clean":
                    found[0.0] = e | {"strength": 0.0}
                elif e["distortion"] == distortion and e.get("strength") is not None:
                    found.setdefault(float(e["strength"]), e)
        return [found[strength] for strength in sorted(found)]


class Study(NamedTuple):
    """A workdir's runs; `is_study` is False for the workdir of a single run.

    Of a grid, `points` has what each run sets, by its name and the field's path.
    """

    title: str
    runs: list[Run]
    is_study: bool
    points: dict[str, dict[str, Any]] | None = None

    @property
    def finished(self) -> list[Run]:
        """Return the runs that have results."""
        return [run for run in self.runs if run.finished]

    @property
    def classifiers(self) -> list[Run]:
        """Return the runs that counted predictions."""
        return [run for run in self.runs if run.is_classifier]

    @property
    def dataset(self) -> str:
        """Return the dataset that the results name, or "?"."""
        return next(
            (str(r.result["dataset"]) for r in self.finished if r.result.get("dataset")), "?"
        )

    @property
    def classes(self) -> tuple[str, ...]:
        """Name the classes of the run that has most."""
        return max((run.classes for run in self.runs), key=len)

    @property
    def synthetic(self) -> bool:
        """Say whether the faces were drawn, not photographed."""
        return any(r.result.get("dataset") == "synthetic" for r in self.runs)

    @property
    def li_tables(self) -> dict[str, dict[str, Any]]:
        """Return Li's tables by the kind of run that they are of, if this study ran any of those.

        Empty where the faces or labels are others than the paper's, unless they are drawn ones,
        which say so beside every number.
        """
        for result in (run.result for run in self.finished):
            relabelled = str(result.get("protocol")).startswith("ferplus")
            if result.get("dataset") not in ("fer2013", "synthetic") or relabelled:
                return {}
        return LI_TABLES if any(self.run_of(kind) for kind in LI_TABLES) else {}

    @property
    def distortion(self) -> tuple[str, float] | None:
        """Return the chosen distortion (name, strength) that the configs name, or None."""
        for run in self.finished:
            chosen = (run.result.get("config") or {}).get("distortion") or {}
            if chosen.get("name") and chosen.get("strength") is not None:
                return str(chosen["name"]), float(chosen["strength"])
        return None

    def run_of(self, kind: str) -> Run | None:
        """Return the run of one kind, a finished one first, the one named like it before others."""
        matches = [run for run in self.runs if run.kind == kind]
        matches.sort(key=lambda run: (not run.finished, run.name != kind))
        return matches[0] if matches else None

    def distorted(
        self, run: Run, *, split: str = "test", weights: str | None = None
    ) -> dict[str, Any] | None:
        """Find a run's evaluation under the chosen distortion, or None."""
        if self.distortion is None:
            return None
        name, strength = self.distortion
        return run.evaluation(name, strength, split=split, weights=weights)


def read_study(workdir: Path | str) -> Study:
    """Read a run's or a study's workdir; a study may lack runs, and runs may lack files.

    Raises:
        UserError: there is nothing to report in `workdir`.
    """
    workdir = Path(workdir)
    results = _read_json(workdir / "results.json")
    children = _run_folders(workdir)
    is_study = isinstance(results, list) or (results is None and bool(children))
    if is_study:
        listed = {str(r.get("run") or f"run {i + 1}"): r for i, r in enumerate(results or [])}
        for folder in children:
            listed.setdefault(folder.name, _read_json(folder / "results.json") or {})
        runs = [_read_run(name, result, workdir / name) for name, result in listed.items()]
    elif results is not None or (workdir / "metrics.jsonl").exists():
        name = str((results or {}).get("run") or workdir.resolve().name)
        runs = [_read_run(name, results or {}, workdir)]
    else:
        raise UserError(
            f"Nothing to report in {workdir}: expected results.json or metrics.jsonl there or in "
            "its subfolders. Train first: python -m fer_jax.main --config=FILE --workdir=..."
        )
    grid = _read_json(workdir / "grid.json") or {}
    points = grid.get("points")
    # Of one network all, so the points' names tell more than its own.
    runs = [run._replace(label=run.name) for run in runs] if points else _with_distinct_labels(runs)
    return Study(workdir.resolve().name, runs, is_study, points)


def _run_folders(workdir: Path) -> list[Path]:
    if not workdir.is_dir():
        return []
    known = {name: place for place, name in enumerate(LABELS)}
    return [
        folder
        for folder in sorted(workdir.iterdir(), key=lambda f: (known.get(f.name, 99), f.name))
        if (folder / "results.json").exists() or (folder / "metrics.jsonl").exists()
    ]


def _read_run(name: str, result: dict[str, Any], folder: Path) -> Run:
    variant, model = result.get("variant"), result.get("model")
    if model == "hybrid" and variant in LABELS:
        kind = variant
    elif model:
        kind = str(model)
    else:
        kind = name
    return Run(
        name=name,
        kind=kind,
        label=LABELS.get(kind, name),
        result=result,
        history=_read_history(folder / "metrics.jsonl"),
        samples=_read_arrays(folder / "samples.npz", "clean", "distorted", "recon"),
        examples=_read_arrays(
            folder / "examples.npz", "faces", "labels", "predicted", "confidence", "split"
        ),
        feature_maps=_read_arrays(
            folder / "feature_maps.npz", "faces", "saliency", "labels", "predicted", "confidence",
            "about",
        ),
    )


def _with_distinct_labels(runs: list[Run]) -> list[Run]:
    labels = [run.label for run in runs]
    return [
        run._replace(label=f"{run.label} ({run.name})") if labels.count(run.label) > 1 else run
        for run in runs
    ]


def _read_json(path: Path) -> Any:
    if not path.exists():
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"), parse_constant=lambda _: None)
    except json.JSONDecodeError as error:
        raise UserError(f"{path} is not JSON ({error}); delete it and evaluate again.") from error


def _read_history(path: Path) -> list[dict[str, Any]]:
    """Read the epochs; a line that a killed run left half-written is passed over."""
    if not path.exists():
        return []
    epochs = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line, parse_constant=lambda _: None)
        except json.JSONDecodeError:
            continue
        if isinstance(row, dict) and isinstance(row.get("epoch"), (int, float)):
            epochs[row["epoch"]] = row
    return [epochs[number] for number in sorted(epochs)]


def _read_arrays(path: Path, first: str, *others: str) -> dict[str, np.ndarray] | None:
    """Read the arrays of a picture's file; None if it, its faces or one of these is missing."""
    if not path.exists():
        return None
    with np.load(path, allow_pickle=False) as arrays:
        found = {name: arrays[name] for name in arrays.files}
    complete = {first, *others} <= found.keys() and len(found[first]) > 0
    return found if complete else None


def _alarm_text(alarm: Any) -> str:
    if not isinstance(alarm, dict):
        return str(alarm)
    rest = [str(value) for key, value in alarm.items() if key != "epoch" and value is not None]
    epoch = f"epoch {alarm['epoch']}: " if alarm.get("epoch") is not None else ""
    return epoch + ", ".join(rest)


def _same(found: float | None, wanted: float) -> bool:
    return found is not None and math.isclose(found, wanted, rel_tol=1e-6, abs_tol=1e-9)
