"""Masks: in which splits the pixels of each face stand, so that protocols can leave copies out."""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fer_jax import files
from fer_jax.data.duplicates import group_identical
from fer_jax.data.faces import Faces, pixel_digests
from fer_jax.errors import UserError


class Mask(NamedTuple):
    """Hold where copies stand; the faces are those of the prepared dataset, in its order."""

    usages: np.ndarray  # str [u], sorted
    stands_in: np.ndarray  # bool [n, u]: a face of this usage, maybe itself, has the same pixels


def find_mask(faces: Faces) -> Mask:
    """Find in which usages the pixels of each face stand."""
    group = group_identical(faces.images)
    usages, usage = np.unique(faces.usage, return_inverse=True)
    has = np.zeros((group.max(initial=-1) + 1, len(usages)), bool)
    has[group, usage] = True
    return Mask(usages, has[group])


def copied_from(mask: Mask, usage: str) -> np.ndarray:
    """Say of each face, bool [n], whether its pixels stand in `usage`."""
    return mask.stands_in[:, mask.usages == usage].any(1)


def mask_path(arrays: Path) -> Path:
    """Return where the mask of DATA_DIR/DATASET.npz belongs: DATA_DIR/DATASET.mask.npz."""
    return arrays.with_name(f"{arrays.stem}.mask.npz")


def fingerprint(faces: Faces) -> str:
    """Return the SHA-256, in hexadecimal, over pixels, emotion and usage of faces in order."""
    found = hashlib.sha256(pixel_digests(faces.images).tobytes())
    found.update(faces.emotion.tobytes())
    found.update("\n".join(faces.usage).encode())
    return found.hexdigest()


def save_mask(path: Path, faces: Faces, mask: Mask) -> None:
    """Write the mask, whole or not at all, bound to the faces by their fingerprint.

    Raises:
      OSError: it cannot be written.
    """
    with files.replacing(path) as file:
        np.savez(file, **mask._asdict(), fingerprint=np.array(fingerprint(faces)))


def load_mask(path: Path, faces: Faces) -> Mask | None:
    """Read the mask that `save_mask` wrote for these faces; None where there is no file.

    Raises:
      UserError: the file is damaged, or belongs to another preparation of the dataset.
    """
    if not path.exists():
        return None
    again = (
        f"Write it again with python -m fer_jax.data.audit {path.name.removesuffix('.mask.npz')} "
        f"--data_dir={path.parent} --write_mask, or remove it: it is then worked out anew."
    )
    try:
        # Opened here, for np.load leaves a damaged file open.
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            mask = Mask(arrays["usages"], arrays["stands_in"].astype(bool, casting="safe"))
            bound_to = str(arrays["fingerprint"])
    except Exception as error:  # zipfile and NumPy raise nearly anything on damaged bytes
        raise UserError(f"{path} cannot be read as a mask ({error}). {again}") from error
    shape = (len(faces.images), len(mask.usages))
    if bound_to != fingerprint(faces) or mask.stands_in.shape != shape:
        raise UserError(f"{path} belongs to another preparation of the dataset. {again}")
    return mask
