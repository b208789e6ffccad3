"""The faces that the page offers."""

import numpy as np

from fer_jax.data.faces import Faces, save_faces
from fer_jax.playground.samples import list_samples


def test_there_is_a_synthetic_face_of_every_emotion(tmp_path):
    samples = list_samples(data_dir=str(tmp_path))
    assert [sample.label for sample in samples] == list(range(7))
    assert {sample.source for sample in samples} == {"synthetic"}
    assert all(sample.face.shape == (48, 48) for sample in samples)
    assert [s.name for s in list_samples(data_dir=str(tmp_path))] == [s.name for s in samples]


def test_real_faces_come_from_private_test_where_they_are_prepared(tmp_path):
    usage = np.repeat(["PrivateTest", "PublicTest", "Training"], 21)
    images = np.arange(63, dtype=np.uint8).reshape(-1, 1, 1) * np.ones((48, 48), np.uint8)
    emotion = np.tile(np.arange(7, dtype=np.uint8), 9)
    rows = np.arange(63)
    save_faces(tmp_path / "fer2013.npz", Faces(images, emotion, usage, np.full(63, ""), rows))
    real = list_samples(data_dir=str(tmp_path))[7:]
    assert [sample.label for sample in real] == list(range(7))
    assert all(sample.face.max() < 21 for sample in real)  # the first 21 images are PrivateTest's


def test_a_damaged_dataset_leaves_the_synthetic_faces(tmp_path, capsys):
    (tmp_path / "fer2013.npz").write_bytes(b"no npz")
    assert len(list_samples(data_dir=str(tmp_path))) == 7
    assert "no faces of FER2013" in capsys.readouterr().err
