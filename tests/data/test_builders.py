"""TFDS records of each dataset: written without TensorFlow, read back by class and from files."""

import sys

import numpy as np
import pytest

from fer_jax.data.builders import Fer2013, RafDb, Sfew, make_builder, open_records, write_records
from fer_jax.data.faces import EMOTIONS, Faces


def faces_of(usages, *shape):
    """Give a face of noise for each usage."""
    n = len(usages)
    images = np.random.default_rng(0).integers(0, 256, (n, *shape), np.uint8)
    names = np.array([f"train/face {i}.jpg" for i in range(n)])
    return Faces(images, np.arange(n, dtype=np.uint8) % 7, np.array(usages), names, np.full(n, -1))


@pytest.mark.parametrize(
    ("name", "builder", "shape", "usages"),
    [
        ("fer2013", Fer2013, (48, 48), ["Training", "PublicTest", "PrivateTest"]),
        ("raf_db", RafDb, (100, 100, 3), ["Training", "Test"]),
        ("raf_db", RafDb, (48, 64, 3), ["Training", "Test"]),  # resized by --size
        ("sfew", Sfew, (112, 112, 3), ["Training", "Validation", "Test"]),
        ("own_faces", None, (20, 24, 3), ["Training", "Validation"]),
        ("own_faces", None, (20, 24), ["Training", "Test"]),
    ],
)
def test_records_give_back_every_face(tmp_path, name, builder, shape, usages):
    faces = faces_of(np.repeat(usages, 3), *shape)
    write_records(name, faces, data_dir=tmp_path)
    readers = [open_records(name, data_dir=tmp_path)]
    readers += [builder(data_dir=tmp_path)] if builder else []
    splits = dict(
        Training="train", PublicTest="public", PrivateTest="private", Validation="validation",
        Test="test",
    )
    for reader in readers:
        assert set(reader.info.splits) == {splits[usage] for usage in usages}
        assert reader.info.features["label"].names == list(EMOTIONS)
        for usage in usages:
            records = list(reader.as_data_source(splits[usage]))
            rows = np.flatnonzero(faces.usage == usage)
            images = np.stack([record["image"] for record in records])
            np.testing.assert_array_equal(images, faces.images[rows].reshape(images.shape))
            assert images.shape[1:] == (*shape, 1)[:3]
            assert [record["label"] for record in records] == faces.emotion[rows].tolist()
            names = [record["source_name"].decode() for record in records]
            assert names == faces.source_name[rows].tolist()
    assert "tensorflow" not in sys.modules


def test_a_name_has_one_builder():
    assert make_builder("raf_db") is RafDb
    assert [b.name for b in (Fer2013, RafDb, Sfew)] == ["fer2013", "raf_db", "sfew"]
    assert make_builder("own_faces").name == "own_faces"
