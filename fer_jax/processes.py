"""Several processes as one run: how they find each other, agree and wait, and who of them writes.

All compute the same and see the same folders; the first alone writes metrics, results, reports,
logs and progress. Checkpoints are Orbax's, which shares the work among them.
"""

import contextlib
import importlib.util
import logging
import os
import re
import subprocess
import sys
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from fer_jax.errors import UsageError, UserError

HEARTBEAT = 30  # seconds of silence after which a process counts as dead
JOIN = 300  # seconds to wait for all to come
LEAVE = 15  # and for all to go

# What a launcher says of the processes that it starts: how many there are, and which this one is.
# SLURM's count is srun's own: a batch script, of which there is one, has another.
LAUNCHERS = {
    "SLURM": ("SLURM_STEP_NUM_TASKS", "SLURM_PROCID"),
    "Open MPI": ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"),
}

# What XLA says of a collective in which another process is missing.
LOST = "(?i)gloo|nccl|connection|heartbeat|coordination|unavailable"

# Runs beside a process, because one that jax aborts, or that is killed, cannot say anything itself.
LAST_WORDS = """
import signal, sys
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
if sys.stdin.read() != "ended":
    print(sys.argv[1], file=sys.stderr, flush=True)
"""


@contextlib.contextmanager
def joined(
    coordinator: str | None = None, num_processes: int | None = None, process_id: int | None = None
) -> Iterator[None]:
    """Join the run's other processes for the block; alone, where nobody says there are others.

    The three say it, all or none, or else a launcher: SLURM's srun, Open MPI's mpirun, a GKE TPU
    slice, or a Kubernetes Job with an index (with the `kubernetes` package). Call it before
    anything else asks jax for devices.

    Args:
      coordinator: HOST:PORT on which the first process listens.

    Raises:
      UsageError: some of the three are missing or do not fit.
      UserError: the others did not come in time.
    """
    given = (coordinator, num_processes, process_id)
    _check(*given)
    if given == (None, None, None) and not find_launcher():
        yield
        return
    _connect(*given)
    import jax

    count, mine = jax.process_count(), jax.process_index()
    if mine:
        logging.getLogger().setLevel(logging.CRITICAL)  # the first says it all
    watcher = subprocess.Popen(
        [sys.executable, "-S", "-E", "-c", LAST_WORDS, explain_end(mine, count)],
        stdin=subprocess.PIPE, text=True,
    )
    try:
        # Gloo waits for the others' first collective for 30 seconds and no longer. Asking for the
        # devices has just brought all here; by the time the faces are loaded they may be apart.
        meet("the start")
        yield
        # The first may still write its report, and leaving waits for the others only so long.
        meet("the end")
        jax.distributed.shutdown()
    except jax.errors.JaxRuntimeError as error:
        if not re.search(LOST, str(error)):
            raise
        # At once: leaving as usual would wait for the one that is gone.
        said = f"error: {explain_end(mine, count)}\n  ({str(error).splitlines()[0][:200]})"
        sys.stdout.flush()
        print(said, file=sys.stderr, flush=True)
        watcher.communicate("ended")
        os._exit(1)
    except UserError as error:
        # A signal stops all together, and one of them is enough to say so.
        if mine and error.exit_code > 128:
            raise SystemExit(error.exit_code) from None
        raise
    finally:
        watcher.communicate("ended")


def find_launcher() -> str | None:
    """Name what started this process as one of several; None if nothing did."""
    for name, (count, _) in LAUNCHERS.items():
        if os.environ.get(count, "1") != "1":
            return name
    if "," in os.environ.get("TPU_WORKER_HOSTNAMES", ""):
        return "GKE"
    indexed = {"KUBERNETES_SERVICE_HOST", "JOB_COMPLETION_INDEX"} <= os.environ.keys()
    return "Kubernetes" if indexed and importlib.util.find_spec("kubernetes") else None


def explain_end(process: int, count: int) -> str:
    """Say of a process that it ended because another did, or was killed itself."""
    return (
        f"process {process} of {count} has stopped: another process of the run has ended or does "
        "not answer, or this one was killed. The messages of the others may say why. Start all of "
        "them again with the same commands, and they go on from the newest checkpoint"
    )


def writes() -> bool:
    """Tell whether this process is the one that writes: the first, or the only one."""
    jax = sys.modules.get("jax")  # whoever has not imported it is alone
    return jax is None or not jax.distributed.is_initialized() or jax.process_index() == 0


def several() -> bool:
    """Tell whether this process is one of several of a run."""
    jax = sys.modules.get("jax")
    return jax is not None and jax.distributed.is_initialized() and jax.process_count() > 1


def meet(name: str) -> None:
    """Wait until all processes have come here; `name` tells the places apart."""
    if several():
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices(name)


def agree(*numbers: int) -> tuple[int, ...]:
    """Return the greatest of each number that a process has: what one has heard, all have."""
    if not several():
        return numbers
    from jax.experimental import multihost_utils

    return tuple(multihost_utils.process_allgather(np.asarray(numbers)).max(axis=0).tolist())


def check_same(name: str, *parts: bytes) -> None:
    """Check that all processes have the same bytes; `name` is what an error calls them.

    Raises:
      UserError: they have not.
    """
    checksum = 0
    for part in parts:
        checksum = zlib.crc32(part, checksum)
    checksum &= 2**31 - 1  # as much as jax has in an integer
    most, negative_least = agree(checksum, -checksum)
    if most != -negative_least:
        raise UserError(
            f"the processes of this run differ in {name}; start all of them with the same flags, "
            "code and prepared data"
        )


def fetch(array: Any) -> np.ndarray:
    """Return a device array as a whole on the host, also where other processes hold parts of it."""
    if not several() or array.is_fully_addressable or array.is_fully_replicated:
        return np.asarray(array)
    from jax.experimental import multihost_utils

    return multihost_utils.process_allgather(array, tiled=True)


def _check(coordinator: str | None, num_processes: int | None, process_id: int | None) -> None:
    given = {
        "--coordinator": coordinator, "--num_processes": num_processes, "--process_id": process_id
    }
    missing = [name for name, value in given.items() if value is None]
    if len(missing) == len(given):
        return
    if missing:
        raise UsageError(
            f"{missing[0]} is missing: each process of a run is started with --coordinator="
            "HOST:PORT, the address of the first, --num_processes=N and --process_id=0 to N-1"
        )
    if not re.fullmatch(r".+:\d{1,5}", coordinator):
        raise UsageError(f"--coordinator={coordinator}: expected HOST:PORT, as in node0:7000")
    if not 0 <= process_id < num_processes:
        raise UsageError(
            f"--process_id={process_id} of --num_processes={num_processes}: expected 0 to "
            f"{num_processes - 1}"
        )


def _connect(coordinator: str | None, num_processes: int | None, process_id: int | None) -> None:
    import jax

    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    # Its handler would take SIGTERM from ours, which saves and stops all at one step.
    jax.config.update("jax_enable_preemption_service", False)
    explicit = coordinator is not None
    try:
        jax.distributed.initialize(
            coordinator, num_processes, process_id,
            cluster_detection_method="deactivate" if explicit else None,
            initialization_timeout=JOIN, heartbeat_timeout_seconds=HEARTBEAT,
            shutdown_timeout_seconds=LEAVE,
        )
    except (ValueError, RuntimeError) as error:
        where = f" at {coordinator}" if explicit else f" ({find_launcher()})"
        said = str(error).splitlines()
        raise UserError(
            f"the processes of this run did not find each other{where}: {said[0] if said else ''}; "
            "check that all were started, and that the first can be reached; or say "
            "--coordinator=HOST:PORT --num_processes=N --process_id=I"
        ) from error
