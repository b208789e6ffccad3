"""One process at a time works in a folder: a lock that the kernel takes back at its end."""

import contextlib
import errno
import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from fer_jax import processes
from fer_jax.errors import UserError

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None

NAME = ".lock"
# What flock says on file systems without locks, as some NFS mounts are.
UNSUPPORTED = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}


@contextlib.contextmanager
def hold(*folders: Path) -> Iterator[None]:
    """Keep other processes out of the folders, which are made if they are missing.

    The lock is flock's on `FOLDER/.lock`. It ends with the process, however that ends, so the file
    that stays behind locks nothing. Where the file system has no locks, a warning says so. Of a
    run's several processes the one that writes holds it.

    Raises:
      UserError: another process holds one of them.
    """
    with contextlib.ExitStack() as stack:
        for folder in folders if processes.writes() else ():
            folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(folder / NAME, os.O_RDWR | os.O_CREAT, 0o666)
            stack.callback(os.close, descriptor)
            _lock(descriptor, folder)
        yield


def _lock(descriptor: int, folder: Path) -> None:
    try:
        if fcntl is None:
            raise OSError(errno.ENOSYS, "not on this system")
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 200, 0).decode(errors="replace") or "another process"
        raise UserError(
            f"{folder} is in use by {holder}; wait until it ends or stop it, "
            "or choose another folder"
        ) from None
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
        logging.warning(
            "warning: %s cannot be locked (%s); start no second process on it",
            folder, error.strerror,
        )
        return
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
