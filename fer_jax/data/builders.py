"""TFDS builders of our datasets, stored as array_record and written without TensorFlow."""

import contextlib
import io
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from fer_jax.data.datasets import DATASETS, Dataset, find_dataset
from fer_jax.data.faces import EMOTIONS, Faces
from fer_jax.errors import MENDABLE

SPLITS = {
    "Training": "train",
    "PublicTest": "public",
    "PrivateTest": "private",
    "Validation": "validation",
    "Test": "test",
}
VERSION = "1.0.0"


class FacesBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Hold labelled faces in canonical order, a TFDS split for each usage.

    A subclass names the dataset; `Fer2013(data_dir=DATA_DIR).as_data_source("train")` reads what
    `write_records` wrote.
    """

    VERSION = tfds.core.Version(VERSION)
    # TFDS looks here for checksums of downloads, of which there are none, and to find the place
    # imports importlib_resources, which it does not install.
    code_path = None
    dataset: Dataset

    def __init__(self, *, faces: Faces | None = None, track: Callable = None, **options):
        self._faces, self._track = faces, track
        super().__init__(**{"file_format": "array_record", **options})

    def _info(self) -> tfds.core.DatasetInfo:
        if self._faces is None:
            # A reader takes each image's size from its PNG.
            shape = (None, None, self.dataset.shape.channels)
        else:
            shape = (*self._faces.images.shape[1:], 1)[:3]
        features = tfds.features.FeaturesDict(
            {
                "image": tfds.features.Image(shape=shape, encoding_format="png"),
                "label": tfds.features.ClassLabel(names=EMOTIONS),
                "source_name": tfds.features.Text(),
                "source_row": tfds.features.Scalar(np.int64),
            }
        )
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.dataset.about,
            features=features,
            supervised_keys=("image", "label"),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager) -> dict[str, Iterable]:
        if self._faces is None:
            raise ValueError("no faces were given; write them with fer_jax.data.prepare")
        usages = [usage for usage in SPLITS if usage in self._faces.usage]
        return {SPLITS[usage]: self._generate_examples(usage) for usage in usages}

    def _generate_examples(self, usage: str) -> Iterable[tuple[int, dict]]:
        index = np.flatnonzero(self._faces.usage == usage)
        items = self._track(index, usage) if self._track else index
        for key, i in enumerate(items):
            yield (
                key,
                {
                    # Encoded bytes pass through; an array would need TensorFlow to encode it.
                    "image": _png(self._faces.images[i]),
                    "label": int(self._faces.emotion[i]),
                    "source_name": str(self._faces.source_name[i]),
                    "source_row": int(self._faces.source_row[i]),
                },
            )


class Fer2013(FacesBuilder):
    """FER2013, 48x48 grey faces: train, public and private, or train and test."""

    dataset = DATASETS["fer2013"]


class RafDb(FacesBuilder):
    """RAF-DB, 100x100 RGB faces: train and test."""

    dataset = DATASETS["raf_db"]


class Sfew(FacesBuilder):
    """SFEW 2.0, RGB faces resized to 112x112: train, validation, and test where it is labelled."""

    dataset = DATASETS["sfew"]


def make_builder(name: str) -> type[FacesBuilder]:
    """Return the builder class of a dataset, which for faces of one's own can only write.

    TFDS reads any prepared dataset without its class: see `open_records`.
    """
    known = {builder.name: builder for builder in (Fer2013, RafDb, Sfew)}
    fields = {"name": name, "dataset": find_dataset(name), "__module__": __name__}
    return known.get(name) or type(name, (FacesBuilder,), fields, skip_registration=True)


def open_records(name: str, *, data_dir: Path) -> tfds.core.DatasetBuilder:
    """Open the TFDS files of any prepared dataset; `.as_data_source(SPLIT)` reads a split."""
    return tfds.builder_from_directory(Path(data_dir) / name / VERSION)


def write_records(
    name: str, faces: Faces, *, data_dir: Path, track: Callable | None = None
) -> None:
    """Write the TFDS files to DATA_DIR/NAME/VERSION.

    Args:
      faces: the dataset in canonical order.
      data_dir: an existing folder without this dataset.
      track: wraps the iteration over a usage's faces to show the progress: (items, usage).

    Raises:
      OSError: they cannot be written.
    """
    tfds.disable_progress_bar()
    builder = make_builder(name)(faces=faces, track=track, data_dir=data_dir)
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # it announces a download
            builder.download_and_prepare()
    except RuntimeError as error:  # what array_record makes of a system's error
        code = next((code for code in MENDABLE if os.strerror(code) in str(error)), None)
        if code is None:
            raise
        raise OSError(code, os.strerror(code), str(data_dir)) from error


def _png(image: np.ndarray) -> io.BytesIO:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "png", compress_level=1)
    file.seek(0)
    return file
