"""Settings of the process that make the host quicker: memory it keeps, programs it remembers."""

import ctypes
import importlib.metadata
import importlib.util
import os
import sys
from pathlib import Path

import jax

# glibc's mallopt options.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
# The versions of jaxlib whose YNNPACK leaves cores idle; in 0.12 it is as quick as Eigen. All these
# know the flag: one that XLA does not know ends the process.
YNNPACK_VERSIONS = ("0.9.", "0.10.")
# Programs that compile faster than this are not worth a file.
KEPT_FROM_SECONDS = 0.1


def prepare_process() -> None:
    """Have memory, threads and compiled programs used well; call it before the first array."""
    keep_freed_memory()
    compile_quickly()
    convolve_on_all_cores()
    cache_programs()


def keep_freed_memory() -> bool:
    """Let glibc reuse the large temporaries of XLA's CPU programs; False where there is no glibc.

    By default it maps and unmaps them at every step, and the page faults cost more than some of
    the arithmetic. It does so in any case for a thread other than the first, so programs of one
    device run in the thread that calls them.
    """
    jax.config.update("jax_cpu_enable_async_dispatch", False)
    if not _has_glibc():
        return False
    mallopt = ctypes.CDLL(None).mallopt
    options = {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: 2**31 - 1, M_TOP_PAD: 64 << 20}
    return all(mallopt(option, value) == 1 for option, value in options.items())


def release_freed_memory() -> None:
    """Give back to the system what `keep_freed_memory` holds: between epochs, before a checkpoint.

    Each thread's freed memory serves that thread alone: what compiling, steps and checkpoints have
    left would else add up.
    """
    if _has_glibc():
        ctypes.CDLL(None).malloc_trim(0)


def _has_glibc() -> bool:
    return sys.platform == "linux" and hasattr(ctypes.CDLL(None), "gnu_get_libc_version")


def compile_quickly() -> None:
    """Let XLA's CPU programs be made with LLVM's -O2, unless XLA_FLAGS says otherwise.

    -O3 takes twice as long over a training step's random numbers, and the step is no quicker.
    """
    level = "--xla_backend_optimization_level"
    given = os.environ.get("XLA_FLAGS", "")
    if level not in given and not _is_accelerated():
        os.environ["XLA_FLAGS"] = f"{given} {level}=2".strip()


def convolve_on_all_cores() -> None:
    """Leave XLA's CPU convolutions to Eigen, unless XLA_FLAGS says otherwise or there is one core.

    YNNPACK, which has them by default, is as quick on one core but leaves the others idle in some
    versions.
    """
    kinds, threads = "--xla_cpu_experimental_ynn_fusion_type", "--xla_cpu_multi_thread_eigen=false"
    given = os.environ.get("XLA_FLAGS", "")
    several = len(os.sched_getaffinity(0)) > 1 if sys.platform == "linux" else os.cpu_count() > 1
    known = importlib.metadata.version("jaxlib").startswith(YNNPACK_VERSIONS)
    wanted = known and several and not _is_accelerated()
    if wanted and kinds not in given and threads not in given:
        without = f"{kinds}=-LIBRARY_FUSION_TYPE_INDIVIDUAL_CONVOLUTION"
        os.environ["XLA_FLAGS"] = f"{given} {without}".strip()


def _is_accelerated() -> bool:
    """Tell whether XLA has a plugin, which reads the same flags and may know others."""
    return any(importlib.util.find_spec(name) for name in ("jax_plugins", "libtpu"))


def cache_programs() -> None:
    """Keep compiled programs in `$FER_JAX_CACHE`, else the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = os.environ.get("FER_JAX_CACHE") or Path(home) / "fer_jax"
    jax.config.update("jax_compilation_cache_dir", str(folder))
    # By default what takes less than a second to compile is not kept: most of a small run.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", KEPT_FROM_SECONDS)
