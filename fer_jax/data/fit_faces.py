"""Make faces of any size and colour what a network was trained on: grey, and of one size."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from fer_jax.data.read_image import resize_image


def fit_faces(
    images: np.ndarray | Sequence[np.ndarray], *, shape: tuple[int, int, int]
) -> np.ndarray:
    """Turn faces into u8 `[n, *shape]`, where `shape` is `(h, w, c)` with c 1 (grey) or 3 (RGB).

    Colour becomes grey by luma of ITU-R 601, grey becomes equal RGB. A face is resized to the mean
    of the area where it shrinks, else bilinearly; other proportions are stretched. A face of that
    size stays as it is.

    Args:
      images: u8 `[n, h, w]` or `[n, h, w, 1 or 3]`, or a list of u8 `[h, w]` or `[h, w, 1 or 3]`.

    Raises:
      ValueError: another dtype or shape.
    """
    if not isinstance(images, (list, tuple)):
        images = np.asarray(images)
        single = images.ndim == 3 and images.shape[-1] == 3
        if images.ndim not in (3, 4) or single:
            raise ValueError(
                f"faces have the shape {list(images.shape)}; expected [n, h, w] or [n, h, w, 3]"
                " (of one face: images[None])"
            )
    fitted = [_fit(np.asarray(image), i, shape) for i, image in enumerate(images)]
    return np.stack(fitted) if fitted else np.zeros((0, *shape), np.uint8)


def _fit(face: np.ndarray, i: int, shape: tuple[int, int, int]) -> np.ndarray:
    if face.dtype != np.uint8:
        raise ValueError(f"face {i} has dtype {face.dtype}; expected uint8, 0..255")
    if face.ndim == 3 and face.shape[-1] == 1:
        face = face[..., 0]
    if not (face.ndim == 2 or (face.ndim == 3 and face.shape[-1] == 3)) or not face.size:
        raise ValueError(f"face {i} has the shape {list(face.shape)}; expected [h, w] or [h, w, 3]")
    height, width, channels = shape
    if face.shape == (height, width) and channels == 1:
        return face[..., None]
    mode = "L" if channels == 1 else "RGB"
    fitted = resize_image(Image.fromarray(face).convert(mode), (height, width))
    return np.asarray(fitted).reshape(shape)
