"""The datasets that can be prepared, as a table: how each is read, its faces' shape and counts."""

import difflib
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fer_jax.data import sources
from fer_jax.data.faces import EMOTIONS, Faces
from fer_jax.data.listing import Shape, read_listed
from fer_jax.data.read_rafdb import EXPECTED as RAFDB_LAYOUTS
from fer_jax.data.read_rafdb import list_rafdb
from fer_jax.data.read_splits import EXPECTED as SPLIT_LAYOUTS
from fer_jax.data.read_splits import list_splits
from fer_jax.data.sources import Source, Track
from fer_jax.errors import UsageError, suggest

USAGES = ("Training", "PublicTest", "PrivateTest", "Validation", "Test")  # in the order of tables
TOO_LIKE = 0.85  # similarity of a new dataset's name to a known one, where it may be a slip


class Dataset(NamedTuple):
    """Describe a dataset."""

    title: str
    about: str
    get: str  # where a user gets it
    layouts: str  # what a source of it can be
    find: Callable | None  # lists its images, folder -> Listing; None is FER2013's own reader
    shape: Shape
    # Faces of each emotion, in the order of EMOTIONS, by usage; or how many there are in all.
    official: dict[str, tuple[int, ...] | int]


DATASETS = {
    "fer2013": Dataset(
        title="FER2013",
        about="FER2013 (Goodfellow et al. 2013): 35,887 faces, seven expressions.",
        get=(
            "Get FER2013 from Kaggle: the challenge's fer2013.csv\n"
            "  (https://www.kaggle.com/c/challenges-in-representation-learning-facial-expression-"
            "recognition-challenge)\n"
            "  or the folder copy msambare/fer2013 "
            "(https://www.kaggle.com/datasets/msambare/fer2013)"
        ),
        layouts=sources.LAYOUTS,
        find=None,
        shape=Shape((48, 48), channels=1),
        official={
            "Training": (3995, 436, 4097, 7215, 4830, 3171, 4965),
            "PublicTest": (467, 56, 496, 895, 653, 415, 607),
            "PrivateTest": (491, 55, 528, 879, 594, 416, 626),
        },
    ),
    "raf_db": Dataset(
        title="RAF-DB",
        about="RAF-DB (Li et al. 2017): 15,339 aligned faces, seven basic expressions.",
        get="Ask its authors for RAF-DB, basic set, aligned (http://www.whdeng.cn/RAF/model1.html)",
        layouts=RAFDB_LAYOUTS,
        find=list_rafdb,
        shape=Shape((100, 100), channels=3),
        official={
            "Training": (705, 717, 281, 4772, 1982, 1290, 2524),
            "Test": (162, 160, 74, 1185, 478, 329, 680),
        },
    ),
    "sfew": Dataset(
        title="SFEW 2.0",
        about="SFEW 2.0 (Dhall et al. 2015): faces from films, seven expressions.",
        get="Ask its authors for SFEW 2.0, aligned faces (https://cs.anu.edu.au/few/AFEW.html)",
        layouts=SPLIT_LAYOUTS,
        find=list_splits,
        # The aligned faces are 143x181; Dong 2021 trains on 112x112.
        shape=Shape((112, 112), channels=3, stretch=True),
        official={"Training": 958, "Validation": 436, "Test": 372},
    ),
}


def find_dataset(name: str) -> Dataset:
    """Return the dataset of that name; one not in the table is a tree root/SPLIT/CLASS/image.

    Raises:
      UsageError: the name is taken, may be a slip of a known one, or cannot name a file.
    """
    if name in DATASETS:
        return DATASETS[name]
    known = suggest(name, DATASETS)
    if not re.fullmatch("[a-z][a-z0-9_]*", name) or name == "synthetic":
        raise UsageError(
            f"there is no dataset {name!r} to prepare, and faces of your own cannot be called so: "
            f"use small letters, digits and _, and not 'synthetic'. {known}"
        )
    plain = {known_name.replace("_", ""): known_name for known_name in DATASETS}
    if difflib.get_close_matches(name.replace("_", ""), plain, cutoff=TOO_LIKE):
        raise UsageError(
            f"there is no dataset {name!r} to prepare. {known} If these are faces of your own, "
            "give them a name less like those."
        )
    return Dataset(
        title=name,
        about=f"Faces of {name}, labelled with the seven expressions.",
        get="Sort the images into folders SPLIT/EMOTION/",
        layouts=SPLIT_LAYOUTS,
        find=list_splits,
        shape=Shape(),
        official={},
    )


def read_dataset(
    dataset: Dataset,
    path: Path,
    *,
    size: tuple[int, int] | None = None,
    skip_bad_rows: bool = False,
    track: Track = lambda items, total: items,
) -> Source:
    """Read every face of a dataset in whichever of its layouts it came.

    Args:
      size: (height, width) that the faces are resized to, where the dataset's own is not wanted.
      skip_bad_rows: of FER2013's CSV.
      track: shows the progress.

    Raises:
      UsageError: an option that the dataset does not have.
      UserError: the source cannot be read; the message names the row or file.
    """
    if dataset.find is None:
        if size is not None:
            raise UsageError(f"--size is not for {dataset.title}: its faces are 48x48.")
        return sources.read_source(path, skip_bad_rows=skip_bad_rows, track=track)
    if skip_bad_rows:
        raise UsageError(f"--skip_bad_rows is for FER2013's CSV, and {dataset.title} has none.")
    shape = dataset.shape
    if size is not None:
        shape = shape._replace(size=size, stretch=True)
    return read_listed(path, find=dataset.find, shape=shape, track=track)


def count_faces(faces: Faces) -> dict[str, np.ndarray]:
    """Count the faces of each emotion, i64 [7], by usage in the order of USAGES."""
    usages = [usage for usage in USAGES if usage in faces.usage]
    return {u: np.bincount(faces.emotion[faces.usage == u], minlength=7) for u in usages}


def count_warnings(dataset: Dataset, faces: Faces) -> list[str]:
    """Say where the counts are not the official ones, or an emotion is not trained on.

    It is a line a usage, with both numbers. FER2013's halves, where they are not told apart, are
    compared with their sum.
    """
    counts = count_faces(faces)
    official = dict(dataset.official)
    if "Test" in counts and "PublicTest" in official:
        halves = zip(official.pop("PublicTest"), official.pop("PrivateTest"), strict=True)
        official["Test"] = tuple(map(sum, halves))
    lines, told = [], ()
    for usage, expected in official.items():
        got = counts.get(usage, np.zeros(len(EMOTIONS), int))
        each = () if isinstance(expected, int) else zip(EMOTIONS, got, expected, strict=True)
        other = [f"{name} {a:,}, official {b:,}" for name, a, b in each if a != b]
        if other or got.sum() != np.sum(expected):
            total = f"{usage} holds {got.sum():,} faces, official {np.sum(expected):,}"
            lines.append(f"{total} ({'; '.join(other)})" if other else total)
        if usage == "Training" and not isinstance(expected, int):
            told = EMOTIONS  # an emotion that is missing there is among the counts above
    lacking = np.array([name not in told for name in EMOTIONS]) & (counts["Training"] == 0)
    for label in np.flatnonzero(lacking):
        lines.append(
            f"Training holds 0 faces of {EMOTIONS[label]}, the whole dataset "
            f"{sum(counts.values())[label]:,}: it cannot be learnt"
        )
    return lines
