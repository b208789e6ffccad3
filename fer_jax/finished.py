"""Open a finished run again: its weights, and evaluations added to its results."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from fer_jax import (
    checkpoint, feature_maps, lock, predictions, provenance, results, samples, writers,
)
from fer_jax.configuring import from_json, to_json
from fer_jax.data import Split
from fer_jax.errors import UserError, suggest
from fer_jax.predictions import Predictions
from fer_jax.report import write_report
from fer_jax.sharding import make_local_mesh
from fer_jax.state import evaluated, variables
from fer_jax.train import Run, prepare


class Finished(NamedTuple):
    """A finished run: `run` has its config, data, mesh and model, `weights` what it learned."""

    results: dict[str, Any]
    run: Run
    weights: dict[str, Any]


def load_run(workdir: Path, *, data_dir: str | None = None) -> Finished:
    """Load the run in `workdir` with the weights that its results were made with.

    Raises:
      UserError: the workdir is not a finished run's, or its data are not there.
    """
    held = results.read_run(workdir)
    config = from_json(held["config"])
    # On one device, wherever it was trained.
    run = prepare(config, Path(workdir), data_dir=data_dir, mesh=make_local_mesh())
    weights = checkpoint.load_variables(
        workdir, step=held["weights_step"], like=evaluated(run.state), average=config.ema > 0
    )
    return Finished(held, run, weights)


def add_evaluation(
    workdir: Path,
    *,
    split: str,
    distortion: str,
    strength: float,
    views: str,
    average: str = "probabilities",
    data_dir: str | None = None,
    probabilities_path: Path | None = None,
) -> dict[str, Any]:
    """Evaluate a finished run once more and put the entry into its results and report.

    A study that the run belongs to takes it over too.

    An entry of the same split, views, average, distortion and strength is replaced if it differs.
    It then has `added`: the versions, commit, device and command it is from. A classifier's
    probabilities stay in the workdir; at `probabilities_path`, if asked for, they are an npz of
    `rows`, `keys`, `labels` and `probabilities` `[n, k]` in the split's order, of which `about`
    tells the rest.

    Raises:
      UserError: the run is not finished, or its data have no such split.
    """
    with hold_run(workdir):
        held, run, weights = load_run(workdir, data_dir=data_dir)
        if views != "plain" and run.config.task == "denoise":
            raise UserError(f"{workdir} reconstructs, and views={views} are of a classifier's")
        data = find_split(run, split)
        wanted = results.name_entry(split, distortion, strength, views=views, average=average)
        entry, probabilities = results.evaluate_once(
            run.config, weights, data, wanted, model=run.model, mesh=run.mesh
        )
        said = results.predictions_of(run.config, data, wanted, probabilities, run=held["run"])
        if run.config.task == "classify":
            predictions.save(predictions.place(workdir, wanted), said)
        if probabilities_path:
            predictions.save(probabilities_path, said)
        # An entry that comes out again stays, with where it came from first.
        if not any(_measured(old) == _measured(entry) for old in held["evaluations"]):
            others = [old for old in held["evaluations"] if _identity(old) != _identity(entry)]
            evaluations = [*others, _with_origin(entry)]
            writers.write_json(
                Path(workdir) / results.RESULTS, {**held, "evaluations": evaluations}
            )
        write_report(workdir)
        study = Path(workdir).resolve().parent
        if results.renew_study(study):
            write_report(study)
        return entry


def add_feature_maps(
    workdir: Path, wanted: feature_maps.Wanted, *, data_dir: str | None = None
) -> None:
    """Put what `wanted` says of a finished run's layers into its report, and its study's.

    Raises:
      UserError: the run is not finished or classifies nothing, or has no such layer or split.
    """
    with hold_run(workdir):
        _, run, weights = load_run(workdir, data_dir=data_dir)
        arrays = feature_maps.look(
            run.config, weights, find_split(run, wanted.split), wanted, model=run.model
        )
        feature_maps.save(workdir, arrays)
        write_report(workdir)
        study = Path(workdir).resolve().parent
        if isinstance(results.read(study), list):
            write_report(study)


def read_predictions(
    workdir: Path,
    *,
    split: str,
    distortion: str = "clean",
    strength: float = 0.0,
    data_dir: str | None = None,
) -> Predictions:
    """Read what a finished classifier said of a split, or ask it where that was not saved.

    The views are those that its config evaluates with. Nothing is written.

    Raises:
      UserError: the workdir is not a finished classifier's, or its data have no such split.
    """
    held = results.read_run(workdir)
    config = from_json(held["config"])
    if config.task != "classify":
        raise UserError(f"{workdir} is a {held['model']}'s, which classifies no face; leave it out")
    entry = results.name_entry(
        split, distortion, strength,
        views=config.evaluation.views, average=config.evaluation.average,
    )
    path = predictions.place(workdir, entry)
    if path.exists():
        said = predictions.load(path)
        if said.about.get("config_hash") == held["config_hash"]:
            return said
    print(
        f"{workdir} has no {path.relative_to(workdir)}; asking its model (fer_jax.evaluate keeps "
        "the answers)", file=sys.stderr, flush=True,
    )
    run = load_run(workdir, data_dir=data_dir)
    data = find_split(run.run, split)
    probabilities = results.evaluate_once(
        config, run.weights, data, entry, model=run.run.model, mesh=run.run.mesh
    )[1]
    return results.predictions_of(config, data, entry, probabilities, run=held["run"])


def find_split(run: Run, name: str) -> Split:
    """Return a split of a run's data.

    Raises:
      UserError: there is no such split; the known ones are listed.
    """
    if name not in run.splits:
        raise UserError(f"there is no split {name!r}. {suggest(name, run.splits)}")
    return run.splits[name]


def complete(
    config: ConfigDict, workdir: Path, *, data_dir: str | None = None
) -> dict[str, Any]:
    """Evaluate what `config` asks of a finished run and its results do not have yet.

    An entry that was added later has `added`: the versions, commit, device and command it is from.
    """
    held = results.read(workdir)
    if to_json(from_json(held["config"])) == to_json(config):
        return held
    held, run, weights = load_run(workdir, data_dir=data_dir)
    done = {_identity(entry) for entry in held["evaluations"]}
    missing = [
        entry for entry in results.planned_evaluations(config, run.splits)
        if _identity(entry) not in done
    ]
    chosen = {None: weights}
    if any("weights" in entry for entry in missing):
        chosen[results.RAW] = checkpoint.load_variables(
            workdir, step=held["weights_step"], like=variables(run.state)
        )
    entries = [
        _with_origin(results.evaluate_and_save(
            config, workdir, chosen[entry.get("weights")], run.splits, entry,
            model=run.model, mesh=run.mesh,
        ))
        for entry in missing
    ]
    samples.write_pictures(config, workdir, weights, run.splits, model=run.model)
    held |= {"config": to_json(config), "evaluations": held["evaluations"] + entries}
    results.warn_of(held | {"evaluations": entries})
    writers.write_json(Path(workdir) / results.RESULTS, held)
    return held


@contextlib.contextmanager
def hold_run(workdir: Path) -> Iterator[None]:
    """Lock a run, and the study whose results and report tell of it."""
    folder = Path(workdir).resolve()
    if not (folder / results.CONFIG).exists():
        yield  # nothing to lock: the caller finds no run there
        return
    in_study = isinstance(results.read(folder.parent), list)
    with lock.hold(folder, *([folder.parent] if in_study else [])):
        yield


def _with_origin(entry: dict[str, Any]) -> dict[str, Any]:
    return {**entry, "added": provenance.describe()}


def _measured(entry: dict[str, Any]) -> dict[str, Any]:
    """Leave out where an entry is from, and its alarms, which older results do not have."""
    return {name: value for name, value in entry.items() if name not in ("added", "alarms")}


def _identity(entry: dict[str, Any]) -> tuple[Any, ...]:
    named = ("split", "views", "distortion", "strength", "draws")
    return (*(entry[name] for name in named), entry.get("average"), entry.get("weights"))
