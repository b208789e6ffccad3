"""Where a result comes from: versions, commit, device and command."""

import importlib.metadata
import os
import platform
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax

PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "ml-collections", "numpy")


def describe(*, measured_on: str | None = None) -> dict[str, Any]:
    """Return `versions`, `commit`, `device` and `command` of the running process.

    `measured_on` is the device where another process has measured, so that this one need not open
    it: whoever opens a GPU takes most of its memory.
    """
    return {
        "versions": versions(),
        "commit": commit(),
        "device": measured_on or device(),
        "command": command(),
    }


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that numbers depend on."""
    found = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"python": platform.python_version(), **found}


def commit() -> str | None:
    """Return the commit of this code, with `-dirty` if files differ; None outside a checkout."""
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        head = _output([*git, "rev-parse", "HEAD"])
        changed = _output([*git, "status", "--porcelain", "--untracked-files=no"])
    except (OSError, subprocess.CalledProcessError):
        return None
    return head + ("-dirty" if changed else "")


def device() -> str:
    """Name the accelerators, or the processor and its usable cores."""
    devices, count = jax.devices(), jax.process_count()
    shared = f", {count} processes" if count > 1 else ""
    if devices[0].platform == "cpu":
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        return f"{cores} CPU cores ({_processor()}){shared}"
    return f"{len(devices)} x {devices[0].device_kind}{shared}"


def command() -> str:
    """Return the command line as it can be typed again, with module names instead of paths."""
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    if spec is not None and spec.name:
        return shlex.join(["python", "-m", spec.name.removesuffix(".__main__"), *sys.argv[1:]])
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _output(arguments: list[str]) -> str:
    return subprocess.run(arguments, capture_output=True, text=True, check=True).stdout.strip()
