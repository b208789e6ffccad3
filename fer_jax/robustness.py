"""Run the suite FER2013-C on a finished run: 15 corruptions at 5 severities, cell by cell."""

import contextlib
import hashlib
import json
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fer_jax import provenance, results, writers
from fer_jax.corrupting import corrupt_split
from fer_jax.corruption_error import corruption_errors, mean_accuracies, mean_of
from fer_jax.data import Split, jpeg
from fer_jax.data.splits import default_data_dir
from fer_jax.errors import UserError, suggest
from fer_jax.filters import Filter
from fer_jax.finished import Finished, hold_run, load_run
from fer_jax.ops.corruptions import CORRUPTIONS, GROUPS, SEVERITIES, SIZE
from fer_jax.report import write_report

SUITE = "fer2013-c"
FOLDER = "suites"  # in the workdir: the cells of a suite that is not finished


class Asked(NamedTuple):
    """What a suite is to be run with; `faces` is how many of the split, None for all."""

    split: str
    views: str
    filter: Filter
    draws: int
    faces: int | None


def add_suite(
    workdir: Path,
    asked: Asked,
    *,
    reference: Path | None = None,
    data_dir: str | None = None,
) -> dict[str, Any]:
    """Evaluate a finished run under every corruption and put the suite into its results and report.

    Each cell is kept as soon as it is done, so the same call goes on after a kill. What is already
    in the results is not evaluated again, but compared with the reference anew. `reference` is the
    workdir of the plain VGG; None takes the one in the same study, if it has run the suite.

    Raises:
      UserError: the run is not finished or classifies nothing, its data have no such split or
        other faces than 48x48, or the reference has not run the suite on the same faces.
    """
    with hold_run(workdir):
        finished = load_run(workdir, data_dir=data_dir)
        faces = _choose_faces(finished, asked)
        facts = _facts(finished, asked, faces)
        other = _find_reference(workdir, facts, reference)
        held = finished.results
        old = [entry for entry in held.get("suites", []) if _same(entry, facts)]
        if old:
            measured = {name: old[0][name] for name in ("clean", "cells", "added")}
        else:
            cells = _evaluate_missing(workdir, finished, asked, faces, facts, data_dir)
            measured = {**_measure(cells), "added": provenance.describe()}
        entry = {**facts, **measured, **_sum_up(measured, trained_on(workdir, held))}
        entry |= _compare(entry, {**entry, "run": held["run"]} if other == "itself" else other)
        others = [entry for entry in held.get("suites", []) if not _same(entry, facts)]
        writers.write_json(
            Path(workdir) / results.RESULTS, {**held, "suites": [*others, entry]}
        )
        _clear(_partial(workdir, facts))
        write_report(workdir)
        study = Path(workdir).resolve().parent
        if results.renew_study(study):
            write_report(study)
        return entry


def trained_on(workdir: Path, held: dict[str, Any]) -> set[str]:
    """Name the distortions that a run, or a run it starts from, saw in training."""
    config = held["config"]
    names = {config["distortion"]["name"]} if config["train_distortion"] else set()
    for name, described in (held.get("upstream") or {}).items():
        if "run" not in described:  # a file of pretrained weights
            continue
        here, run = Path(workdir).resolve(), described["run"]
        folders = (
            *(here / "upstream" / folder for folder in (name, run)),
            *(place / run for place in (here.parent, here.parent / "upstream")),
            *(Path(config["init_dir"]) / folder for folder in (name, run)),
        )
        found = [(f, results.read(f)) for f in folders]
        same = [
            (folder, upstream) for folder, upstream in found
            if isinstance(upstream, dict) and upstream["config_hash"] == described["config_hash"]
        ]
        # Where the upstream run is gone: a run takes its own distortion over to it.
        names |= trained_on(*same[0]) if same else {config["distortion"]["name"]}
    return names - {"clean"}


def _choose_faces(finished: Finished, asked: Asked) -> Split:
    run = finished.run
    if run.config.task == "denoise":
        raise UserError(
            f"{run.workdir} is a DAE's, which names no emotion; run the suite on a classifier"
        )
    if asked.split not in run.splits:
        raise UserError(f"there is no split {asked.split!r}. {suggest(asked.split, run.splits)}")
    split = run.splits[asked.split]
    if split.images.shape[1:3] != (SIZE, SIZE):
        raise UserError(
            f"--suite={SUITE} is for faces of {SIZE}x{SIZE}; these are "
            f"{split.images.shape[1]}x{split.images.shape[2]}, and its severities do not fit them"
        )
    n = len(split.labels)
    if asked.faces is None or asked.faces >= n:
        return split
    index = np.arange(asked.faces) * n // asked.faces  # evenly spread
    return Split(*(array if array is None else array[index] for array in split))


def _facts(finished: Finished, asked: Asked, faces: Split) -> dict[str, Any]:
    """Say all that decides the accuracies; two suites with the same facts are the same."""
    bytes_of = faces.images.tobytes() + faces.labels.tobytes()
    return {
        "suite": SUITE, "split": asked.split, "views": asked.views, "filter": asked.filter.name,
        "n": len(faces.labels), "of": len(finished.run.splits[asked.split].labels),
        "draws": asked.draws, "seed": finished.run.config.seed,
        "faces_sha256": hashlib.sha256(bytes_of).hexdigest(),
        "levels": {name: list(row.levels) for name, row in CORRUPTIONS.items()},
        "weights_step": finished.results["weights_step"],
    }


def _same(entry: dict[str, Any], facts: dict[str, Any]) -> bool:
    return all(entry.get(name) == value for name, value in facts.items())


def _evaluate_missing(workdir, finished, asked, faces, facts, data_dir) -> dict[str, Any]:
    """Evaluate the cells that are not there yet; keep each as soon as all its draws are done."""
    path = _partial(workdir, facts)
    path.parent.mkdir(exist_ok=True)
    kept = _read_partial(path, facts)
    missing = [cell for cell in _cells(asked.draws) if cell.key not in kept]
    total = sum(cell.draws for cell in _cells(asked.draws))
    left = sum(cell.draws for cell in missing)
    dataset, done = finished.run.config.data.dataset, 0
    folder = None
    if dataset != "synthetic":  # which has no prepared files to keep anything beside
        folder = Path(data_dir or default_data_dir()).expanduser() / jpeg.FOLDER
    title = f"{finished.run.workdir.name} {SUITE}"
    with writers.show_progress(title, total=total, done=total - left) as display:
        for cell in missing:
            accuracies = []
            for draw in range(cell.draws):
                began = time.monotonic()
                accuracies.append(_evaluate(finished, asked, faces, cell, draw, folder))
                done += 1
                speed = len(faces.labels) / (time.monotonic() - began)
                display.advance(1, f"{cell.name} {cell.severity or ''} {speed:.0f} faces/s")
                if done == 3 and left > 3:  # the first ones compile
                    minutes = (left - done) * (time.monotonic() - began) / 60
                    display.line(
                        f"{title}: {left} evaluations of {len(faces.labels)} faces, "
                        f"about {minutes:.1f} min"
                    )
            kept[cell.key] = accuracies
            writers.write_json(path, {"facts": facts, "accuracies": kept})
    return kept


class _Cell(NamedTuple):
    name: str
    severity: int  # 0 for clean faces
    draws: int

    @property
    def key(self) -> str:
        return f"{self.name} {self.severity}"


def _cells(draws: int) -> Iterator[_Cell]:
    yield _Cell("clean", 0, 1)
    for name, row in CORRUPTIONS.items():
        for severity in SEVERITIES:
            yield _Cell(name, severity, draws if row.random else 1)


def _evaluate(finished, asked, faces, cell, draw, folder) -> float:
    images = faces.images
    if cell.severity:
        images = corrupt_split(
            faces, name=cell.name, severity=cell.severity, draw=draw,
            seed=finished.run.config.seed, folder=folder,
        )
    seen = faces._replace(images=asked.filter.apply(images))
    entry = {
        "split": asked.split, "views": asked.views, "distortion": "clean", "strength": 0.0,
        "draws": 1,
    }
    run = finished.run
    evaluation, _ = results.evaluate_once(
        run.config, finished.weights, seen, entry, model=run.model, mesh=run.mesh
    )
    return evaluation["accuracy"]


def _measure(kept: dict[str, list[float]]) -> dict[str, Any]:
    """Give the mean and standard deviation over draws of each cell, and the accuracies."""
    cells = {
        name: [
            {
                "severity": severity,
                "level": row.levels[severity - 1],
                "accuracy": statistics.fmean(accuracies := kept[f"{name} {severity}"]),
                "sd": statistics.stdev(accuracies) if len(accuracies) > 1 else None,
                "accuracies": accuracies,
            }
            for severity in SEVERITIES
        ]
        for name, row in CORRUPTIONS.items()
    }
    return {"clean": kept["clean 0"][0], "cells": cells}


def _sum_up(measured: dict[str, Any], distortions: set[str]) -> dict[str, Any]:
    means = mean_accuracies(_accuracies(measured))
    seen = [name for name, row in CORRUPTIONS.items() if row.distortion in distortions]
    groups = {
        group: [name for name, row in CORRUPTIONS.items() if row.group == group]
        for group in GROUPS
    }
    return {
        "groups": {
            group: {"corruptions": names, "mean_accuracy": mean_of(means, names)}
            for group, names in groups.items()
        },
        "mean_accuracy": mean_of(means, means),
        "trained_on": seen,
        "mean_accuracy_trained": mean_of(means, seen),
        "mean_accuracy_untrained": mean_of(means, means.keys() - set(seen)),
    }


def _compare(entry: dict[str, Any], other: dict[str, Any] | None) -> dict[str, Any]:
    """Compare with the reference's suite; without one there is nothing to say."""
    if other is None:
        return {"reference": None, "errors": None}
    errors = corruption_errors(
        entry["clean"], _accuracies(entry),
        reference_clean=other["clean"], reference_cells=_accuracies(other),
    )
    unseen = [name for name in CORRUPTIONS if name not in entry["trained_on"]]
    errors["mce_untrained"] = mean_of(errors["ce"], unseen)
    errors["relative_mce_untrained"] = mean_of(errors["relative_ce"], unseen)
    described = {"run": other.get("run"), "clean": other["clean"], "draws": other["draws"]}
    return {"reference": described, "errors": errors}


def _accuracies(entry: dict[str, Any]) -> dict[str, list[float]]:
    return {name: [cell["accuracy"] for cell in cells] for name, cells in entry["cells"].items()}


def _find_reference(
    workdir: Path, facts: dict[str, Any], reference: Path | None
) -> dict[str, Any] | str | None:
    """Find the reference's suite on the same faces; "itself" where it is the one to be run."""
    workdir = Path(workdir).resolve()
    if reference is not None and Path(reference).resolve() == workdir and not facts["filter"]:
        return "itself"
    if reference is None:
        siblings = sorted(path.parent for path in workdir.parent.glob(f"*/{results.RESULTS}"))
        plain = [folder for folder in siblings if _is_plain_vgg(results.read(folder))]
        if plain == [workdir] and not facts["filter"]:
            return "itself"
        return _suite_of(plain[0], facts) if len(plain) == 1 else None
    found = _suite_of(Path(reference), facts)
    if found is None:
        raise UserError(
            f"--reference={reference} has not run this suite on the same faces; run it there "
            f"first: python -m fer_jax.evaluate --workdir={reference} --suite={SUITE} "
            f"--split={facts['split']}"
            + (f" --faces={facts['n']}" if facts["n"] < facts["of"] else "")
        )
    return found


def _is_plain_vgg(held: Any) -> bool:
    return (
        isinstance(held, dict) and held["model"] == "vgg" and not held["config"]["train_distortion"]
    )


def _suite_of(folder: Path, facts: dict[str, Any]) -> dict[str, Any] | None:
    """Give a run's suite of the same split, views and faces with no filter, or None."""
    held = results.read(folder)
    same = ("suite", "split", "views", "faces_sha256", "levels")
    for entry in held.get("suites", []) if isinstance(held, dict) else []:
        if not entry["filter"] and all(entry[name] == facts[name] for name in same):
            return {**entry, "run": held["run"]}
    return None


def _partial(workdir: Path, facts: dict[str, Any]) -> Path:
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return Path(workdir) / FOLDER / f"{SUITE}-{digest[:12]}.json"


def _clear(path: Path) -> None:
    """Remove the cells that the results now have, and their folder unless others stand there."""
    path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        path.parent.rmdir()


def _read_partial(path: Path, facts: dict[str, Any]) -> dict[str, list[float]]:
    try:
        held = json.loads(path.read_text())
        return dict(held["accuracies"]) if held["facts"] == facts else {}
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return {}  # damaged or another's: begin anew
