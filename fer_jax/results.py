"""What a run leaves behind: config.json, results.json, and who may write them."""

import datetime
import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
from absl import logging
from jax.sharding import Mesh
from ml_collections import ConfigDict

from fer_jax import (
    checkpoint, host, metrics, predictions, processes, provenance, samples, writers,
)
from fer_jax.alarms import condense
from fer_jax.checkpoint import Saved
from fer_jax.configuring import config_hash, differences, from_json, to_json
from fer_jax.data import Split, load_splits, split_notes
from fer_jax.errors import UserError
from fer_jax.evaluate import evaluate, pad_split
from fer_jax.evaluation_alarms import condense_evaluations, find_evaluation_alarms
from fer_jax.optim import FROZEN, label_parameters
from fer_jax.predictions import Predictions, name_entry
from fer_jax.preprocess import VIEWS, read_preprocess
from fer_jax.state import evaluated, variables
from fer_jax.streaming import MEGABYTE

SCHEMA = 1
RESULTS, CONFIG = "results.json", "config.json"
GRID = "grid.json"  # of a grid: what each of its points sets
RAW = "raw"  # `weights` of an evaluation by the weights beside their average


def claim(
    workdir: Path, config: ConfigDict, *, upstream: dict[str, str] | None = None
) -> dict[str, Any] | None:
    """Take a workdir for a config; return its results if that training is finished there.

    `upstream` are the config hashes of the runs that it starts from, as `identify` gives them.

    Raises:
      UserError: the workdir holds a run of another config; the differing fields are listed.
    """
    finished = find_finished(workdir, config, upstream=upstream)
    Path(workdir).mkdir(parents=True, exist_ok=True)
    writers.write_json(Path(workdir) / CONFIG, _describe_config(config, upstream))
    return finished


def find_finished(
    workdir: Path, config: ConfigDict, *, upstream: dict[str, str] | None = None
) -> dict[str, Any] | None:
    """Do as `claim`, but write nothing."""
    path = Path(workdir) / CONFIG
    finished = read(workdir)
    if isinstance(finished, list):
        raise UserError(f"{workdir} holds a study; choose another --workdir for this run")
    # A folder where nothing was saved yet (a wrong field, no data) may change its config.
    begun = finished is not None or any((path.parent / checkpoint.NAME).glob("[0-9]*"))
    if begun and path.exists():
        held, described = _read_json(path), _describe_config(config, upstream)
        if any(held.get(name) != described[name] for name in ("config_hash", "upstream")):
            old, new = (
                {name: side.get(name, {}) for name in ("config", "upstream")}
                for side in (held, described)
            )
            old["config"] = to_json(from_json(old["config"]))
            changed = differences(old, new)
            raise UserError(
                f"{workdir} holds a run of another config:\n  " + "\n  ".join(changed[:10])
                + "\nchoose another --workdir, or remove that folder"
            )
    return finished


def identify(upstream: dict[str, Any]) -> dict[str, str]:
    """Name what a run starts from: runs by their config hash, a pretrained file by its SHA-256.

    `upstream` is what the results say of each, by its key in `config.init`, or "pretrained".
    """
    return {
        name: described.get("config_hash") or described["sha256"]
        for name, described in upstream.items()
    }


def read(workdir: Path) -> dict[str, Any] | list[dict[str, Any]] | None:
    """Read a finished run's results, or a study's list of them; None if it is not finished.

    Raises:
      UserError: the file is damaged, or of a schema that this code does not read.
    """
    path = Path(workdir) / RESULTS
    return _read_json(path) if path.exists() else None


def read_run(workdir: Path) -> dict[str, Any]:
    """Read the results of a finished run.

    Raises:
      UserError: the workdir is not a finished run's.
    """
    held = read(workdir)
    if held is None:
        raise UserError(
            f"{workdir} has no results.json; train the run first: "
            f"python -m fer_jax.main --config=... --workdir={workdir}"
        )
    if isinstance(held, list):
        names = ", ".join(f"{workdir}/{item['run']}" for item in held)
        raise UserError(f"{workdir} is a study's; choose one of its runs: {names}")
    return held


def _read_json(path: Path) -> Any:
    try:
        held = json.loads(path.read_text())
    except ValueError as error:
        raise UserError(
            f"{path} is damaged ({error}); remove that file and run again: "
            "what the checkpoints hold is not trained anew"
        ) from None
    for item in held if isinstance(held, list) else [held]:
        schema = item.get("schema", SCHEMA)
        if schema != SCHEMA:
            raise UserError(
                f"{path} has schema {schema}, and this code reads schema {SCHEMA}; read it with "
                "the code that wrote it, or choose another --workdir"
            )
    return held


def _describe_config(config: ConfigDict, upstream: dict[str, str] | None) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "config": to_json(config),
        "config_hash": config_hash(config),
        "upstream": upstream or {},
    }


def renew_study(folder: Path) -> bool:
    """Take its runs' present results into a study's list; False if `folder` is no study's."""
    listed = read(folder)
    if not isinstance(listed, list):
        return False
    present = [read(Path(folder) / item["run"]) or item for item in listed]
    writers.write_json(Path(folder) / RESULTS, present)
    return True


def load_data(config: ConfigDict, data_dir: str | None) -> dict[str, Split]:
    """Load the splits that `config.data` describes."""
    sizes = tuple(size or None for size in config.data.sizes)
    return load_splits(
        config.data.dataset, protocol=config.data.protocol, data_dir=data_dir, seed=config.seed,
        sizes=sizes if any(sizes) else None, budget=config.data.device_budget_mb * MEGABYTE,
    )


def write(
    config: ConfigDict,
    workdir: Path,
    splits: dict[str, Split],
    saved: Saved,
    *,
    model: Any,
    mesh: Mesh,
    data_dir: str | None,
    upstream: dict[str, Any] | None = None,
    points: int = 1,
) -> dict[str, Any]:
    """Evaluate a trained state as its config says and write everything that describes the run.

    `points` is how many points of a grid shared its time as one program.
    """
    rows = writers.read_metrics(workdir)
    loop, weights = saved.loop, {None: evaluated(saved.state), RAW: variables(saved.state)}
    best = bool(config.restore_best)
    described = {
        "schema": SCHEMA,
        "run": Path(workdir).name,
        "model": config.model.name,
        "variant": config.model.get("variant") or None,
        "dataset": config.data.dataset,
        "protocol": config.data.protocol,
        "split_notes": split_notes(
            config.data.dataset, protocol=config.data.protocol, data_dir=data_dir
        ),
        "split_sizes": {name: len(split.labels) for name, split in splits.items()},
        "split_classes": {
            name: np.bincount(split.labels).tolist() for name, split in splits.items()
        },
        "config": to_json(config),
        "config_hash": config_hash(config),
        "upstream": upstream or {},
        "seed": config.seed,
        **provenance.describe(),
        "parameters": count_parameters(saved.state, rules=config.optim.rules),
        "epochs": loop["epoch"],
        "best_epoch": loop["best_epoch"],
        "best_step": loop["best_step"],
        "weights": "ema" if config.ema else "best" if best else "last",
        "weights_step": int(saved.state.step) if not best else loop["best_step"],
        "alarms": condense(rows),
        "evaluations": [
            evaluate_and_save(
                config, workdir, weights[entry.get("weights")], splits, entry,
                model=model, mesh=mesh,
            )
            for entry in planned_evaluations(config, splits)
        ],
        "cost": {
            "train_seconds": sum(row["seconds"] for row in rows),
            "images_per_second": (
                float(np.median([row["images_per_second"] for row in rows])) if rows else None
            ),
            **({"points_in_program": points} if points > 1 else {}),
            "date": _today(),
        },
    }
    warn_of(described)
    samples.write_pictures(config, workdir, weights[None], splits, model=model)
    writers.write_json(Path(workdir) / RESULTS, described)
    processes.meet(f"the results of {Path(workdir).name}")  # of which another run may begin
    return described


def warn_of(described: dict[str, Any]) -> None:
    """Log the alarms of a run's evaluations."""
    for alarm in condense_evaluations(described["evaluations"]):
        logging.warning("%s: %s", described["run"], alarm)


def planned_evaluations(config: ConfigDict, splits: dict[str, Split]) -> list[dict[str, Any]]:
    """List how a run is evaluated: each split clean, then distorted with rising strength.

    A run that is tested with the average of its weights is evaluated once more with those it
    trained; such an entry has `"weights": "raw"`.
    """
    strengths = sorted({*config.evaluation.strengths, config.distortion.strength})
    distortions = [("clean", 0.0), *((config.distortion.name, float(s)) for s in strengths)]
    views, average = config.evaluation.views, config.evaluation.average
    return [
        name_entry(split, name, strength, views=views, average=average) | which
        for which in ([{}, {"weights": RAW}] if config.ema else [{}])
        for split in config.evaluation.splits
        if split in splits
        for name, strength in distortions
    ]


def evaluate_once(
    config: ConfigDict,
    weights: dict[str, Any],
    split: Split,
    entry: dict[str, Any],
    *,
    model: Any,
    mesh: Mesh,
) -> tuple[dict[str, Any], np.ndarray]:
    """Evaluate a split as `entry` says; give the entry with its metrics, and the probabilities.

    The metrics carry `alarms`, what is wrong with them by their own numbers.
    """
    host.release_freed_memory()
    # Each view is an example to the network, so that ten take no more memory than one.
    batch_size = max(1, config.evaluation.batch_size // VIEWS[entry["views"]].count)
    confusion, probabilities = evaluate(
        weights, pad_split(split, mesh, batch_size=batch_size), model=model,
        views=entry["views"], average=entry.get("average", "probabilities"),
        preprocess=read_preprocess(config),
        distortion=entry["distortion"], strength=entry["strength"],
        seed=config.seed, denoises=config.task == "denoise", classes=config.model.classes,
    )
    measured = {**entry, **metrics.summarise(confusion)}
    alarms = find_evaluation_alarms(
        measured, dataset=config.data.dataset, protocol=config.data.protocol,
        counts=np.bincount(split.labels, minlength=config.model.classes),
        whole=not any(config.data.sizes),
    )
    return {**measured, "alarms": alarms}, probabilities


def evaluate_and_save(
    config: ConfigDict,
    workdir: Path,
    weights: dict[str, Any],
    splits: dict[str, Split],
    entry: dict[str, Any],
    *,
    model: Any,
    mesh: Mesh,
) -> dict[str, Any]:
    """Evaluate as `entry` says; keep a classifier's probabilities of clean faces in the workdir.

    Ensembles, calibration and comparisons are made of these; a split of 3,589 faces takes 100 kB.
    """
    split = splits[entry["split"]]
    done, probabilities = evaluate_once(config, weights, split, entry, model=model, mesh=mesh)
    kept = entry["distortion"] == "clean" and "weights" not in entry
    if kept and config.task == "classify":
        said = predictions_of(config, split, entry, probabilities, run=Path(workdir).name)
        predictions.save(predictions.place(workdir, entry), said)
    return done


def predictions_of(
    config: ConfigDict, split: Split, entry: dict[str, Any], probabilities: np.ndarray, *, run: str
) -> Predictions:
    """Put a run's probabilities `[n, k]` beside the faces that they are of."""
    about = {
        "run": run, "config_hash": config_hash(config), "seed": config.seed,
        "dataset": config.data.dataset, "protocol": config.data.protocol,
        **{
            name: entry[name] for name in ("views", "average", "distortion", "strength")
            if name in entry
        },
    }
    return Predictions(
        probabilities.astype(np.float32), split.labels, split.rows, split.keys,
        split=entry["split"], about=about,
    )


def count_parameters(state: Any, *, rules: Any) -> dict[str, int]:
    """Count trainable and frozen parameters and running statistics (`non_trainable`)."""
    labels = jax.tree.leaves(label_parameters(state.params, rules=tuple(map(tuple, rules))))
    sizes = [int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(state.params)]
    frozen = sum(size for size, label in zip(sizes, labels, strict=True) if label == FROZEN)
    statistics = sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(state.batch_stats))
    return {"trainable": sum(sizes) - frozen, "frozen": frozen, "non_trainable": statistics}


def _today() -> str:
    return datetime.date.today().isoformat()
