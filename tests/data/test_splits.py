"""Loading splits for training."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from fer_jax.data import Split, load_splits, split_notes
from fer_jax.data.faces import canonical_order, save_faces, take
from fer_jax.data.sources import read_source
from fer_jax.data.splits import SPLITS, face_shape
from fer_jax.errors import UserError


@pytest.fixture
def prepared(made_faces, tmp_path):
    save_faces(tmp_path / "fer2013.npz", take(made_faces, canonical_order(made_faces)))
    return tmp_path


def test_splits_hold_images_labels_keys_and_rows(made_faces, prepared):
    splits = load_splits("fer2013", protocol="official", data_dir=prepared)
    assert set(splits) == set(SPLITS)
    train = splits["train"]
    assert train.images.shape == (77, 48, 48, 1)
    assert [field.dtype for field in train[:4]] == [np.uint8, np.int32, np.uint32, np.int64]
    for image, label, key, row in zip(*train[:4], strict=True):
        np.testing.assert_array_equal(image[..., 0], made_faces.images[row])
        assert label == made_faces.emotion[row]
        digest = hashlib.sha256(made_faces.images[row].tobytes()).digest()
        assert key == int.from_bytes(digest[:4], "big")
    # One usage in canonical order is in the order of the digests, so of their beginnings.
    assert (np.diff(train.keys.astype(np.int64)) >= 0).all()


def test_colour_images_keep_their_channels(made_faces, tmp_path):
    images = np.repeat(made_faces.images[..., None], 3, axis=-1)
    save_faces(tmp_path / "other.npz", made_faces._replace(images=images))
    splits = load_splits("other", protocol="keras80", data_dir=tmp_path)
    assert splits["train"].images.shape[1:] == (48, 48, 3)


def test_sizes_cut_evenly(prepared):
    whole = load_splits("fer2013", protocol="official", data_dir=prepared)
    few = load_splits("fer2013", protocol="official", data_dir=prepared, sizes=(11, None, 99))
    # 77 faces of training, every seventh; the other splits ask for no less than there is.
    np.testing.assert_array_equal(few["train"].rows, whole["train"].rows[::7])
    for name in ("validation", "test", "public", "private"):
        np.testing.assert_array_equal(few[name].rows, whole[name].rows)


def test_notes_say_what_keras80_sorted_by(prepared):
    assert split_notes("fer2013", protocol="keras80", data_dir=prepared) == {"sorted_by": "csv row"}
    assert split_notes("fer2013", protocol="official", data_dir=prepared) == {}
    assert split_notes("synthetic", protocol="keras80") == {}


def test_synthetic_faces_need_no_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    splits = load_splits("synthetic", protocol="official", sizes=(20, 10, 10))
    assert [len(splits[name].labels) for name in ("train", "validation", "test")] == [20, 10, 10]
    assert isinstance(splits["train"], Split)


def test_missing_data_says_where_how_and_what_else(tmp_path, monkeypatch):
    monkeypatch.setenv("FER_JAX_DATA", str(tmp_path))
    with pytest.raises(UserError) as error:
        load_splits("fer2013", protocol="official")
    message = str(error.value)
    assert f"there is no {tmp_path / 'fer2013.npz'}" in message
    assert "kaggle.com/c/challenges-in-representation-learning" in message
    assert "msambare/fer2013" in message
    assert f"fer_jax.data.prepare fer2013 --source=FILE_OR_FOLDER --data_dir={tmp_path}" in message
    assert "python -m fer_jax.main --config=configs/quickstart.py" in message


def test_the_home_folder_is_understood(prepared, monkeypatch):
    monkeypatch.setenv("HOME", str(prepared.parent))
    splits = load_splits("fer2013", protocol="official", data_dir=f"~/{prepared.name}")
    assert len(splits["train"].images) == 77  # 11 of each emotion


def test_unknown_dataset_names_the_nearest(tmp_path):
    with pytest.raises(UserError, match="no dataset 'fer2031'.*Did you mean 'fer2013'"):
        load_splits("fer2031", protocol="official", data_dir=tmp_path)


def test_training_imports_neither_tfds_nor_tensorflow():
    code = (
        "import sys, fer_jax.data; "
        "sys.exit(bool({'tensorflow_datasets', 'tensorflow'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_real_faces_have_the_published_counts(real_layout, tmp_path):
    save_faces(tmp_path / "fer2013.npz", read_source(real_layout("npz", "all.npz")).faces)
    official = load_splits("fer2013", protocol="official", data_dir=tmp_path)
    sizes = {name: len(split.labels) for name, split in official.items()}
    assert sizes == dict(
        train=28709, validation=3589, test=3589, public=3589, private=3589,
        private_clean=3301, private_strict=3275,
    )
    # Li 2023 trains on 22,968 images, validates on 5,741 and tests on 7,178.
    keras80 = load_splits("fer2013", protocol="keras80", data_dir=tmp_path)
    sizes = [len(keras80[name].labels) for name in ("train", "validation", "test")]
    assert sizes == [22968, 5741, 7178]
    # Always answering "happy" is right on 1,774 of the test faces (24.71 %).
    assert (keras80["test"].labels == 3).sum() == 1774


def test_the_shape_of_a_datasets_faces_is_known_without_preparing_ours(tmp_path, made_faces):
    assert face_shape("fer2013", data_dir=tmp_path) == (48, 48, 1)
    assert face_shape("raf_db", data_dir=tmp_path) == (100, 100, 3)
    save_faces(tmp_path / "mine.npz", made_faces._replace(images=made_faces.images[:, :40]))
    assert face_shape("mine", data_dir=tmp_path) == (40, 48, 1)
    with pytest.raises(UserError, match="there is no dataset 'other'"):
        face_shape("other", data_dir=tmp_path)
