"""What an audit finds in a dataset: copies, leaks, conflicting labels, constant images."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from fer_jax.data.datasets import USAGES
from fer_jax.data.duplicates import (
    SIMILARITY, Pairs, find_constant, find_near_copies, group_identical,
)
from fer_jax.data.faces import EMOTIONS, Faces
from fer_jax.data.masks import Mask, copied_from, find_mask, fingerprint
from fer_jax.data.protocols import OFFICIAL_TEST, split_indices
from fer_jax.errors import UserError

class Findings(NamedTuple):
    """Hold what was found, by face (`n`) in the order of the dataset."""

    group: np.ndarray  # i64 [n]: faces with identical pixels have one number, 0, 1, ...
    constant: np.ndarray  # bool [n]: all pixels are equal
    conflicting: np.ndarray  # bool [n]: its pixels stand in the dataset under several emotions
    mask: Mask  # in which usages its pixels stand
    near: Pairs  # near-copies, between the first faces of two groups
    near_mask: Mask  # in which usages a near-copy of it stands that is not identical


def examine(
    faces: Faces,
    *,
    track: Callable[[Iterable, str], Iterable] = lambda items, text: items,
) -> Findings:
    """Look for everything that `Findings` holds.

    Args:
      faces: a prepared dataset of any size and colour.
      track: shows the progress of the long part, as in `find_near_copies`.
    """
    group = group_identical(faces.images)
    firsts = np.unique(group, return_index=True)[1]
    emotions = np.zeros((len(firsts), int(faces.emotion.max(initial=0)) + 1), bool)
    emotions[group, faces.emotion] = True
    mask = find_mask(faces)
    near = find_near_copies(faces.images[firsts], track=track)
    near_in = np.zeros((len(firsts), len(mask.usages)), bool)
    for here, there in ((near.first, near.second), (near.second, near.first)):
        np.logical_or.at(near_in, here, mask.stands_in[firsts[there]])
    return Findings(
        group=group,
        constant=find_constant(faces.images),
        conflicting=(emotions.sum(1) > 1)[group],
        mask=mask,
        near=near._replace(first=firsts[near.first], second=firsts[near.second]),
        near_mask=Mask(mask.usages, near_in[group]),
    )


def describe(faces: Faces, found: Findings) -> dict[str, Any]:
    """Put findings into numbers and lists for JSON; faces are indices into the arrays."""
    usages = usages_of(faces)
    sizes = np.bincount(found.group)
    return {
        "images": len(faces.images),
        "shape": list(faces.images.shape[1:]),
        "fingerprint": fingerprint(faces),
        "counts": {u: _by_emotion(faces, faces.usage == u) for u in usages},
        "constant": {
            "images": int(found.constant.sum()),
            "by_usage": _by_usage(faces, found.constant),
            "faces": np.flatnonzero(found.constant).tolist(),
        },
        "identical": {
            "redundant": int(len(sizes) and (sizes - 1).sum()),
            "groups": int((sizes > 1).sum()),
            "redundant_within": {
                u: int((np.bincount(found.group[faces.usage == u]) - 1).clip(0).sum())
                for u in usages
            },
            "across": [
                {"usage": later, "in": earlier,
                 "images": int((copied_from(found.mask, earlier) & (faces.usage == later)).sum())}
                for i, later in enumerate(usages) for earlier in usages[:i]
            ],
            "faces": members(found.group, sizes[found.group] > 1),
        },
        "conflicting": {
            "groups": len(np.unique(found.group[found.conflicting])),
            "images": int(found.conflicting.sum()),
            "by_usage": _by_usage(faces, found.conflicting),
            "faces": members(found.group, found.conflicting),
        },
        "near_copies": {
            "least_similarity": SIMILARITY,
            "pairs": len(found.near.first),
            "mirrored": int(found.near.mirrored.sum()),
            "images": int(found.near_mask.stands_in.any(1).sum()),
            "faces": [
                {"first": int(a), "second": int(b), "mirrored": bool(m),
                 "similarity": round(float(s), 4)}
                for a, b, m, s in zip(*found.near, strict=True)
            ],
        },
        "leaked": {u: _leaked(faces, found, u) for u in usages if u != "Training"},
        "left": _left(faces, found.mask),
    }


def usages_of(faces: Faces) -> list[str]:
    """List the usages of a dataset in the order of tables, in which earlier leak into later."""
    return [usage for usage in USAGES if usage in faces.usage]


def members(group: np.ndarray, chosen: np.ndarray) -> list[list[int]]:
    """List the faces of each group, of those faces that are chosen, bool [n]."""
    index = np.flatnonzero(chosen)
    index = index[np.argsort(group[index], kind="stable")]
    cuts = np.flatnonzero(np.diff(group[index])) + 1
    return [part.tolist() for part in np.split(index, cuts) if len(part)]


def _leaked(faces: Faces, found: Findings, usage: str) -> dict[str, Any]:
    """Count the faces of a usage that stand in Training, and of the rest, whose near-copies do."""
    here = faces.usage == usage
    identical = copied_from(found.mask, "Training")
    near = copied_from(found.near_mask, "Training") & ~identical

    def share(chosen):
        n = int(chosen.sum())
        counted = {"identical": int((chosen & identical).sum()), "near": int((chosen & near).sum())}
        shares = {f"{name}_share": m / n if n else None for name, m in counted.items()}
        return {"images": n, **counted, **shares}

    emotions = {name: here & (faces.emotion == i) for i, name in enumerate(EMOTIONS)}
    return {**share(here), "by_emotion": {name: share(c) for name, c in emotions.items()}}


def _left(faces: Faces, mask: Mask) -> dict[str, int]:
    """Count the test faces of the protocols without copies, where they fit the dataset."""
    left = {}
    for protocol in OFFICIAL_TEST:
        try:
            left[protocol] = len(split_indices(faces, protocol, mask=mask)["test"])
        except UserError:
            continue
    return left


def _by_usage(faces: Faces, chosen: np.ndarray) -> dict[str, int]:
    return {usage: int((chosen & (faces.usage == usage)).sum()) for usage in usages_of(faces)}


def _by_emotion(faces: Faces, chosen: np.ndarray) -> dict[str, int]:
    counts = np.bincount(faces.emotion[chosen], minlength=len(EMOTIONS))
    return {name: int(n) for name, n in zip(EMOTIONS, counts, strict=False)}
