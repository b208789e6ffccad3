"""Read faces from an .npz of arrays: a prepared dataset, or one that somebody made."""

import zipfile
from pathlib import Path

import numpy as np

from fer_jax.data.faces import EMOTIONS, SIZE, USAGES, Faces
from fer_jax.errors import UserError

# Of each array: the kinds of its numbers or text (NumPy's letters), and its axes.
KINDS = {
    "images": ("u", (3, 4)),
    "emotion": ("iu", (1,)),
    "usage": ("U", (1,)),
    "source_name": ("U", (1,)),
    "source_row": ("iu", (1,)),
    "ferplus": ("iu", (2,)),
}
MAX_BYTES = 4 << 30  # of all arrays unpacked; FER2013's take 100 MB


def read_npz(path: Path) -> tuple[Faces, str, list[str]]:
    """Read images, emotion and usage, and source_name, source_row and ferplus where there are any.

    Without rows the faces are taken to be in the order of the CSV.

    Returns:
      The faces in the file's order, what the layout is called, and remarks for the user.

    Raises:
      UserError: the file is damaged, lacks an array, or an array is not what it should be.
    """
    arrays = _load(path)
    missing = [name for name in ("images", "emotion", "usage") if name not in arrays]
    if missing:
        raise UserError(
            f"{path} lacks {', '.join(missing)}. Expected are images, emotion and usage, one entry "
            "a face in each."
        )
    for name, (kinds, axes) in KINDS.items():
        array = arrays.get(name)
        if array is not None and (array.dtype.kind not in kinds or array.ndim not in axes):
            raise UserError(
                f"{path} holds {name} {array.dtype} {list(array.shape)}, which is not what a "
                "dataset's arrays are. python -m fer_jax.data.prepare writes them right."
            )
    n = len(arrays["images"])
    arrays.setdefault("source_name", np.full(n, ""))
    arrays.setdefault("source_row", np.arange(n))
    faces = Faces(**arrays)
    _check(path, faces)
    votes = faces.ferplus
    faces = faces._replace(
        images=faces.images.reshape(n, SIZE, SIZE),
        emotion=faces.emotion.astype(np.uint8),
        source_row=faces.source_row.astype(np.int64),
        ferplus=None if votes is None else votes.astype(np.uint8),
    )
    return faces, ".npz arrays" + ("" if votes is None else " with FER+ votes"), []


def _load(path: Path) -> dict[str, np.ndarray]:
    try:
        with zipfile.ZipFile(path) as members:
            size = sum(member.file_size for member in members.infolist())
        if size > MAX_BYTES:
            raise ValueError(f"it would unpack to {size:,} bytes, at most {MAX_BYTES:,} are read")
        # Opened here, for np.load leaves a damaged file open.
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as npz:
            return {name: npz[name] for name in npz.files if name in Faces._fields}
    except Exception as error:  # zipfile and NumPy raise nearly anything on damaged bytes
        raise UserError(f"{path} cannot be read as .npz ({str(error)[:200]}).") from error


def _check(path: Path, faces: Faces) -> None:
    lengths = {name: len(a) for name, a in faces._asdict().items() if a is not None}
    if len(set(lengths.values())) > 1:
        raise UserError(f"{path} holds arrays of unequal length: {lengths}.")
    shape = faces.images.shape[1:]
    if faces.images.dtype != np.uint8 or shape not in ((SIZE, SIZE), (SIZE, SIZE, 1)):
        raise UserError(
            f"{path} holds images {faces.images.dtype} {list(faces.images.shape)}, expected uint8 "
            f"[n, {SIZE}, {SIZE}]."
        )
    if not np.isin(faces.emotion, np.arange(len(EMOTIONS))).all():
        raise UserError(f"{path} holds emotions other than the whole numbers 0..6.")
    strange = sorted({str(usage) for usage in np.unique(faces.usage)} - {*USAGES, "Test"})
    if strange:
        raise UserError(
            f"{path} holds the usage {strange[0]!r}, expected one of {', '.join(USAGES)}, Test."
        )
    votes = faces.ferplus
    if votes is not None and (votes.shape[1] != 10 or not np.isin(votes, np.arange(11)).all()):
        raise UserError(
            f"{path} holds ferplus {list(votes.shape)}, expected ten columns of votes in 0..10."
        )
