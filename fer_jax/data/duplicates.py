"""Find copies among images: identical pixels, and near-copies by correlation."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
from PIL import Image

from fer_jax.data.faces import SIZE, pixel_digests

SIMILARITY = 0.94  # least correlation of a near-copy; see find_near_copies
MAX_SHIFT = 3  # pixels of SIZE, in both directions
_COARSE = 12  # pixels a side of the pictures that candidates are looked for among
_COARSE_SIMILARITY = 0.9  # least correlation of these; a shifted copy has less than at full size
_ROWS_AT_ONCE = 512  # 70 MB of products with 35,000 images
_PAIRS_AT_ONCE = 256  # compared at full size: few enough for the cache


class Pairs(NamedTuple):
    """Hold pairs of near-copies, each pair once with `first < second`."""

    first: np.ndarray  # i64 [p]
    second: np.ndarray  # i64 [p]
    mirrored: np.ndarray  # bool [p]: one is nearer to the other's mirror image
    similarity: np.ndarray  # f32 [p], SIMILARITY..1


def group_identical(images: np.ndarray) -> np.ndarray:
    """Number the distinct images of u8 [n, ...]: equal pixels have equal numbers, i64 [n].

    The numbers are 0, 1, ... in the order of the SHA-256 of the pixels.
    """
    return np.unique(pixel_digests(images), axis=0, return_inverse=True)[1].reshape(-1)


def find_constant(images: np.ndarray) -> np.ndarray:
    """Say of each image, u8 [n, h, w(, 3)], whether all its pixels are equal; bool [n]."""
    same = images == images[:, :1, :1]
    return same.all(axis=tuple(range(1, same.ndim)))


def find_near_copies(
    images: np.ndarray,
    *,
    similarity: float = SIMILARITY,
    track: Callable[[Iterable, str], Iterable] = lambda items, text: items,
) -> Pairs:
    """Find pairs of images that show one photograph, in either direction, u8 [n, h, w(, 3)].

    Candidates are pairs that correlate by 0.9 at 12x12 pixels. A candidate is a near-copy if its
    grey pixels at 48x48 correlate by `similarity` or more at the best shift of up to three pixels;
    so brightness, contrast, a small shift or re-scaling, blur and a thin watermark do not matter.
    Identical images are pairs too; constant ones are in none.

    How far to trust 0.94, from looking at pairs of FER2013: of 60 plain pairs drawn from
    0.94..0.95 and of all mirrored pairs above it, none showed different photographs. Between 0.92
    and 0.93 a third of the mirrored pairs did: frontal faces with the same light. Below 0.89 most
    pairs of either kind did. It errs towards missing copies: those cropped or turned so
    differently that the coarse pictures differ, or under a thick watermark, are not found.

    Args:
      images: any images of one shape; they are compared at 48x48 in grey.
      similarity: least correlation of a near-copy, above 0 and at most 1.
      track: wraps the work, `track(items, text)`, to show how it goes on.
    """
    index = np.flatnonzero(~find_constant(images))
    grey = _grey(images[index])
    if not len(grey):
        return Pairs(index, index, np.zeros(0, bool), np.zeros(0, np.float32))
    found = []
    for mirrored in track((False, True), "near-copies"):
        shown = grey[:, :, ::-1] if mirrored else grey
        first, second = _candidates(_unit(_coarse(shown)), _unit(_coarse(grey)))
        score = _correlate(shown, grey, first, second)
        kept = score >= similarity
        if mirrored:
            kept[kept] = score[kept] > _correlate(grey, grey, first[kept], second[kept])
        first, second = index[first[kept]], index[second[kept]]
        found.append((first, second, np.full(len(first), mirrored), score[kept]))
    return Pairs(*(np.concatenate(field) for field in zip(*found, strict=True)))


def _candidates(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find i < j with a[i] . b[j] >= _COARSE_SIMILARITY, both f32 [n, d] of length 1, i64 [p]."""
    found = []
    # Every pair is looked at: products of matrices take less time than a search tree does in so
    # many dimensions.
    for start in range(0, len(a), _ROWS_AT_ONCE):
        near = a[start : start + _ROWS_AT_ONCE] @ b[start:].T >= _COARSE_SIMILARITY
        # i = j would make a symmetric face the near-copy of its own mirror image.
        found.append(np.stack(np.nonzero(np.triu(near, 1))) + start)
    first, second = np.concatenate(found, axis=1)
    return first, second


def _grey(images: np.ndarray) -> np.ndarray:
    if images.shape[1:] == (SIZE, SIZE):
        return images
    smaller = np.empty((len(images), SIZE, SIZE), np.uint8)
    for i, image in enumerate(images):
        grey = Image.fromarray(image.squeeze()).convert("L")
        smaller[i] = grey.resize((SIZE, SIZE), Image.Resampling.BOX)
    return smaller


def _coarse(grey: np.ndarray) -> np.ndarray:
    block = SIZE // _COARSE
    shape = (-1, _COARSE, block, _COARSE, block)
    return grey.reshape(shape).mean((2, 4), dtype=np.float32)


def _unit(images: np.ndarray) -> np.ndarray:
    flat = images.reshape(len(images), -1).astype(np.float32)
    flat -= flat.mean(1, keepdims=True)
    return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)


def _correlate(
    a: np.ndarray, b: np.ndarray, first: np.ndarray, second: np.ndarray
) -> np.ndarray:
    """Return the correlation of a[first] and b[second] at the best shift, f32 [p]."""
    best = np.full(len(first), -1, np.float32)
    inner, shifts = SIZE - 2 * MAX_SHIFT, range(2 * MAX_SHIFT + 1)
    for start in range(0, len(first), _PAIRS_AT_ONCE):
        part = slice(start, start + _PAIRS_AT_ONCE)
        middle = slice(MAX_SHIFT, MAX_SHIFT + inner)
        still, moved = _unit(a[first[part], middle, middle]), b[second[part]]
        for y in shifts:
            for x in shifts:
                shifted = _unit(moved[:, y : y + inner, x : x + inner])
                score = np.einsum("ij,ij->i", still, shifted)
                best[part] = np.maximum(best[part], score)
    return best
