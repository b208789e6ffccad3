"""The one place where operations take another form on a CPU than elsewhere."""

from collections.abc import Callable
from typing import Any

import jax
from jax.experimental.xla_metadata import set_xla_metadata


def by_backend(*arrays: Any, cpu: Callable[..., Any], default: Callable[..., Any]) -> Any:
    """Call `cpu` with the arrays where the program runs on a CPU, and `default` elsewhere.

    Both give the same but for rounding. Which of them a program holds is settled when it is lowered
    for its devices, so that one exported for several backends takes each its own.
    """
    return jax.lax.platform_dependent(*arrays, cpu=cpu, default=default)


def keep(arrays: Any) -> Any:
    """Return the arrays as they are, and have XLA write them to memory on a CPU.

    XLA's fusions compute a cheap array anew for each shape in which it is read, however much is
    read for it, and `jax.lax.optimization_barrier` is gone before they are made. A call that is not
    inlined stays; it copies nothing. What reads any of the arrays comes after all of them.
    """
    return by_backend(arrays, cpu=_call, default=lambda arrays: arrays)


def _call(arrays):
    with set_xla_metadata(inlineable="false"):
        return _same(arrays)


@jax.jit
def _same(arrays):
    return arrays
