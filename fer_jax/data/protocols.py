"""Protocols: which faces of a dataset are for training, validation and test."""

import re

import numpy as np

from fer_jax.data import ferplus
from fer_jax.data.dataset_protocols import fitting, holdout_share, split_holdout, split_source
from fer_jax.data.faces import EMOTIONS, Faces
from fer_jax.data.masks import Mask, copied_from, find_mask
from fer_jax.errors import UserError, suggest

# Protocols that need more than their name, each with an example.
WITH_OPTIONS = {
    "ratio": "ratio:80-10-10", "ferplus": "ferplus:majority", "holdout": "holdout:10"
}
HALVES = {"public": "PublicTest", "private": "PrivateTest"}
DRAWN = ("ratio", "dick")  # over all faces, so that the official halves mean nothing
WITH_COPIES = ("official", "official-clean", "official-strict", "keras80")  # that know of copies
# PrivateTest without the faces whose pixels stand in these usages too.
WITHOUT = {
    "private_clean": ("Training",), "private_strict": ("Training", "PublicTest"),
}
OFFICIAL_TEST = {"official-clean": "private_clean", "official-strict": "private_strict"}
# Validation and test faces of each emotion in Dick 2024, in the order of EMOTIONS.
DICK_COUNTS = (960, 111, 1018, 1825, 1139, 797, 1216)


def split_indices(
    faces: Faces, protocol: str, *, seed: int = 0, mask: Mask | None = None
) -> dict[str, np.ndarray]:
    """Choose the faces of each split.

    - official: train, validation and test are FER2013's Training, PublicTest and PrivateTest.
    - official-clean: as official, without the test faces whose pixels stand in Training too
      (FER2013: 3,301 are left). "private" stays whole, so that one run gives both numbers.
    - official-strict: without those that stand in PublicTest either (FER2013: 3,275).
    - keras80: in each class the first 20 % of Training's sorted file names are the validation
      split (Keras' `validation_split=0.2`, Li 2023: 22,968 / 5,741); all test faces are the test.
      Without file names the order is that of the CSV rows.
    - ratio:80-10-10: a seeded draw over all faces, in each class by itself; any three whole
      percentages that add up to 100.
    - dick: a seeded draw over all faces of as many of each emotion as Dick 2024 held out (7,066);
      which ones is unknown. Half of them, 3,533, are the validation split and half the test:
      where a class has an odd number, the odd faces go to validation and test by turns. The
      rest, on FER2013 28,821 faces, is for training.
    - ferplus:RULE, ferplus:RULE:TEST: as official, with the faces that a rule of FER+ keeps:
      majority, crossentropy or multi-label; TEST, one of these or no-nf or all, names the test
      set where it is another. The labels are the votes' too, one of eight.
    - source: a dataset's own training, validation and test faces.
    - holdout:10: so many percent of each emotion's training faces, drawn by the seed, are the
      validation split; the test is the dataset's own, or its validation faces if that has no
      labels.

    Args:
      faces: the dataset in canonical order.
      protocol: the name of the protocol.
      seed: decides the draw of `ratio`, `dick` and `holdout`; the others draw nothing.
      mask: where copies stand, for `official-clean` and `official-strict`; it is worked out from
        the pixels if it is not given.

    Returns:
      Increasing indices into `faces` by split: "train", "validation", "test", and "public",
      "private" and the latter without copies, "private_clean" and "private_strict", where the
      source tells the halves of the official test apart. `ratio` and `dick`
      have no such halves, for they train on most of their faces; `ferplus` has them as validation
      and test.

    Raises:
      UserError: the protocol is unknown, needs what the source does not tell, or leaves a split
        without a face.
    """
    check_protocol(protocol)
    name, _, options = protocol.partition(":")
    splits = PROTOCOLS[name](faces, options, seed)
    if name not in (*WITH_OPTIONS, *DRAWN):
        halves = {split: np.flatnonzero(faces.usage == usage) for split, usage in HALVES.items()}
        splits |= {split: index for split, index in halves.items() if len(index)}
    if name in WITH_COPIES and "private" in splits:
        mask = find_mask(faces) if mask is None else mask
        left = {split: _without(splits["private"], mask, WITHOUT[split]) for split in WITHOUT}
        if name in OFFICIAL_TEST:
            splits["test"] = left[OFFICIAL_TEST[name]]
        splits |= {split: index for split, index in left.items() if len(index)}
    for split, index in splits.items():
        if not len(index):
            raise UserError(
                f"protocol {protocol!r} leaves no face for {split!r}: the dataset holds "
                f"{_usage_counts(faces)}. Prepare the whole dataset or choose another protocol."
            )
    return splits


def check_protocol(protocol: str) -> None:
    """Check that there is a protocol of that name, before any faces are read.

    Raises:
      UserError: there is not; the known ones are listed.
    """
    name, _, options = protocol.partition(":")
    if name not in PROTOCOLS or (options and name not in WITH_OPTIONS):
        known = [*(p for p in PROTOCOLS if p not in WITH_OPTIONS), *WITH_OPTIONS.values()]
        raise UserError(f"there is no protocol {protocol!r}. {suggest(protocol, known)}")
    if name == "ratio":
        _shares(options)
    if name == "holdout":
        holdout_share(options)
    ferplus.rules_by_split(protocol)


def sorted_by(faces: Faces, protocol: str) -> str | None:
    """Say what `keras80` sorted by, "file name" or "csv row"; None for the other protocols."""
    if protocol != "keras80":
        return None
    return "file name" if (faces.source_name != "").all() else "csv row"


def _official(faces, options, seed):
    if "Test" in faces.usage or "Validation" in faces.usage:
        raise UserError(
            "protocol 'official' and those made from it need to know FER2013's PublicTest from its "
            f"PrivateTest, and this dataset holds {_usage_counts(faces)}. If it is FER2013, its "
            "test files have no names that begin with PublicTest_ or PrivateTest_: prepare it from "
            f"fer2013.csv. {fitting(faces)}"
        )
    usages = {"train": "Training", "validation": "PublicTest", "test": "PrivateTest"}
    return {split: np.flatnonzero(faces.usage == usage) for split, usage in usages.items()}


def _without(index: np.ndarray, mask: Mask, usages: tuple[str, ...]) -> np.ndarray:
    copied = np.any([copied_from(mask, usage) for usage in usages], axis=0)
    return index[~copied[index]]


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
    shares = _shares(options)
    drawn = {"train": [], "validation": [], "test": []}
    for label in range(len(EMOTIONS)):
        members = np.flatnonzero(faces.emotion == label)
        members = _shuffled(members, seed, label)
        cuts = [len(members) * shares[0] // 100, len(members) * (shares[0] + shares[1]) // 100]
        for part, index in zip(drawn.values(), np.split(members, cuts), strict=True):
            part.append(index)
    return {split: np.sort(np.concatenate(parts)) for split, parts in drawn.items()}


def _dick(faces, options, seed):
    counts = np.bincount(faces.emotion, minlength=len(EMOTIONS))
    few = [
        f"{n:,} {name} (needs more than {held:,})"
        for name, n, held in zip(EMOTIONS, counts, DICK_COUNTS, strict=False) if n <= held
    ]
    if few:
        raise UserError(
            "protocol 'dick' holds out as many faces of each emotion as the paper did of FER2013, "
            f"and this dataset has only {', '.join(few)}. Choose 'ratio:80-10-10' instead."
        )
    splits = {"train": [], "validation": [], "test": []}
    held_before = np.cumsum((0, *DICK_COUNTS[:-1]))
    for label, (before, held) in enumerate(zip(held_before, DICK_COUNTS, strict=True)):
        members = _shuffled(np.flatnonzero(faces.emotion == label), seed, label)
        test = (before + held) // 2 - before // 2
        parts = np.split(members, [len(members) - held, len(members) - test])
        for split, part in zip(splits.values(), parts, strict=True):
            split.append(part)
    return {split: np.sort(np.concatenate(parts)) for split, parts in splits.items()}


def _shuffled(members: np.ndarray, seed: int, label: int) -> np.ndarray:
    if seed < 0:
        raise UserError(f"the seed of a drawn protocol must be 0 or more, not {seed}.")
    return np.random.default_rng([seed, label]).permutation(members)


def _ferplus(faces, options, seed):
    rules = ferplus.rules_by_split(f"ferplus:{options}")
    if faces.ferplus is None:
        raise UserError(
            f"protocol 'ferplus:{options}' needs FER+'s votes, and this dataset was prepared "
            "without them. Prepare it again with --ferplus=fer2013new.csv."
        )
    splits = _official(faces, options, seed)
    kept = {split: ferplus.RULES[rules[split]](faces.ferplus)[1] for split in splits}
    return {split: index[kept[split][index]] for split, index in splits.items()}


def _shares(options: str) -> list[int]:
    """Read `80-10-10`: whole percentages for training, validation and test."""
    match = re.fullmatch(r"([0-9]{1,2})-([0-9]{1,2})-([0-9]{1,2})", options)
    shares = [int(share) for share in match.groups()] if match else []
    if sum(shares) != 100 or 0 in shares:
        raise UserError(
            f"protocol 'ratio:{options}' must name three whole percentages above 0 for training, "
            "validation and test that add up to 100, as in 'ratio:80-10-10'."
        )
    return shares


def _usage_counts(faces: Faces) -> str:
    usages, counts = np.unique(faces.usage, return_counts=True)
    return ", ".join(f"{n:,} {usage}" for usage, n in zip(usages, counts, strict=True)) or "nothing"


PROTOCOLS = {
    "official": _official,
    "official-clean": _official,
    "official-strict": _official,
    "keras80": _keras80,
    "ratio": _ratio,
    "dick": _dick,
    "ferplus": _ferplus,
    "source": split_source,
    "holdout": split_holdout,
}
