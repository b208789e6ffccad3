"""What a model said of every face of a split, saved with the faces that it is of."""

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fer_jax import writers
from fer_jax.errors import UserError

FOLDER = "predictions"  # in a run's workdir
# Below float32's smallest normal number a probability's logarithm would lose its digits.
LEAST = float(np.finfo(np.float32).tiny)


class Predictions(NamedTuple):
    """One model's probabilities for the faces of one split, in the split's order."""

    probabilities: np.ndarray  # f32 [n, k]
    labels: np.ndarray  # i32 [n]
    rows: np.ndarray  # i64 [n]: row of the source, -1 if unknown
    keys: np.ndarray  # u32 [n]: first four bytes of the SHA-256 of the pixels
    split: str  # "validation", "test", ...: what may be fitted on these is decided by it
    # run, config_hash, seed, dataset, protocol, views, distortion, strength
    about: dict[str, Any]

    @property
    def answers(self) -> np.ndarray:
        """Return the most probable class of each face `[n]`, the first one on ties."""
        return self.probabilities.argmax(1)

    @property
    def right(self) -> np.ndarray:
        """Return whether each answer `[n]` is the label."""
        return self.answers == self.labels

    @property
    def accuracy(self) -> float:
        """Return the share of right answers, 0..1."""
        return float(self.right.mean())

    @property
    def loss(self) -> float:
        """Return the mean cross-entropy in nats."""
        return cross_entropy(self.probabilities, self.labels)


def save(path: Path, predictions: Predictions) -> None:
    """Write predictions as an npz: an array a field, and the rest as JSON in `about`."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {name: getattr(predictions, name) for name in _ARRAYS}
    about = json.dumps({"split": predictions.split, **predictions.about}, allow_nan=False)
    writers.write_npz(path, **arrays, about=np.str_(about))


def load(path: Path) -> Predictions:
    """Read predictions that `save` wrote.

    Raises:
      UserError: the file is missing, damaged or not one of these.
    """
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as held:
            arrays = {name: held[name] for name in _ARRAYS}
            about = json.loads(str(held["about"]))
        return Predictions(**arrays, split=about.pop("split"), about=about)
    except FileNotFoundError:
        raise UserError(f"there is no {path}; {_HOW}") from None
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} does not hold saved predictions ({error}); {_HOW}") from None


def place(workdir: Path, entry: dict[str, Any]) -> Path:
    """Return where a run keeps the predictions of an evaluation, as `predictions/test.npz`.

    `entry` names split, views, average, distortion and strength, as in the results.
    """
    parts = [entry["split"]]
    if entry["views"] != "plain":
        parts += [entry["views"], *([entry["average"]] if "average" in entry else [])]
    if entry["distortion"] != "clean":
        parts.append(f"{entry['distortion']}-{entry['strength']:g}")
    return Path(workdir) / FOLDER / ("-".join(parts) + ".npz")


def name_entry(
    split: str, distortion: str, strength: float, *, views: str, average: str
) -> dict[str, Any]:
    """Name an evaluation; `average` is told where there are several views and it is the logits."""
    entry = {
        "split": split, "views": views, "distortion": distortion, "strength": float(strength),
        "draws": 1,
    }
    return entry | ({"average": average} if views != "plain" and average == "logits" else {})


def check_same_faces(members: Sequence[Predictions]) -> None:
    """Check that models speak of the same faces in the same order, and in numbers.

    Raises:
      UserError: they do not; the models and what differs are named.
    """
    first = members[0]
    for member in members:
        if not np.isfinite(member.probabilities).all():
            raise UserError(
                f"{member.about.get('run')} gives faces no number (NaN): it has diverged; leave it "
                "out or train it anew"
            )
    for other in members[1:]:
        for name in ("dataset", "protocol", "distortion", "strength"):
            if first.about.get(name) != other.about.get(name):
                raise _mismatch(
                    first, other, f"{name} is {first.about.get(name)} and {other.about.get(name)}"
                )
        if first.split != other.split:
            raise _mismatch(first, other, f"the split is {first.split} and {other.split}")
        sizes = first.probabilities.shape, other.probabilities.shape
        if sizes[0] != sizes[1]:
            raise _mismatch(first, other, f"faces and classes are {sizes[0]} and {sizes[1]}")
        for name, meaning in _ARRAYS.items():
            differ = getattr(first, name) != getattr(other, name)
            if name != "probabilities" and differ.any():
                raise _mismatch(
                    first, other,
                    f"{meaning} differ at {differ.sum():,} of {len(differ):,} places"
                    f" (seeds {first.about.get('seed')} and {other.about.get('seed')};"
                    " some splits are drawn by the seed)",
                )


def check_validation(split: str, what: str) -> None:
    """Check that what is fitted or chosen is fitted on validation faces.

    Raises:
      UserError: the split is another one.
    """
    if split != "validation":
        raise UserError(
            f"{what} must come from the split validation, not from {split}: "
            "what is chosen on the faces that measure it looks better than it is"
        )


def mostly_same(validation: Predictions, tested: Predictions) -> bool:
    """Tell whether most of the tested faces are validation faces, whatever the splits are called.

    FER2013's PublicTest is both "public" and, under `official`, "validation". Single copies of a
    face in both splits, of which FER2013 has 1 %, do not make it so.
    """
    return bool(np.isin(tested.keys, validation.keys).mean() > 0.5)


def check_apart(validation: Predictions, tested: Predictions) -> None:
    """Check that what is measured is not what was fitted on.

    Raises:
      UserError: most of the tested faces are validation faces.
    """
    if mostly_same(validation, tested):
        raise UserError(
            f"the faces of {tested.split} are validation faces, on which weights and temperatures "
            "are fitted, so they measure nothing; choose another split"
        )


def cross_entropy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Compute the mean cross-entropy in nats of probabilities `[n, k]` against ids `[n]`."""
    picked = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(picked.astype(np.float64), LEAST)).mean())


def _mismatch(first: Predictions, other: Predictions, what: str) -> UserError:
    return UserError(
        f"{first.about.get('run')} and {other.about.get('run')} cannot be compared face by face: "
        f"{what}; choose runs of the same dataset, protocol and split"
    )


_ARRAYS = {
    "probabilities": "the probabilities", "labels": "the labels", "rows": "the faces' rows",
    "keys": "the faces' pixels",
}
_HOW = "python -m fer_jax.evaluate --workdir=... --probabilities=OUT.npz writes one"
