"""Start `python -m fer_jax.main` as a user does, and wait for what it does."""

import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from orbax.checkpoint import v1 as ocp

REPOSITORY = Path(__file__).resolve().parent.parent
# Kept between runs of the suite: compiling is most of what a tiny study costs.
PROGRAMS = REPOSITORY / ".pytest_cache" / "programs"
STUDY = REPOSITORY / "tests" / "tiny_study.py"


def start(*arguments: str, module: str = "fer_jax.main", cwd: Path) -> subprocess.Popen:
    """Start the command in the folder `cwd`; it sees neither a terminal nor this suite's flags."""
    environment = os.environ | {
        "PYTHONPATH": str(REPOSITORY),
        "JAX_PLATFORMS": "cpu",
        "FER_JAX_CACHE": str(PROGRAMS),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.2",
    }
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=cwd, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )


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
