"""Filters in front of a classifier at test time: the classic denoisers that a DAE must beat."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import numpy as np

from fer_jax.errors import UsageError, UserError, suggest
from fer_jax.ops.median import median_filter

# Buades et al. (2005) compare patches of 7x7 in a window of 21x21; smaller here, as faces are.
PATCH, DISTANCE = 5, 6


class Filter(NamedTuple):
    """A filter with its parameter: `name` identifies it in results, "" is none."""

    name: str
    apply: Callable[[np.ndarray], np.ndarray]  # faces u8 [n, h, w, c] to the same


def parse_filter(text: str) -> Filter:
    """Read `median:SIZE`, `nlm:H`, their names alone for SIZE 3 and H 0.1, or "" for none.

    Raises:
      UsageError: an unknown name (the known ones are listed) or a parameter that does not fit.
      UserError: the package that the filter needs is not installed.
    """
    if not text:
        return Filter("", lambda images: images)
    name, _, parameter = text.partition(":")
    if name not in FILTERS:
        raise UsageError(f"unknown filter {name!r}. {suggest(name, FILTERS)}")
    return FILTERS[name](text, parameter)


def _median(text: str, parameter: str) -> Filter:
    size = parameter or "3"
    if not size.isdecimal() or int(size) % 2 == 0 or int(size) < 3:
        raise UsageError(f"--filter={text}: expected an odd window of 3 or more, as in median:3")
    return Filter(f"median:{int(size)}", partial(_filter_median, size=int(size)))


def _non_local_means(text: str, parameter: str) -> Filter:
    try:
        h = float(parameter or 0.1)
    except ValueError:
        h = 0.0
    if not 0 < h <= 1:
        raise UsageError(
            f"--filter={text}: expected a cut-off distance h in 0..1, in grey levels of 0..1, as "
            "in nlm:0.1"
        )
    try:
        from skimage.restoration import denoise_nl_means
    except ImportError:
        raise UserError(
            'non-local means needs scikit-image; run: pip install -e ".[robustness]"'
        ) from None
    denoise = partial(
        denoise_nl_means, patch_size=PATCH, patch_distance=DISTANCE, h=h, fast_mode=True
    )
    return Filter(f"nlm:{h:g}", partial(_filter_on_host, denoise=denoise))


FILTERS = {"median": _median, "nlm": _non_local_means}

_jit_median = jax.jit(median_filter, static_argnames="size")


def _filter_median(images: np.ndarray, *, size: int, batch: int = 512) -> np.ndarray:
    parts = [images[i : i + batch] for i in range(0, len(images), batch)]
    # Whole batches, so that it is compiled once.
    padded = [np.pad(p, ((0, batch - len(p)), (0, 0), (0, 0), (0, 0))) for p in parts]
    return np.concatenate([
        np.asarray(_jit_median(p, size=size))[: len(part)]
        for p, part in zip(padded, parts, strict=True)
    ])


def _filter_on_host(images: np.ndarray, *, denoise: Callable) -> np.ndarray:
    unit = images.astype(np.float32) / 255
    if images.shape[-1] == 1:
        clean = [denoise(face[..., 0])[..., None] for face in unit]
    else:
        clean = [denoise(face, channel_axis=-1) for face in unit]
    return np.round(np.clip(np.stack(clean), 0, 1) * 255).astype(np.uint8)
