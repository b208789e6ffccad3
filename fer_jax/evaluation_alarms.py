"""Notice an evaluation that cannot be right, or that tells of a broken network, by its numbers."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from fer_jax.data.ferplus import CLASSES
from fer_jax.data.official_counts import known_counts

# A network that gives this share of faces one and the same emotion has collapsed.
COLLAPSED_SHARE = 0.99
# A network this near to the prior's entropy, relatively, has learned the class frequencies only,
PRIOR_TOLERANCE = 0.005
# ... if it is right no more than this share above what one always-same answer would be.
PRIOR_MARGIN = 0.02
# Protocols whose validation faces, which choose the epoch, also stand as the split "public".
CHOOSE_ON_PUBLIC = ("official", "official-clean", "official-strict")


def find_evaluation_alarms(
    entry: dict[str, Any],
    *,
    dataset: str,
    protocol: str,
    counts: Iterable[int] | None = None,
    whole: bool = True,
) -> list[str]:
    """Name what is wrong with one of a run's `evaluations`, by its own numbers.

    Args:
      entry: an element of results.json's `evaluations`.
      dataset, protocol: the run's; they say what the split must hold, where that is published.
      counts: the faces of each class in the split that was loaded, if that is at hand.
      whole: whether the run took all faces of each split (`config.data.sizes` are zeros).
    """
    split, n, confusion = entry["split"], entry["n"], entry.get("confusion")
    alarms = []
    if split == "public" and protocol in CHOOSE_ON_PUBLIC:
        alarms.append(
            f"choosing: the faces of public are the validation split of {protocol}; the tested "
            "epoch was chosen on them"
        )
    known = known_counts(dataset, protocol=protocol, split=split) if whole else None
    wanted = known if counts is None else tuple(int(count) for count in counts)
    if confusion is None:
        for held in {wanted, known} - {None}:
            if n != sum(held):
                alarms.append(f"counts: {n} faces were counted, and the split has {sum(held)}")
        return alarms
    matrix = np.asarray(confusion, np.int64)
    support, predicted = matrix.sum(1), matrix.sum(0)
    for held in dict.fromkeys((wanted, known)):
        # FER2013's seven emotions may be asked of a network with more outputs.
        if held is not None and _trimmed(support) != _trimmed(held):
            alarms.append(
                f"counts: the confusion's rows sum to {_row(support)}, and the split has "
                f"{_row(held)} faces"
            )
    alarms += _collapses(entry, support, predicted)
    recall = entry["per_class"]["recall"]
    weighted = sum((r or 0.0) * s for r, s in zip(recall, support, strict=True)) / support.sum()
    if not math.isclose(entry["accuracy"], weighted, abs_tol=1e-9):
        alarms.append(
            f"accuracy: {entry['accuracy']:.4f} is not the support-weighted recall, {weighted:.4f}"
        )
    return alarms


def condense_evaluations(evaluations: Iterable[dict[str, Any]]) -> list[str]:
    """Merge the alarms of evaluations into one line each, with the evaluations they stand in."""
    places: dict[str, list[str]] = {}
    for entry in evaluations:
        for alarm in entry.get("alarms") or []:
            places.setdefault(alarm, []).append(place(entry))
    return [f"{alarm} ({_some(found)})" for alarm, found in places.items()]


def place(entry: dict[str, Any]) -> str:
    """Name an evaluation shortly, as in `test random_grey 0.3 ten_crop`."""
    clean = entry["distortion"] == "clean"
    parts = [entry["split"], "clean" if clean else f"{entry['distortion']} {entry['strength']:g}"]
    parts += [] if entry["views"] == "plain" else [entry["views"]]
    return " ".join(parts + ([f"{entry['weights']} weights"] if entry.get("weights") else []))


def _collapses(entry: dict, support: np.ndarray, predicted: np.ndarray) -> list[str]:
    share = support / support.sum()
    if share.max() == 1:
        return []  # one class only: one answer is right, and the prior has no entropy
    alarms = []
    most, called = predicted.max() / predicted.sum(), CLASSES[int(predicted.argmax())]
    if most >= COLLAPSED_SHARE:
        who = "every face is" if most == 1 else f"{100 * most:.1f} % of the faces are"
        alarms.append(f"collapse: {who} called {called}")
    prior, loss = float(-sum(p * math.log(p) for p in share if p)), entry["loss"]
    blind = entry["accuracy"] < share.max() + PRIOR_MARGIN
    if loss is not None and blind and abs(loss - prior) < PRIOR_TOLERANCE * prior:
        # A network that answers clean faces may be as good as blind under a distortion.
        kind = "collapse" if entry["distortion"] == "clean" else "noise"
        alarms.append(f"{kind}: the loss is the entropy of the class prior, {prior:.4f}")
    return alarms


def _trimmed(counts: Iterable[int]) -> list[int]:
    held = [int(count) for count in counts]
    while held and not held[-1]:
        held.pop()
    return held


def _row(counts: Iterable[int]) -> str:
    return "/".join(str(int(count)) for count in counts)


def _some(places: list[str], *, most: int = 4) -> str:
    shown = ", ".join(places[:most])
    return shown if len(places) <= most else f"{shown} and {len(places) - most} more"
