"""Write files whole: beside their place first, then renamed into it."""

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from fer_jax import processes


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a file beside `path` for bytes; it takes that place when the block ends well.

    No reader, and no later run after a crash, sees half of it; if the block fails, what stood at
    `path` is untouched and nothing stays beside it. Of a run's several processes one writes.

    Raises:
      OSError: it cannot be written; the error names `path`.
    """
    if not processes.writes():
        yield io.BytesIO()
        return
    path = Path(path)
    beside = path.with_name(path.name + ".tmp")
    try:
        with naming(path), beside.open("wb") as file:
            yield file
            file.flush()
            # Else a crash of the machine could leave the new name on bytes never written.
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name `path` in an OSError that does not say which file it is about, as a full disk's."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text beside the path, then rename."""
    with replacing(path) as file:
        file.write(text.encode())
