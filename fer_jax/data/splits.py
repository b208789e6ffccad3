"""Load the splits of a prepared dataset, or of the synthetic faces, for training."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fer_jax.data.faces import Faces, load_faces, pixel_keys
from fer_jax.data.protocols import sorted_by, split_indices
from fer_jax.errors import UserError, suggest

KNOWN_DATASETS = ("fer2013", "synthetic")


class Split(NamedTuple):
    """Hold the faces of one split in canonical order."""

    images: np.ndarray  # u8 [n, h, w, c]
    labels: np.ndarray  # i32 [n], index into EMOTIONS
    keys: np.ndarray  # u32 [n]: first four bytes, big-endian, of the SHA-256 of the pixels
    rows: np.ndarray  # i64 [n]: row of the source, -1 if unknown


def load_splits(
    dataset: str,
    *,
    protocol: str,
    data_dir: str | os.PathLike | None = None,
    seed: int = 0,
    sizes: tuple[int | None, int | None, int | None] | None = None,
) -> dict[str, Split]:
    """Load the faces of each split: "train", "validation", "test", and what the protocol adds.

    Args:
      dataset: "synthetic" is drawn here and needs no files; any other name is read from
        DATA_DIR/DATASET.npz, which `python -m fer_jax.data.prepare` writes.
      protocol: see `fer_jax.data.protocols.split_indices`; "synthetic" has splits of its own and
        does not look at it.
      data_dir: where the prepared datasets are; None is $FER_JAX_DATA, else ./data.
      seed: decides what is drawn: the synthetic faces, the splits of `ratio`.
      sizes: faces in train, validation and test; None for what there is. Of a prepared dataset
        at most so many are taken, evenly spread; "public" and "private" are cut as validation
        and test are.

    Raises:
      UserError: the dataset is not prepared or damaged, or the protocol does not fit it.
    """
    if dataset == "synthetic":
        from fer_jax.data import synthetic

        return synthetic.load(seed=seed, **({} if sizes is None else {"sizes": sizes}))
    faces = load_faces(_prepared_path(dataset, data_dir))
    splits = split_indices(faces, protocol, seed=seed)
    if sizes is not None:
        train, validation, test = sizes
        limits = dict(train=train, validation=validation, test=test)
        limits |= dict(public=validation, private=test)
        splits = {name: _spread(index, limits[name]) for name, index in splits.items()}
    return {name: _split(faces, index) for name, index in splits.items()}


def split_notes(
    dataset: str, *, protocol: str, data_dir: str | os.PathLike | None = None
) -> dict[str, str]:
    """Say what a result must tell about its splits beyond the protocol's name.

    {"sorted_by": "file name" or "csv row"} for `keras80`, whose split depends on it; else {}.
    """
    if dataset == "synthetic":
        return {}
    order = sorted_by(load_faces(_prepared_path(dataset, data_dir)), protocol)
    return {} if order is None else {"sorted_by": order}


def default_data_dir() -> Path:
    """Return where prepared datasets are if nobody says: $FER_JAX_DATA, else ./data."""
    return Path(os.environ.get("FER_JAX_DATA") or "data")


def _prepared_path(dataset: str, data_dir: str | os.PathLike | None) -> Path:
    path = Path(data_dir or default_data_dir()) / f"{dataset}.npz"
    if path.is_file():
        return path
    if dataset not in KNOWN_DATASETS:
        raise UserError(
            f"there is no dataset {dataset!r}, and no {path.resolve()}. "
            f"{suggest(dataset, KNOWN_DATASETS)}"
        )
    raise UserError(
        f"the faces of {dataset} are not prepared: there is no {path.resolve()}.\n"
        "  Get FER2013 from Kaggle: the challenge's fer2013.csv\n"
        "  (https://www.kaggle.com/c/challenges-in-representation-learning-facial-expression-"
        "recognition-challenge)\n"
        "  or the folder copy msambare/fer2013 (https://www.kaggle.com/datasets/msambare/fer2013), "
        "unpack it, and run\n"
        f"    python -m fer_jax.data.prepare {dataset} --source=FILE_OR_FOLDER "
        f"--data_dir={path.parent}\n"
        "  (prepared elsewhere? Say --data_dir=DIR or set FER_JAX_DATA.)\n"
        "  To try everything on the embedded synthetic faces instead, run\n"
        "    python -m fer_jax.main --config=configs/quickstart.py"
    )


def _spread(index: np.ndarray, n: int | None) -> np.ndarray:
    if n is None or n >= len(index):
        return index
    return index[np.arange(n) * len(index) // n]


def _split(faces: Faces, index: np.ndarray) -> Split:
    images = faces.images[index]
    return Split(
        images=images if images.ndim == 4 else images[..., None],
        labels=faces.emotion[index].astype(np.int32),
        keys=pixel_keys(images),
        rows=faces.source_row[index].astype(np.int64),
    )
