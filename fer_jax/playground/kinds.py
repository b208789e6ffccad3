"""What the sliders do: the kinds of distortion, their strengths, and a face at some of them."""

from typing import Any, NamedTuple

import numpy as np

from fer_jax.corrupting import corrupt_batch
from fer_jax.data import pixel_keys
from fer_jax.data.jpeg import jpeg_faces
from fer_jax.errors import UserError, suggest
from fer_jax.ops.corruptions import CORRUPTIONS, SEVERITIES
from fer_jax.ops.distortion import STRONGEST

POINTS = 17  # strengths that a face is distorted at in one batch: those of the curve
DRAWS = 10_000  # draws of the noise that can be asked for

# The distortions that networks train on have strengths without steps. Of those from 0 to 1, noise
# and salt and pepper end where no face is left to be seen; FER2013-C goes to .18 and .14.
GREATEST = {**STRONGEST, "gaussian": 0.5, "salt_pepper": 0.5}


class Kind(NamedTuple):
    """One kind of distortion, as the page offers it.

    Attributes:
      name: a key of `ops.corruptions.CORRUPTIONS`.
      greatest, step: of the slider, which begins at 0, the clean face.
      levels: of FER2013-C's severities 1 to 5, in `unit`.
      continuous: whether a strength is in `unit` itself; otherwise it is a severity, 0 to 5.
    """

    name: str
    group: str
    unit: str
    greatest: float
    step: float
    levels: tuple[float, ...]
    continuous: bool
    random: bool


def _kind(name: str) -> Kind:
    row = CORRUPTIONS[name]
    continuous = bool(row.distortion)
    greatest = GREATEST[row.distortion] if continuous else float(SEVERITIES[-1])
    step = greatest / 50 if continuous else 1.0
    return Kind(
        name, row.group, row.unit, greatest, step, tuple(row.levels), continuous, row.random
    )


KINDS: dict[str, Kind] = {name: _kind(name) for name in CORRUPTIONS}


def curve_strengths(kind: Kind) -> tuple[float, ...]:
    """Return the strengths of a kind's curve: POINTS evenly spaced ones, or all severities."""
    if not kind.continuous:
        return (0.0, *map(float, SEVERITIES))
    return tuple(float(s) for s in np.linspace(0, kind.greatest, POINTS))


def find_kind(name: Any) -> Kind:
    """Return the kind of that name.

    Raises:
      UserError: there is none.
    """
    if not isinstance(name, str) or name not in KINDS:
        raise UserError(f"there is no distortion {name!r}. {suggest(name, KINDS)}")
    return KINDS[name]


def distort_face(
    face: np.ndarray, strengths: tuple[float, ...], *, kind: Kind, draw: int
) -> np.ndarray:
    """Distort a face u8 `[h, w]` at up to POINTS strengths; gives u8 `[n, h, w]`.

    Draw 0 of the noise is that of every evaluation with seed 0, and all strengths share a draw.
    Every kind is rounded to 256 grey levels, so that what is seen is what the networks get.
    Strength 0 gives the face itself.
    """
    n = len(strengths)
    levels = [_level(kind, strength) for strength in strengths]
    batch = np.repeat(face[None, :, :, None], POINTS, axis=0)  # one size, so one program a kind
    if CORRUPTIONS[kind.name].apply is None:
        distorted = np.concatenate([
            jpeg_faces(batch[:1], quality=int(level)) for level in levels
        ])
    else:
        padded = np.float32([*levels, *levels[-1:] * (POINTS - n)])
        keys = np.repeat(pixel_keys(face[None]), POINTS)
        distorted = np.asarray(
            corrupt_batch(batch, keys, padded, np.uint32(draw), 0, name=kind.name)
        )[:n]
    clean = np.array(strengths).reshape(-1, 1, 1, 1) == 0
    return np.where(clean, batch[:n], distorted)[..., 0]


def _level(kind: Kind, strength: float) -> float:
    if kind.continuous:
        return strength
    return kind.levels[max(int(strength), 1) - 1]  # of severity 0 nothing is used
