"""Processes that measure in turn: each answers its parent's commands, one JSON line each."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

# What fer_jax.host.keep_freed_memory sets, as glibc reads it from the environment.
KEPT_MEMORY = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1),
    "MALLOC_TOP_PAD_": str(64 << 20),
}
MEMORIES = {"default": {}, "kept": KEPT_MEMORY}


class Worker:
    """A process that runs a module; `worker(command, **options)` returns the command's answer."""

    def __init__(
        self,
        module: str,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        python: Path | str = sys.executable,
    ):
        """Start `PYTHON -m MODULE ARGUMENTS`, which calls `serve`."""
        self._process = subprocess.Popen(
            [str(python), "-m", module, *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, **(environment or {})},
        )

    def __call__(self, command: str, **options: Any) -> Any:
        """Have a command run and wait for its answer.

        Raises:
          UserError: the process ended instead; its traceback stands above.
        """
        try:
            print(json.dumps([command, options]), file=self._process.stdin, flush=True)
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            # Not above: PyPI fer's side serves from an environment in which fer_jax cannot run.
            from fer_jax.errors import UserError

            raise UserError(f"{' '.join(self._process.args[1:4])} ended at {command!r}; see above")
        return json.loads(answer)

    def close(self) -> None:
        """End the process."""
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_) -> None:
        self.close()


def serve(commands: Mapping[str, Callable[..., Any]]) -> None:
    """Answer commands from stdin until it closes; what they print goes to stderr."""
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        command, options = json.loads(line)
        print(json.dumps(commands[command](**options)), file=answers, flush=True)


def time_calls(work: Callable[[], Any], *, count: int) -> list[tuple[float, float]]:
    """Return the seconds of each of `count` calls, and those of processor time."""
    times = []
    for _ in range(count):
        start = time.perf_counter(), time.process_time()
        work()
        times.append((time.perf_counter() - start[0], time.process_time() - start[1]))
    return times


def peak_memory() -> int | None:
    """Return the most bytes of memory this process has held, where the system tells (Linux).

    Not `resource.getrusage`: its peak begins with that of the parent.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    peak = next((line for line in lines if line.startswith("VmHWM:")), None)
    return int(peak.split()[1]) * 1024 if peak else None
