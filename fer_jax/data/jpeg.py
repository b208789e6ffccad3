"""Compress faces as JPEG with the real codec, on the host, and keep what comes out."""

import hashlib
import io
import logging
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image, features

from fer_jax import files

FOLDER = "corrupted"  # beside the prepared datasets


def jpeg_faces(images: np.ndarray, *, quality: int, folder: Path | None = None) -> np.ndarray:
    """Compress faces u8 `[n, h, w, c]`, c 1 or 3, by Pillow, one by one, and decode them again.

    Args:
      quality: Pillow's, 1 to 95.
      folder: keeps the result as FOLDER/jpeg-QUALITY-HASH.npz, whose hash is of the faces, the
        quality and the codec; such a file is read instead. A damaged one is made anew; where the
        folder cannot be written, a warning says so.
    """
    images = np.ascontiguousarray(images)
    path = folder and Path(folder) / f"jpeg-{quality}-{_content(images, quality)[:16]}.npz"
    if path and (found := _read(path, images.shape)) is not None:
        return found
    compressed = np.stack([_compress(face, quality) for face in images])
    if path:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with files.replacing(path) as file:
                np.savez(file, images=compressed, sha256=np.str_(_sha256(compressed)))
        except OSError as error:
            logging.warning("warning: compressed faces are not kept (%s)", error)
    return compressed


def _compress(face: np.ndarray, quality: int) -> np.ndarray:
    buffer = io.BytesIO()
    grey = face.shape[-1] == 1
    Image.fromarray(face[..., 0] if grey else face).save(buffer, format="jpeg", quality=quality)
    return np.asarray(Image.open(buffer)).reshape(face.shape)


def _read(path: Path, shape: tuple[int, ...]) -> np.ndarray | None:
    try:
        # Opened here: NumPy leaves a file open that it cannot make out.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            images, sha256 = arrays["images"], str(arrays["sha256"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        logging.warning("warning: %s is damaged (%s); it is made anew", path, error)
        return None
    if images.shape != shape or images.dtype != np.uint8 or _sha256(images) != sha256:
        logging.warning("warning: %s is damaged (other bytes than its sum); it is made anew", path)
        return None
    return images


def _content(images: np.ndarray, quality: int) -> str:
    """Name faces, quality and codec: another libjpeg may round otherwise."""
    codec = f"{images.shape} {quality} {features.version('jpg')}"
    return hashlib.sha256(images.tobytes() + codec.encode()).hexdigest()


def _sha256(images: np.ndarray) -> str:
    return hashlib.sha256(images.tobytes()).hexdigest()
