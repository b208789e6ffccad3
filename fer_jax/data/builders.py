"""TFDS builders of our datasets, stored as array_record and written without TensorFlow."""

import contextlib
import io
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from fer_jax.data.faces import EMOTIONS, Faces

SPLITS = {"Training": "train", "PublicTest": "public", "PrivateTest": "private", "Test": "test"}


class Fer2013(tfds.core.GeneratorBasedBuilder):
    """FER2013, 48x48 grey faces in canonical order, a TFDS split for each usage.

    `Fer2013(data_dir=DATA_DIR).as_data_source("train")` reads what `write_fer2013` wrote.
    """

    VERSION = tfds.core.Version("1.0.0")
    # TFDS looks here for checksums of downloads, of which there are none, and to find the place
    # imports importlib_resources, which it does not install.
    code_path = None

    def __init__(self, *, faces: Faces | None = None, track: Callable = None, **options):
        self._faces, self._track = faces, track
        super().__init__(**{"file_format": "array_record", **options})

    def _info(self) -> tfds.core.DatasetInfo:
        features = tfds.features.FeaturesDict(
            {
                "image": tfds.features.Image(shape=(48, 48, 1), encoding_format="png"),
                "label": tfds.features.ClassLabel(names=EMOTIONS),
                "source_name": tfds.features.Text(),
                "source_row": tfds.features.Scalar(np.int64),
            }
        )
        return tfds.core.DatasetInfo(
            builder=self,
            description="FER2013 (Goodfellow et al. 2013): 35,887 faces, seven expressions.",
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


def write_fer2013(faces: Faces, *, data_dir: Path, track: Callable | None = None) -> None:
    """Write the TFDS files to DATA_DIR/fer2013/VERSION.

    Args:
      faces: the dataset in canonical order.
      data_dir: an existing folder without this dataset.
      track: wraps the iteration over a usage's faces to show the progress: (items, usage).
    """
    tfds.disable_progress_bar()
    builder = Fer2013(faces=faces, track=track, data_dir=data_dir)
    with contextlib.redirect_stdout(io.StringIO()):  # it announces a download
        builder.download_and_prepare()


def _png(image: np.ndarray) -> io.BytesIO:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "png", compress_level=1)
    file.seek(0)
    return file
