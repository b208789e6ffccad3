"""Launchers: one list of runs in turn, one on each GPU or core, or as array jobs on a cluster."""

import argparse
import logging
import os
import shutil
import subprocess
import sys
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path
from typing import NamedTuple

from ml_collections import ConfigDict

from fer_jax import lock, results, study
from fer_jax.errors import UserError


def waves(config: ConfigDict, workdir: Path) -> list[list[str]]:
    """Order a study's runs so that each stands behind the wave of those it starts from.

    Runs of one wave need nothing of each other and may train at the same time.
    """
    needs = _needs(config, workdir)
    ordered: list[list[str]] = []
    while left := [name for name in needs if not any(name in wave for wave in ordered)]:
        done = {name for wave in ordered for name in wave}
        ready = [name for name in left if needs[name] <= done]
        if not ready:
            raise UserError(f"the runs {', '.join(left)} start from each other in a circle")
        ordered.append(ready)
    return ordered


def _needs(config: ConfigDict, workdir: Path) -> dict[str, set[str]]:
    """Name the runs of the study that each of its runs stands on."""
    siblings = _siblings(config, workdir)
    folders = {folder: name for name, (_, folder) in siblings.items()}
    return {
        name: {
            folders[folder]
            for _, folder in study.find_all_upstream(*siblings[name], siblings=siblings).values()
            if folder in folders
        }
        for name in siblings
    }


def train_one(
    config: ConfigDict, name: str, workdir: Path, *, data_dir: str | None = None
) -> None:
    """Train the study's run `name` alone; runs that it starts from must be finished.

    Raises:
      UserError: whatever stops it.
    """
    siblings = _siblings(config, workdir)
    run_config, folder = siblings[name]
    if missing := _unfinished(sorted(_needs(config, workdir)[name]), workdir):
        raise UserError(f"{name} stands on {', '.join(missing)}, not finished yet: train that first")
    with lock.hold(folder):
        study.run_one(run_config, folder, siblings=siblings, data_dir=data_dir)


def in_turn(
    config: ConfigDict, workdir: Path, worker: list[str], flags: argparse.Namespace
) -> None:
    """Leave everything to the study, which trains its runs one after the other in this process."""


def on_gpus(
    config: ConfigDict, workdir: Path, worker: list[str], flags: argparse.Namespace
) -> None:
    """Train one run at a time on each GPU of this machine, in processes of their own.

    Raises:
      UserError: there is no GPU, or a run failed; those under way are finished first.
    """
    gpus = visible_gpus(flags.gpus)
    places = [Place(f"GPU {gpu}", {"CUDA_VISIBLE_DEVICES": gpu}) for gpu in gpus]
    _side_by_side(config, workdir, worker, places)


def on_cores(
    config: ConfigDict, workdir: Path, worker: list[str], flags: argparse.Namespace
) -> None:
    """Train as many runs at a time as `flags.jobs` says, each on its share of the CPU's cores.

    A small network leaves most of a second core idle: two runs on a core each are done sooner than
    one after the other on both.

    Raises:
      UserError: more jobs than cores, or a run failed; those under way are finished first.
    """
    cores = sorted(os.sched_getaffinity(0))
    jobs = flags.jobs or len(cores)
    if jobs > len(cores):
        raise UserError(f"--jobs={jobs}: there are {len(cores)} cores here; use as many at most")
    shares = [",".join(map(str, cores[i::jobs])) for i in range(jobs)]
    places = [
        Place(f"core {share}", {} if "," in share else _one_thread(), (f"--cores={share}",))
        for share in shares
    ]
    _side_by_side(config, workdir, worker, places)


def _one_thread() -> dict[str, str]:
    """Return the environment in which XLA computes where it is called, without a second thread.

    On one core the two would only hand the work to each other, and wait their turn each time where
    the core is shared: a run took four times as long on a busy machine, and as long on a quiet one.
    """
    given = os.environ.get("XLA_FLAGS", "")
    return {"XLA_FLAGS": f"{given} --xla_cpu_multi_thread_eigen=false".strip()}


class Place(NamedTuple):
    """Where a process trains one run at a time: its name, environment and more flags."""

    name: str
    environment: dict[str, str]
    flags: tuple[str, ...] = ()


def _side_by_side(
    config: ConfigDict, workdir: Path, worker: list[str], places: list[Place]
) -> None:
    """Start each run in the list's order, once a place is free and what it stands on is there."""
    siblings = _siblings(config, workdir)
    for run_config, folder in siblings.values():
        study.refuse_circles(run_config, folder, siblings=siblings)
    needs = _needs(config, workdir)
    left = _unfinished(list(needs), workdir)
    free, running, failed, children = list(places), {}, {}, []
    with ThreadPoolExecutor(len(places)) as pool:
        try:
            while running or (left and not failed):
                waiting = {*left, *(run for run, _ in running.values())}
                ready = [run for run in left if not needs[run] & waiting]
                for run in ready[: len(free)] if not failed else ():
                    left.remove(run)
                    place = free.pop(0)
                    logging.info("%s on %s, its output in %s", run, place.name, _log(workdir, run))
                    job = pool.submit(_train_there, run, place, workdir, worker, children)
                    running[job] = run, place
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for job in done:
                    run, place = running.pop(job)
                    free.append(place)
                    failed |= {run: job.result()} if job.result() else {}
        except BaseException:
            for child in children:
                child.terminate()  # each saves where it is, and ends
            raise
    for run, code in failed.items():
        raise UserError(
            f"the run {run} ended with exit code {code}; {_log(workdir, run)} says why. The same "
            "command goes on from there"
        )


def _train_there(run: str, place: Place, workdir: Path, worker: list[str], children: list) -> int:
    with open(_log(workdir, run), "a") as log:
        child = subprocess.Popen(
            [sys.executable, *worker, f"--only={run}", *place.flags], stdout=log, stderr=log,
            env={**os.environ, **place.environment},
        )
        children.append(child)
        return child.wait()


def through_submitit(
    config: ConfigDict, workdir: Path, worker: list[str], flags: argparse.Namespace
) -> None:
    """Train each wave as one array job, the next one after it has ended well, and wait for all.

    Raises:
      UserError: submitit is not installed, there is no such cluster, or a job failed.
    """
    try:
        import submitit
    except ImportError:
        raise UserError(
            "--launcher=submitit needs the package submitit: pip install -e '.[slurm]'"
        ) from None
    try:
        executor = submitit.AutoExecutor(folder=workdir / "jobs", cluster=flags.cluster)
    except (RuntimeError, ValueError) as error:
        raise UserError(f"--cluster={flags.cluster}: {error}") from error
    executor.update_parameters(name=workdir.name, timeout_min=flags.minutes)
    if flags.cluster == "slurm":
        extra = {"slurm_partition": flags.partition} if flags.partition else {}
        executor.update_parameters(slurm_gres="gpu:1", **extra)
    for wave in waves(config, workdir):
        commands = [
            [sys.executable, *worker, f"--only={run}"] for run in _unfinished(wave, workdir)
        ]
        with executor.batch():
            jobs = [
                executor.submit(submitit.helpers.CommandFunction(command, verbose=False))
                for command in commands
            ]
        for job in jobs:
            try:
                job.result()
            except submitit.core.utils.UncompletedJobError as error:
                raise UserError(f"job {job.job_id} did not end well: {error}") from error
            except submitit.core.utils.FailedJobError as error:
                raise UserError(f"job {job.job_id} failed: {error}") from error


LAUNCHERS = {"local": in_turn, "cores": on_cores, "gpus": on_gpus, "submitit": through_submitit}


def _siblings(config: ConfigDict, workdir: Path) -> dict[str, tuple[ConfigDict, Path]]:
    return {name: (config.runs[name], workdir / name) for name in config.runs}


def _unfinished(names: list[str], workdir: Path) -> list[str]:
    return [name for name in names if results.read(workdir / name) is None]


def _log(workdir: Path, run: str) -> Path:
    folder = workdir / run
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "train.log"


def visible_gpus(wanted: int) -> list[str]:
    """Name this machine's GPUs as CUDA_VISIBLE_DEVICES does, without taking memory on them."""
    listed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if listed is None:
        tool = shutil.which("nvidia-smi")
        lines = subprocess.run([tool, "-L"], capture_output=True, text=True, check=False).stdout \
            if tool else ""
        found = [str(i) for i in range(len(lines.splitlines()))]
    else:
        found = [gpu for gpu in listed.split(",") if gpu]
    if len(found) < max(wanted, 1):
        raise UserError(
            f"--launcher=gpus found {len(found)} GPUs here and needs {max(wanted, 1)}; "
            "use --launcher=local, or fewer --gpus"
        )
    return found[: wanted or None]
