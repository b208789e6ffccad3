"""Launchers: the same list of runs in turn, one on each GPU, or as array jobs on a cluster."""

import argparse
import logging
import os
import queue
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ml_collections import ConfigDict

from fer_jax import host, lock, results, study
from fer_jax.errors import UserError


def waves(config: ConfigDict, workdir: Path) -> list[list[str]]:
    """Order a study's runs so that each stands behind the wave of those it starts from.

    Runs of one wave need nothing of each other and may train at the same time.
    """
    siblings = _siblings(config, workdir)
    folders = {folder: name for name, (_, folder) in siblings.items()}
    needs = {
        name: {
            folders[folder]
            for _, folder in study.find_all_upstream(*siblings[name], siblings=siblings).values()
            if folder in folders
        }
        for name in siblings
    }
    ordered: list[list[str]] = []
    while left := [name for name in needs if not any(name in wave for wave in ordered)]:
        done = {name for wave in ordered for name in wave}
        ready = [name for name in left if needs[name] <= done]
        if not ready:
            raise UserError(f"the runs {', '.join(left)} start from each other in a circle")
        ordered.append(ready)
    return ordered


def train_one(
    config: ConfigDict, name: str, workdir: Path, *, data_dir: str | None = None
) -> None:
    """Train the study's run `name` alone; runs that it starts from must be finished.

    Raises:
      UserError: whatever stops it.
    """
    host.prepare_process()
    siblings = _siblings(config, workdir)
    run_config, folder = siblings[name]
    with lock.hold(folder):
        study.run_one(run_config, folder, siblings=siblings, data_dir=data_dir)


def in_turn(
    config: ConfigDict, workdir: Path, worker: list[str], flags: argparse.Namespace
) -> None:
    """Leave everything to the study, which trains its runs one after the other in this process."""
    host.prepare_process()


def on_gpus(
    config: ConfigDict, workdir: Path, worker: list[str], flags: argparse.Namespace
) -> None:
    """Train one run at a time on each GPU of this machine, in processes of their own.

    Raises:
      UserError: there is no GPU, or a run failed; the others of its wave are finished first.
    """
    names = visible_gpus(flags.gpus)
    free: queue.SimpleQueue = queue.SimpleQueue()
    for gpu in names:
        free.put(gpu)

    def train(run: str) -> int:
        gpu = free.get()
        try:
            with open(_log(workdir, run), "a") as log:
                logging.info("%s on GPU %s, its output in %s", run, gpu, log.name)
                return subprocess.run(
                    [sys.executable, *worker, f"--only={run}"], stdout=log, stderr=log,
                    env={**os.environ, "CUDA_VISIBLE_DEVICES": gpu}, check=False,
                ).returncode
        finally:
            free.put(gpu)

    for wave in waves(config, workdir):
        left = _unfinished(wave, workdir)
        with ThreadPoolExecutor(len(names)) as pool:
            codes = dict(zip(left, pool.map(train, left), strict=True))
        failed = [run for run, code in codes.items() if code]
        if failed:
            raise UserError(
                f"the run {failed[0]} ended with exit code {codes[failed[0]]}; "
                f"{_log(workdir, failed[0])} says why. The same command goes on from there"
            )


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


LAUNCHERS = {"local": in_turn, "gpus": on_gpus, "submitit": through_submitit}


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
