"""Faces that the page offers: drawn ones always, real ones where FER2013 is prepared."""

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fer_jax.data import EMOTIONS, Split, load_splits, synthetic
from fer_jax.data.splits import default_data_dir
from fer_jax.errors import UserError


class Sample(NamedTuple):
    """One face u8 [48, 48] with its emotion, an index into EMOTIONS; `name` is SOURCE-PLACE."""

    name: str
    source: str
    face: np.ndarray
    label: int


def list_samples(*, data_dir: str | None = None) -> list[Sample]:
    """Return a synthetic face of each emotion, then FER2013 PrivateTest's if that is prepared."""
    drawn = synthetic.load(sizes=(0, 0, 4 * synthetic.BLOCK))["test"]
    samples = pick("synthetic", drawn)
    if not (Path(data_dir or default_data_dir()).expanduser() / "fer2013.npz").is_file():
        return samples
    try:
        real = load_splits("fer2013", protocol="official", data_dir=data_dir)["test"]
    except UserError as error:  # damaged, or a copy that does not know its PrivateTest
        print(f"no faces of FER2013: {error}", file=sys.stderr)
        return samples
    return samples + pick("fer2013", real)


def pick(source: str, split: Split) -> list[Sample]:
    """Pick the middle face of each emotion: nobody chose them by how they look."""
    found = []
    for label in range(len(EMOTIONS)):
        places = np.flatnonzero(split.labels == label)
        for place in places[len(places) // 2 :][:1]:
            face = split.images[place, :, :, 0]
            found.append(Sample(f"{source}-{place}", source, face, label))
    return found
