"""Store a dataset's files so that a reader, whatever happens, finds the old ones or the new."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from fer_jax.data.faces import Faces, save_faces
from fer_jax.errors import UserError


def store(name: str, faces: Faces, *, data_dir: Path, track: Callable | None = None) -> Path:
    """Write the TFDS files to DATA_DIR/NAME and the arrays to DATA_DIR/NAME.npz.

    Both are written to DATA_DIR/NAME.tmp, which becomes NAME.new when it is whole; then they take
    their places. If the process is killed before that, the old dataset stays; after, `recover`
    finishes the move. The caller holds the lock of DATA_DIR.

    Args:
      faces: the dataset in canonical order.
      track: shows the progress; see `builders.write_records`.

    Returns:
      The path of the array file, which training reads.

    Raises:
      UserError: the files cannot be written, for want of room or of the right to.
    """
    # Writing TFDS files needs TFDS, training does not: nothing else in the package imports it.
    from fer_jax.data.builders import write_records

    beside, whole, arrays = (data_dir / f"{name}{end}" for end in (".tmp", ".new", ".npz"))
    try:
        recover(name, data_dir=data_dir)
        beside.mkdir(parents=True)
        save_faces(beside / arrays.name, faces)
        write_records(name, faces, data_dir=beside, track=track)
        os.rename(beside, whole)
        _move_in(name, data_dir)
    except OSError as error:
        raise UserError(
            f"cannot write the dataset to {data_dir} ({error}). Make room there, or choose "
            "another folder by --data_dir. A dataset that was there is as it was."
        ) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return arrays


def recover(name: str, *, data_dir: Path) -> None:
    """Clear up after a killed `store`: finish its move, or take away what it began to write.

    Raises:
      OSError: the folder cannot be written.
    """
    if (data_dir / f"{name}.new").is_dir():
        _move_in(name, data_dir)
    if (data_dir / f"{name}.tmp").is_dir():
        shutil.rmtree(data_dir / f"{name}.tmp")


def _move_in(name: str, data_dir: Path) -> None:
    """Move both out of NAME.new; each step is skipped if it was done before a kill."""
    whole, records = data_dir / f"{name}.new", data_dir / name
    if (whole / name).exists():
        if records.exists():
            # A folder cannot be replaced at one stroke; the array file, which training reads, is.
            os.rename(records, whole / "old")
        os.rename(whole / name, records)
    if (whole / f"{name}.npz").exists():
        os.replace(whole / f"{name}.npz", data_dir / f"{name}.npz")
    shutil.rmtree(whole)
