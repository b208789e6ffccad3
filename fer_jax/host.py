"""Settings of the process that make the host quicker: memory it keeps, programs it remembers."""

import ctypes
import os
import sys
from pathlib import Path

import jax

# glibc's mallopt options.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX, M_ARENA_MAX = -1, -2, -4, -8


def prepare_process() -> None:
    """Keep freed memory and cache compiled programs; call it before the first array is made."""
    keep_freed_memory()
    cache_programs()


def keep_freed_memory() -> bool:
    """Let glibc reuse the large temporaries of XLA's CPU programs; False where there is no glibc.

    By default it maps and unmaps them at every step, and the page faults cost more than some of
    the arithmetic.
    """
    if sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"):
        return False
    mallopt = ctypes.CDLL(None).mallopt
    options = {
        M_MMAP_MAX: 0, M_TRIM_THRESHOLD: 2**31 - 1, M_TOP_PAD: 64 << 20, M_ARENA_MAX: 1,
    }
    return all(mallopt(option, value) == 1 for option, value in options.items())


def cache_programs() -> None:
    """Keep compiled programs in `$FER_JAX_CACHE`, else the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = os.environ.get("FER_JAX_CACHE") or Path(home) / "fer_jax"
    jax.config.update("jax_compilation_cache_dir", str(folder))
