"""Runs that stand on other runs, and studies, which are several runs in order."""

import contextlib
import logging
from pathlib import Path
from typing import Any

import jax
from ml_collections import ConfigDict

from fer_jax import lock, pretrained, processes, results, stacks, transfer, writers
from fer_jax.alarms import LEAST_SPREAD, recon_spread
from fer_jax.checks import check_config
from fer_jax.configuring import (
    config_hash, is_grid, is_pattern, is_seeds, is_study, load_config,
)
from fer_jax.errors import UserError, suggest
from fer_jax.evaluate import pad_split
from fer_jax.finished import complete, load_run
from fer_jax.grid import points_of, runs_of
from fer_jax.preprocess import read_preprocess
from fer_jax.report import write_csv, write_report
from fer_jax.stacked import Point, train_stack
from fer_jax.train import train_and_evaluate
from fer_jax.weight_files import hash_file

SIBLING = "runs."


def run(config: ConfigDict, workdir: Path, *, data_dir: str | None = None) -> None:
    """Train what is missing of a run, a study or a grid, evaluate it, and write results and report.

    A study's runs live in `workdir/NAME`, the points of a grid or of several seeds likewise; its
    results.json is the list of theirs. A killed study goes on where it was.

    Raises:
      UserError: whatever stops one of the runs.
    """
    check_config(config)
    if not is_study(config):
        refuse_circles(config, workdir, siblings={})
        with lock.hold(workdir):
            run_one(config, workdir, siblings={}, data_dir=data_dir)
            if processes.writes():
                write_report(workdir)
        return
    if (workdir / results.CONFIG).exists():
        raise UserError(f"{workdir} holds a run; choose another --workdir for this study")
    runs = {name: (run_config, workdir / name) for name, run_config in runs_of(config).items()}
    points = is_grid(config) or is_seeds(config)  # which may share programs
    siblings = runs | (share_upstream(runs, workdir) if points else {})
    for run_config, run_workdir in siblings.values():
        refuse_circles(run_config, run_workdir, siblings=siblings)
    with lock.hold(workdir, *(run_workdir for _, run_workdir in siblings.values())):
        if is_grid(config):
            writers.write_json(workdir / results.GRID, {"points": points_of(config)})
        if points:
            train_stacks(runs, workdir, siblings=siblings, data_dir=data_dir)
        collected = [
            run_one(run_config, run_workdir, siblings=siblings, data_dir=data_dir)
            for run_config, run_workdir in runs.values()
        ]
        if not processes.writes():
            return
        writers.write_json(workdir / results.RESULTS, collected)
        if is_grid(config):
            write_csv(workdir)
        write_report(workdir)


def train_stacks(
    runs: dict[str, tuple[ConfigDict, Path]],
    workdir: Path,
    *,
    siblings: dict[str, tuple[ConfigDict, Path]],
    data_dir: str | None = None,
) -> None:
    """Train those points of a grid that share a program; the others are left for their turn."""
    for names, folder in stacks.plan(runs, workdir):
        points = []
        for config, point_workdir in (runs[name] for name in names):
            found = find_all_upstream(config, point_workdir, siblings=siblings)
            start, described = _start(config, found, siblings=siblings, data_dir=data_dir)
            points.append(Point(config, point_workdir, start, described))
        stacks.mark(names, runs, folder)
        train_stack(points, folder, data_dir=data_dir)
        stacks.remove(folder)


def share_upstream(
    runs: dict[str, tuple[ConfigDict, Path]], workdir: Path
) -> dict[str, tuple[ConfigDict, Path]]:
    """Give the upstream runs of a grid's points a place in `workdir/upstream`, one for them all.

    Points that differ in what the upstream run takes over, such as the seed, have one each. They
    come as siblings that the points find by their config hash.
    """
    shared, hashes = {}, set()
    for config, folder in runs.values():
        found = {} if config.init_dir else find_all_upstream(config, folder, siblings={})
        for upstream, alone in found.values():
            own, name = config_hash(upstream), alone.name
            if own not in hashes:
                place = f"{name}-{own}" if f"upstream/{name}" in shared else name
                shared[f"upstream/{place}"] = upstream, workdir / "upstream" / place
            hashes.add(own)
    return shared


def run_one(
    config: ConfigDict,
    workdir: Path,
    *,
    siblings: dict[str, tuple[ConfigDict, Path]],
    data_dir: str | None = None,
) -> dict[str, Any]:
    """Train and evaluate one run, after the runs whose parameters it starts from.

    `siblings` are the runs of the same study: name to config and workdir.
    """
    found = find_all_upstream(config, workdir, siblings=siblings)
    if results.claim(workdir, config, upstream=_hashes(config, found)) is not None:
        logging.info("%s is finished", workdir)
        return complete(config, workdir, data_dir=data_dir)
    start, described = _start(config, found, siblings=siblings, data_dir=data_dir)
    return train_and_evaluate(
        config, workdir, data_dir=data_dir, start=start, upstream=described
    )


def _start(config, found, *, siblings, data_dir) -> tuple[dict[str, Any], dict[str, Any]]:
    """Load what a run starts from, and what its results say of it; what is missing is trained."""
    start, described = {}, {}
    shapes = transfer.shapes_of(config, data_dir=data_dir) if found or config.pretrained else {}
    if config.pretrained:
        file = config.pretrained
        loaded = pretrained.load(file, shapes, network=config.model.name)
        start, described["pretrained"] = loaded.variables, pretrained.describe(file, loaded)
    for key, (upstream, _) in found.items():
        # Before hours are spent on a run from which nothing can be taken.
        transfer.select(key, transfer.shapes_of(upstream, data_dir=data_dir), shapes)
    for key, (upstream, folder) in found.items():
        train_missing(upstream, folder, siblings=siblings, data_dir=data_dir)
        weights, described[key] = load_start(folder, data_dir=data_dir)
        taken = transfer.select(key, weights, shapes)
        if is_pattern(key):
            # A regex does not say by itself how much of which faces' run it takes.
            counts = {"taken": transfer.count(taken), "of": transfer.count(shapes)}
            described[key] |= {"dataset": upstream.data.dataset, **counts}
        start = transfer.merge(start, taken)
    return start, described


def train_missing(
    config: ConfigDict,
    workdir: Path,
    *,
    siblings: dict[str, tuple[ConfigDict, Path]],
    data_dir: str | None = None,
) -> None:
    """Train an upstream run unless it is finished; a finished one, maybe another's, is not touched.

    Raises:
      UserError: its workdir holds a run of another config.
    """
    hashes = _hashes(config, find_all_upstream(config, workdir, siblings=siblings))
    if results.find_finished(workdir, config, upstream=hashes) is not None:
        return
    # The study has locked its own runs.
    mine = any(workdir == folder for _, folder in siblings.values())
    with contextlib.nullcontext() if mine else lock.hold(workdir):
        run_one(config, workdir, siblings=siblings, data_dir=data_dir)


def refuse_circles(
    config: ConfigDict,
    workdir: Path,
    *,
    siblings: dict[str, tuple[ConfigDict, Path]],
    above: dict[str, str] | None = None,
) -> None:
    """Follow a run's `config.init` to its end; `above` are the runs on the way, by config hash.

    Raises:
      UserError: it comes back to a run on the way, or one of the runs cannot be found.
    """
    mine, above = config_hash(config), above or {}
    if mine in above:
        way = [*above.values(), workdir.name]
        raise UserError(
            f"config.init goes in a circle: {' starts from '.join(way)}; "
            "let one of them start from nothing (config.init={})"
        )
    for upstream, folder in find_all_upstream(config, workdir, siblings=siblings).values():
        refuse_circles(
            upstream, folder, siblings=siblings, above={**above, mine: workdir.name}
        )


def find_all_upstream(
    config: ConfigDict,
    workdir: Path,
    *,
    siblings: dict[str, tuple[ConfigDict, Path]],
) -> dict[str, tuple[ConfigDict, Path]]:
    """Return config and workdir of each run that `config.init` names, as `find_upstream` does."""
    return {
        name: find_upstream(config.init[name], name, config, workdir, siblings=siblings)
        for name in config.init
    }


def _hashes(config: ConfigDict, found: dict[str, tuple[ConfigDict, Path]]) -> dict[str, str]:
    """Name what a run starts from as `results.identify` does of its finished results."""
    # Its name is in the config; this tells a file of other weights by the same name.
    file = {"pretrained": hash_file(config.pretrained)} if config.pretrained else {}
    return file | {key: config_hash(upstream) for key, (upstream, _) in found.items()}


def find_upstream(
    reference: str,
    entry: str,
    config: ConfigDict,
    workdir: Path,
    *,
    siblings: dict[str, tuple[ConfigDict, Path]],
) -> tuple[ConfigDict, Path]:
    """Return the config and the workdir, trained or not, of the upstream run `reference`.

    `runs.NAME` is the study's run NAME. A config file is looked for among the study's runs (the
    same config hash), then in `config.init_dir/NAME`, and else belongs in `workdir/upstream/NAME`.

    `entry` is the key of `config.init`. Where it names a part of the network, that part belongs to
    this run: a config file takes over this run's data, seed and distortion, and NAME is `entry`.
    Where it is a regex (see `transfer.select`) the upstream run is one of its own, such as RAF-DB's
    before SFEW's: it keeps its data and all else, and NAME is the config file's, with its variant.
    Two runs on one dataset must always agree in data and seed, or the one may have learned from the
    other's test faces.

    Raises:
      UserError: there is no such run in the study, it trains on other faces, or init_dir does not
        hold a finished run.
    """
    transferred = is_pattern(entry)
    if reference.startswith(SIBLING):
        sibling = reference.removeprefix(SIBLING)
        if sibling not in siblings:
            raise UserError(
                f"config.init.{entry} is {reference!r}, and the study has no run {sibling!r}. "
                f"{suggest(sibling, siblings)}"
            )
        upstream, folder = siblings[sibling]
        _check_faces(upstream, sibling, config, workdir, transferred=transferred)
        return upstream, folder
    upstream = load_config(reference)
    if is_study(upstream):
        raise UserError(f"config.init.{entry} is {reference!r}, a study; name a single run")
    if transferred:
        path, _, variant = reference.partition(":")
        name = "-".join(filter(None, (Path(path).stem, variant)))
        _check_faces(upstream, reference, config, workdir, transferred=True)
    else:
        name = entry
        for field in ("data", "seed", "distortion"):
            upstream[field] = config[field]
    wanted = config_hash(upstream)
    same = [pair for pair in siblings.values() if config_hash(pair[0]) == wanted]
    if same:
        return same[0]
    if not config.init_dir:
        return upstream, workdir / "upstream" / name
    folder = Path(config.init_dir) / name
    if results.read(folder) is None:
        raise UserError(
            f"config.init_dir has no finished run at {folder}; "
            f"train {reference} there first, or leave init_dir empty"
        )
    return upstream, folder


def _check_faces(upstream, name, config, workdir, *, transferred) -> None:
    """Refuse a start from a run whose training faces may be among this run's test faces."""
    if transferred and upstream.data.dataset != config.data.dataset:
        return
    held, wanted = upstream.to_dict(), config.to_dict()
    for field in ("data", "seed"):
        if held[field] != wanted[field]:
            raise UserError(
                f"{workdir} and the run {name!r} it starts from differ in config.{field}, "
                "so one would be tested on faces the other has trained on; set both alike"
            )


def load_start(workdir: Path, *, data_dir: str | None = None) -> tuple[Any, dict[str, Any]]:
    """Load an upstream run's weights, and what the results of this one say of it.

    Raises:
      UserError: it is a DAE that reconstructs every face alike, so nothing can stand on it.
    """
    finished = load_run(workdir, data_dir=data_dir)
    held, upstream = finished.results, finished.run
    if upstream.config.task == "denoise":
        padded = pad_split(upstream.splits["validation"], upstream.mesh, batch_size=64)
        spread = recon_spread(
            finished.weights, padded, model=upstream.model,
            preprocess=read_preprocess(upstream.config),
        )
        if not spread >= LEAST_SPREAD:
            raise UserError(
                f"the DAE in {workdir} draws the same picture for every face (spread {spread:.1e}, "
                f"expected at least {LEAST_SPREAD:g}); train it with a lower learning rate"
            )
    described = {name: held[name] for name in ("run", "config_hash", "best_epoch", "commit")}
    # On the host, because this run's mesh may not be the upstream run's.
    return jax.device_get(finished.weights), described
