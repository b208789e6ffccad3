"""Protocols of datasets that come with splits of their own, or lack a validation split."""

import re

import numpy as np

from fer_jax.data.faces import EMOTIONS, Faces
from fer_jax.errors import UserError


def split_source(faces: Faces, options: str, seed: int) -> dict[str, np.ndarray]:
    """Take the dataset's own training, validation and test faces; nothing is drawn.

    Raises:
      UserError: it lacks one of them.
    """
    usages = {"train": "Training", "validation": "Validation", "test": "Test"}
    missing = [usage for usage in usages.values() if usage not in faces.usage]
    if missing:
        raise UserError(
            f"protocol 'source' takes the dataset's own splits, and it has no "
            f"{' and no '.join(missing)}. {fitting(faces)}"
        )
    return {split: np.flatnonzero(faces.usage == usage) for split, usage in usages.items()}


def split_holdout(faces: Faces, options: str, seed: int) -> dict[str, np.ndarray]:
    """Draw `options` percent of each emotion's training faces for validation, as in holdout:10.

    The test is the dataset's own, or its validation faces where the test faces have no labels (SFEW
    2.0, on which results are reported on those): they are then looked at only once.

    Raises:
      UserError: no such percentage, or no faces to report on.
    """
    share = holdout_share(options)
    test = next((usage for usage in ("Test", "Validation") if usage in faces.usage), None)
    if test is None:
        raise UserError(
            f"protocol 'holdout:{options}' is for datasets without a validation split of their "
            f"own. {fitting(faces)}"
        )
    if seed < 0:
        raise UserError(f"the seed of a drawn protocol must be 0 or more, not {seed}.")
    training = np.flatnonzero(faces.usage == "Training")
    validation = []
    for label in range(len(EMOTIONS)):
        members = training[faces.emotion[training] == label]
        members = np.random.default_rng([seed, label]).permutation(members)
        # At least one of each emotion, and never the last one.
        held = min(max(round(len(members) * share / 100), 1), max(len(members) - 1, 0))
        validation.append(members[:held])
    validation = np.sort(np.concatenate(validation))
    return {
        "train": np.setdiff1d(training, validation),
        "validation": validation,
        "test": np.flatnonzero(faces.usage == test),
    }


def holdout_share(options: str) -> int:
    """Return the percentage that `holdout:10` names.

    Raises:
      UserError: it names none.
    """
    if not re.fullmatch("[1-9][0-9]?", options):
        raise UserError(
            f"protocol 'holdout:{options}' must name the whole percentage, 1 to 99, of the "
            "training faces that are for validation, as in 'holdout:10'."
        )
    return int(options)


def fitting(faces: Faces) -> str:
    """Name the protocols that fit a dataset's usages, as a sentence."""
    usages = set(faces.usage.tolist())
    names = [name for name, needed in NEEDED.items() if usages >= needed]
    if usages & {"Test", "Validation"}:
        names.append("holdout:10")
    return f"Choose {', '.join(map(repr, [*names, 'keras80']))} or 'ratio:80-10-10'."


NEEDED = {
    "official": {"Training", "PublicTest", "PrivateTest"},
    "source": {"Training", "Validation", "Test"},
}
