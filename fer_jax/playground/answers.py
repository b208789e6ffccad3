"""What the page shows of a face: distorted, denoised, and what every network says of it."""

import base64
import binascii
import math
import threading
from typing import Any

import numpy as np
from PIL import Image

from fer_jax.data.faces import SIZE
from fer_jax.data.read_image import resize_image
from fer_jax.errors import UserError
from fer_jax.playground.kinds import (
    DRAWS, KINDS, Kind, curve_strengths, distort_face, find_kind,
)
from fer_jax.playground.networks import Network, ask, denoise

FIRST = "random_grey"  # the kind that the page begins with
_TURN = threading.Lock()  # one answer after the other: two at once only slow each other down


def see(networks: list[Network], asked: dict[str, Any]) -> dict[str, Any]:
    """Distort a face once and ask every network: {"distorted": face, "networks": [answer]}.

    `asked` has `face`, `kind`, `strength` and `draw`. An answer has `probabilities` [k], in the
    order of the network's classes, and `denoised`, a face or None. Faces are the base64 of 48x48
    grey bytes.

    Raises:
      UserError: something of what is asked does not fit.
    """
    face, kind, draw = _read(asked)
    strength = _read_strength(asked.get("strength"), kind)
    with _TURN:
        distorted = distort_face(face, (strength,), kind=kind, draw=draw)
        answers = [
            {
                "probabilities": _numbers(ask(network, distorted)[0]),
                "denoised": _encode_denoised(denoise(network, distorted[0])),
            }
            for network in networks
        ]
    return {"distorted": encode_face(distorted[0]), "networks": answers}


def curve(networks: list[Network], asked: dict[str, Any]) -> dict[str, Any]:
    """Ask every network at all strengths of a kind: {"strengths": [n], "networks": [[n, k]]}.

    `asked` has `face`, `kind` and `draw`; the first strength is 0, the clean face.

    Raises:
      UserError: something of what is asked does not fit.
    """
    face, kind, draw = _read(asked)
    strengths = curve_strengths(kind)
    with _TURN:
        distorted = distort_face(face, strengths, kind=kind, draw=draw)
        answers = [
            [_numbers(row) for row in ask(network, distorted)] for network in networks
        ]
    return {"strengths": list(strengths), "networks": answers}


def warm_up(networks: list[Network], stopped: threading.Event) -> None:
    """Compile all that the page may ask for, what it asks first before the rest, until `stopped`.

    The process must not end while a program is compiled, which would abort it.
    """
    blank = np.zeros((SIZE, SIZE), np.uint8)
    asked = {"face": encode_face(blank), "kind": FIRST, "strength": 0.2, "draw": 0}
    for answer in (see, curve):
        if not stopped.is_set():
            answer(networks, asked)
    for kind in KINDS.values():
        if stopped.is_set():
            return
        with _TURN:
            distort_face(blank, (kind.greatest,), kind=kind, draw=0)


def encode_face(face: np.ndarray) -> str:
    """Write a face u8 `[48, 48]` as base64 of its bytes, row by row."""
    return base64.b64encode(np.ascontiguousarray(face, dtype=np.uint8).tobytes()).decode()


def decode_face(text: Any) -> np.ndarray:
    """Read a face u8 `[48, 48]` that `encode_face` wrote.

    Raises:
      UserError: it is none.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, TypeError, ValueError):
        data = b""
    if len(data) != SIZE * SIZE:
        raise UserError(f"a face is the base64 of {SIZE}x{SIZE} grey bytes; reload the page")
    return np.frombuffer(data, np.uint8).reshape(SIZE, SIZE)


def _read(asked: Any) -> tuple[np.ndarray, Kind, int]:
    if not isinstance(asked, dict):
        raise UserError("expected a JSON object with face, kind and draw; reload the page")
    draw = asked.get("draw", 0)
    if type(draw) is not int or not 0 <= draw < DRAWS:
        raise UserError(f"draw is {draw!r}; expected a whole number from 0 to {DRAWS - 1}")
    return decode_face(asked.get("face")), find_kind(asked.get("kind")), draw


def _read_strength(value: Any, kind: Kind) -> float:
    fits = type(value) in (int, float) and math.isfinite(value) and 0 <= value <= kind.greatest
    if not fits or (not kind.continuous and value != int(value)):
        number = "a number" if kind.continuous else "a whole number"
        raise UserError(
            f"the strength of {kind.name} is {value!r}; expected {number} from 0 to "
            f"{kind.greatest:g}"
        )
    return float(value)


def _encode_denoised(face: np.ndarray | None) -> str | None:
    if face is None:
        return None
    return encode_face(np.asarray(resize_image(Image.fromarray(face), (SIZE, SIZE))))


def _numbers(probabilities: np.ndarray) -> list[float]:
    # A network that broke gives NaN, which JSON does not have.
    found = np.nan_to_num(np.asarray(probabilities, np.float64), posinf=0, neginf=0)
    return [round(float(value), 6) for value in found]
