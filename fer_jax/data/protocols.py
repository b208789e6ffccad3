"""Protocols: which faces of a dataset are for training, validation and test."""

import re

import numpy as np

from fer_jax.data.faces import EMOTIONS, Faces
from fer_jax.errors import UserError, suggest

HALVES = {"public": "PublicTest", "private": "PrivateTest"}


def split_indices(faces: Faces, protocol: str, *, seed: int = 0) -> dict[str, np.ndarray]:
    """Choose the faces of each split.

    official: train, validation and test are FER2013's Training, PublicTest and PrivateTest.
    keras80: in each class the first 20 % of Training's sorted file names are the validation
        split (Keras' `validation_split=0.2`, Li 2023: 22,968 / 5,741); all test faces are the test.
        Without file names the order is that of the CSV rows.
    ratio:80-10-10: a seeded draw over all faces, in each class by itself; any three whole
        percentages that add up to 100.

    Args:
      faces: the dataset in canonical order.
      protocol: the name of the protocol.
      seed: decides the draw of `ratio`; the others draw nothing.

    Returns:
      Increasing indices into `faces` by split: "train", "validation", "test", and "public" and
      "private" where the source tells the halves of the official test apart. `ratio` has no
      such halves, for it trains on most of their faces.

    Raises:
      UserError: the protocol is unknown, needs what the source does not tell, or leaves a split
        without a face.
    """
    name, _, options = protocol.partition(":")
    if name not in PROTOCOLS or (options and name != "ratio"):
        known = [*(p for p in PROTOCOLS if p != "ratio"), "ratio:80-10-10"]
        raise UserError(f"there is no protocol {protocol!r}. {suggest(protocol, known)}")
    splits = PROTOCOLS[name](faces, options, seed)
    if name != "ratio":
        halves = {split: np.flatnonzero(faces.usage == usage) for split, usage in HALVES.items()}
        splits |= {split: index for split, index in halves.items() if len(index)}
    for split, index in splits.items():
        if not len(index):
            raise UserError(
                f"protocol {protocol!r} leaves no face for {split!r}: the dataset holds "
                f"{_usage_counts(faces)}. Prepare the whole dataset or choose another protocol."
            )
    return splits


def sorted_by(faces: Faces, protocol: str) -> str | None:
    """Say what `keras80` sorted by, "file name" or "csv row"; None for the other protocols."""
    if protocol != "keras80":
        return None
    return "file name" if (faces.source_name != "").all() else "csv row"


def _official(faces, options, seed):
    if "Test" in faces.usage:
        raise UserError(
            "protocol 'official' needs to know PublicTest from PrivateTest, and this dataset was "
            "prepared from test files whose names do not begin with PublicTest_ or PrivateTest_. "
            "Prepare it from fer2013.csv, or choose 'keras80' or 'ratio:80-10-10'."
        )
    usages = {"train": "Training", "validation": "PublicTest", "test": "PrivateTest"}
    return {split: np.flatnonzero(faces.usage == usage) for split, usage in usages.items()}


def _keras80(faces, options, seed):
    training = faces.usage == "Training"
    order = faces.source_name if sorted_by(faces, "keras80") == "file name" else faces.source_row
    validation = np.zeros(len(training), bool)
    for label in range(len(EMOTIONS)):
        members = np.flatnonzero(training & (faces.emotion == label))
        members = members[np.argsort(order[members], kind="stable")]
        validation[members[: int(len(members) * 0.2)]] = True
    return {
        "train": np.flatnonzero(training & ~validation),
        "validation": np.flatnonzero(validation),
        "test": np.flatnonzero(~training),
    }


def _ratio(faces, options, seed):
    match = re.fullmatch(r"(\d+)-(\d+)-(\d+)", options)
    shares = [int(share) for share in match.groups()] if match else []
    if sum(shares) != 100 or 0 in shares:
        raise UserError(
            f"protocol 'ratio:{options}' must name three whole percentages above 0 for training, "
            "validation and test that add up to 100, as in 'ratio:80-10-10'."
        )
    drawn = {"train": [], "validation": [], "test": []}
    for label in range(len(EMOTIONS)):
        members = np.flatnonzero(faces.emotion == label)
        members = np.random.default_rng([seed, label]).permutation(members)
        cuts = [len(members) * shares[0] // 100, len(members) * (shares[0] + shares[1]) // 100]
        for part, index in zip(drawn.values(), np.split(members, cuts), strict=True):
            part.append(index)
    return {split: np.sort(np.concatenate(parts)) for split, parts in drawn.items()}


def _usage_counts(faces: Faces) -> str:
    usages, counts = np.unique(faces.usage, return_counts=True)
    return ", ".join(f"{n:,} {usage}" for usage, n in zip(usages, counts, strict=True)) or "nothing"


PROTOCOLS = {"official": _official, "keras80": _keras80, "ratio": _ratio}
