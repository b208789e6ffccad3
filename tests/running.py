"""Start `python -m fer_jax.main` as a user does, and wait for what it does."""

import importlib.util
import json
import multiprocessing
import os
import resource
import runpy
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import jax
from orbax.checkpoint import v1 as ocp

REPOSITORY = Path(__file__).resolve().parent.parent
# Kept between runs of the suite: compiling is most of what a tiny study costs.
PROGRAMS = REPOSITORY / ".pytest_cache" / "programs"
STUDY = REPOSITORY / "tests" / "tiny_study.py"
COMMAND = (f"--config={STUDY}", "--workdir=w")
ENVIRONMENT = {
    "PYTHONPATH": str(REPOSITORY),
    "JAX_PLATFORMS": "cpu",
    "FER_JAX_CACHE": str(PROGRAMS),
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.2",
}
# Importing these is most of what a short command takes.
PRELOADED = ["pytest", "tests.running", "fer_jax.study", "fer_jax.host", "tensorboardX"]


def start(*arguments: str, module: str = "fer_jax.main", cwd: Path) -> subprocess.Popen:
    """Start the command in the folder `cwd`; it sees neither a terminal nor this suite's flags."""
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=cwd, env=os.environ | ENVIRONMENT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )


class Forked:
    """A command in a process of its own that need not import anything: for tests of many starts.

    It is forked from a server that has imported all but started nothing, and answers to what
    `subprocess.Popen` does. `file_limit` is the size in bytes that its files cannot exceed,
    `devices` how many it takes its processor for.
    """

    def __init__(
        self,
        *arguments: str,
        module: str = "fer_jax.main",
        cwd: Path,
        file_limit: int | None = None,
        devices: int = 1,
    ):
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        os.environ.update(ENVIRONMENT)  # of the server, which the first call starts
        self.folder = tempfile.TemporaryDirectory()
        said = [os.path.join(self.folder.name, name) for name in ("out", "err")]
        self.said = [Path(path) for path in said]
        self.process = context.Process(
            target=_be_command,
            args=(module, arguments, str(cwd), said, file_limit, devices), daemon=True,
        )
        self.process.start()
        self.pid = self.process.pid

    @property
    def returncode(self) -> int | None:
        return self.process.exitcode

    def poll(self) -> int | None:
        return self.process.exitcode

    def kill(self) -> None:
        self.process.kill()

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def communicate(self, timeout: float | None = None) -> tuple[str, ...]:
        self.process.join(timeout)
        if self.process.exitcode is None:
            raise TimeoutError(f"still running after {timeout} s")
        said = tuple(path.read_text() if path.exists() else "" for path in self.said)
        self.folder.cleanup()
        return said


def _be_command(module, arguments, cwd, said, file_limit, devices) -> None:
    for path, descriptor in zip(said, (1, 2), strict=True):
        os.dup2(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND), descriptor)
    os.chdir(cwd)
    if file_limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))
    jax.config.update("jax_num_cpu_devices", devices)
    # As `python -m` would: what is preloaded of it is not it.
    sys.modules.pop(module, None)
    sys.argv = [importlib.util.find_spec(module).origin, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        sys.stdout.flush()


def fork(*arguments: str, cwd: Path, **options) -> tuple[int, str, str]:
    """Run the command in a forked process to its end; return the exit code, stdout and stderr."""
    return finish(Forked(*arguments, cwd=cwd, **options))


def finish(process: subprocess.Popen, *, seconds: float = 200) -> tuple[int, str, str]:
    """Wait for the end; return the exit code, stdout and stderr."""
    try:
        out, err = process.communicate(timeout=seconds)
    finally:
        process.kill()
    return process.returncode, out, err


def run(*arguments: str, module: str = "fer_jax.main", cwd: Path) -> tuple[int, str, str]:
    """Run the command to its end; return the exit code, stdout and stderr."""
    return finish(start(*arguments, module=module, cwd=cwd))


def wait_for(
    condition: Callable[[], bool], process: subprocess.Popen, *, seconds: float = 200
) -> None:
    """Wait until the condition holds while the process runs."""
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, f"it ended before: {process.communicate()[1][-2000:]}"
        assert time.monotonic() < end, f"nothing for {seconds} s"
        time.sleep(0.001)


def count_lines(path: Path) -> int:
    """Count the complete lines of a file that may not be there yet."""
    return path.read_text().count("\n") if path.exists() else 0


def read_results(workdir: Path) -> dict:
    """Read a run's results without its costs: what must not depend on interruptions."""
    results = json.loads((workdir / "results.json").read_text())
    # Whoever commits or edits while the suite runs changes the commit, and breaks nothing.
    del results["cost"], results["commit"]
    return results


def read_rows(workdir: Path) -> list[dict]:
    """Read a run's metrics.jsonl without its times."""
    rows = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    for row in rows:
        del row["seconds"], row["images_per_second"]
    return rows


def read_checkpoint(workdir: Path, *, step: int | None = None) -> tuple[int, dict]:
    """Read a checkpoint, the newest by default, as it is stored: its step and its arrays."""
    with (
        ocp.training.Checkpointer(workdir.resolve() / "checkpoints") as checkpointer,
        warnings.catch_warnings(),
    ):
        # Orbax warns that nobody says where the arrays shall lie; here it does not matter.
        warnings.simplefilter("ignore")
        step = checkpointer.latest.step if step is None else step
        return step, checkpointer.load(step)


def send(monkeypatch, number, *, step):
    """Let a signal come while the run's step of that number is computed."""
    from fer_jax import train
    from fer_jax.dispatch import Dispatch

    real, calls = train.make_dispatch, []

    def make_dispatch(*args, **kwargs):
        made = real(*args, **kwargs)

        def once(*args):
            calls.append(None)
            if len(calls) == step:
                os.kill(os.getpid(), number)
            return made.train(*args)

        return Dispatch(once, made.steps)

    monkeypatch.setattr(train, "make_dispatch", make_dispatch)
