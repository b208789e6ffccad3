"""Load the splits of a prepared dataset, or of the synthetic faces, for training."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fer_jax.data import ferplus
from fer_jax.data.faces import EMOTIONS, SIZE, Faces, load_faces, pixel_keys
from fer_jax.data.lazy import Rows
from fer_jax.data.masks import load_mask, mask_path
from fer_jax.data.protocols import WITH_COPIES, WITHOUT, sorted_by, split_indices
from fer_jax.errors import UserError, suggest

# Every split that a dataset may have; behind "test" stand the halves of FER2013's test, and the
# second of them without copies.
SPLITS = ("train", "validation", "test", "public", "private", *WITHOUT)


class Split(NamedTuple):
    """Hold the faces of one split in canonical order."""

    images: np.ndarray  # u8 [n, h, w, c]; or `lazy.Rows`, which reads those asked for
    labels: np.ndarray  # i32 [n], index into EMOTIONS, with FER+ into ferplus.CLASSES
    keys: np.ndarray  # u32 [n]: first four bytes, big-endian, of the SHA-256 of the pixels
    rows: np.ndarray  # i64 [n]: row of the source, -1 if unknown
    targets: np.ndarray | None = None  # f32 [n, 8]: FER+'s distribution, if trained on


def load_splits(
    dataset: str,
    *,
    protocol: str,
    data_dir: str | os.PathLike | None = None,
    seed: int = 0,
    sizes: tuple[int | None, int | None, int | None] | None = None,
    budget: float = 0,
) -> dict[str, Split]:
    """Load the faces of each split: "train", "validation", "test", and what the protocol adds.

    Args:
      dataset: "synthetic" is drawn here and needs no files; any other name is read from
        DATA_DIR/DATASET.npz, which `python -m fer_jax.data.prepare` writes.
      protocol: see `fer_jax.data.protocols.split_indices`; "synthetic" has splits of its own and
        does not look at it.
      data_dir: where the prepared datasets are; None is $FER_JAX_DATA, else ./data.
      seed: decides what is drawn: the synthetic faces, the splits of `ratio`, `dick` and `holdout`.
      sizes: faces in train, validation and test; None for what there is. Of a prepared dataset
        at most so many are taken, evenly spread; "public" is cut as validation is, "private" and
        those made from it as test is.
      budget: bytes above which the training faces stay in the prepared file; 0 is no limit.

    Raises:
      UserError: the dataset is not prepared or damaged, or the protocol does not fit it.
    """
    if dataset == "synthetic":
        from fer_jax.data import synthetic

        return synthetic.load(seed=seed, **({} if sizes is None else {"sizes": sizes}))
    path = prepared_path(dataset, data_dir)
    # A file that is small has no large split.
    lazily = bool(budget) and path.stat().st_size > budget
    faces = load_faces(path, mapped=lazily)
    mask = load_mask(mask_path(path), faces) if protocol in WITH_COPIES else None
    splits = split_indices(faces, protocol, seed=seed, mask=mask)
    if sizes is not None:
        train, validation, test = sizes
        limits = dict(train=train, validation=validation, test=test)
        limits |= dict(public=validation, private=test, **dict.fromkeys(WITHOUT, test))
        splits = {name: _spread(index, limits[name]) for name, index in splits.items()}
    rules = ferplus.rules_by_split(protocol)
    made = {
        name: _split(faces, index) if rules is None else _voted(faces, index, rules, name)
        for name, index in splits.items()
    }
    return {
        name: split._replace(images=split.images[:])
        if name != "train" or split.images.nbytes <= budget else split
        for name, split in made.items()
    } if lazily else made


def split_notes(
    dataset: str, *, protocol: str, data_dir: str | os.PathLike | None = None
) -> dict[str, str]:
    """Say what a result must tell about its splits beyond the protocol's name.

    {"sorted_by": "file name" or "csv row"} for `keras80`, whose split depends on it; else {}.
    """
    if dataset == "synthetic":
        return {}
    order = sorted_by(load_faces(prepared_path(dataset, data_dir)), protocol)
    return {} if order is None else {"sorted_by": order}


def class_names(dataset: str, *, protocol: str) -> tuple[str, ...]:
    """Return what the labels of a dataset mean: the seven emotions, with FER+ contempt too.

    Raises:
      UserError: a rule that FER+ does not have.
    """
    if dataset == "synthetic" or ferplus.rules_by_split(protocol) is None:
        return EMOTIONS
    return ferplus.CLASSES


def face_shape(
    dataset: str, *, data_dir: str | os.PathLike | None = None
) -> tuple[int, int, int]:
    """Return height, width and channels of a dataset's faces; only one's own must be prepared.

    Raises:
      UserError: the dataset is none of ours and is not prepared.
    """
    from fer_jax.data.datasets import DATASETS

    if dataset == "synthetic":
        return SIZE, SIZE, 1
    if dataset in DATASETS:
        shape = DATASETS[dataset].shape
        return *shape.size, shape.channels
    images = load_faces(prepared_path(dataset, data_dir)).images
    return *images.shape[1:3], 1 if images.ndim == 3 else images.shape[3]


def default_data_dir() -> Path:
    """Return where prepared datasets are if nobody says: $FER_JAX_DATA, else ./data."""
    return Path(os.environ.get("FER_JAX_DATA") or "data")


def prepared_path(dataset: str, data_dir: str | os.PathLike | None) -> Path:
    """Return the path of a dataset's array file.

    Raises:
      UserError: the dataset is unknown or not prepared; the message says how to.
    """
    path = Path(data_dir or default_data_dir()).expanduser() / f"{dataset}.npz"
    if path.is_file():
        return path
    # Here, because the readers of all layouts come with it and training needs none of them.
    from fer_jax.data.datasets import DATASETS

    if dataset not in DATASETS:
        raise UserError(
            f"there is no dataset {dataset!r}: no {path.resolve()}. "
            f"{suggest(dataset, ['synthetic', *DATASETS])} Faces of your own, in folders "
            "SPLIT/EMOTION/, become one by\n"
            f"  python -m fer_jax.data.prepare {dataset} --source=FOLDER --data_dir={path.parent}"
        )
    raise UserError(
        f"the faces of {dataset} are not prepared: there is no {path.resolve()}.\n"
        f"  {DATASETS[dataset].get}\n"
        "  and run\n"
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
    images = Rows(faces.images, index)
    if not isinstance(faces.images, np.memmap):
        images = images[:]
    return Split(
        images=images,
        labels=faces.emotion[index].astype(np.int32),
        keys=_keys(images),
        rows=faces.source_row[index].astype(np.int64),
    )


def _keys(images: np.ndarray | Rows, *, some: int = 4096) -> np.ndarray:
    """Hash `some` faces at a time, so that those of a file are never all in memory."""
    parts = [pixel_keys(images[i : i + some]) for i in range(0, len(images), some)]
    return np.concatenate(parts) if parts else pixel_keys(images[:])


def _voted(faces: Faces, index: np.ndarray, rules: dict[str, str], name: str) -> Split:
    """Make a split whose labels are FER+'s, and whose targets are where they are not one-hot."""
    targets, _ = ferplus.RULES[rules[name]](faces.ferplus[index])
    return _split(faces, index)._replace(
        labels=ferplus.most_voted(targets),
        targets=None if rules["train"] == "majority" else targets,
    )
