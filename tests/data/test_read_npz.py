"""Reading faces from an .npz, and refusing what it should not hold."""

import numpy as np
import pytest

from fer_jax.data import read_npz as module
from fer_jax.data.faces import save_faces
from fer_jax.data.read_npz import read_npz
from fer_jax.errors import UserError


@pytest.fixture
def write_npz(tmp_path):
    def write(**changes):
        arrays = dict(
            images=np.zeros((2, 48, 48), np.uint8),
            emotion=np.array([0, 6]),
            usage=np.array(["Training", "Test"]),
        )
        arrays |= changes
        np.savez(tmp_path / "faces.npz", **{n: a for n, a in arrays.items() if a is not None})
        return tmp_path / "faces.npz"

    return write


@pytest.mark.parametrize("voted", [False, True])
def test_a_prepared_dataset_comes_back_whole(made_faces, tmp_path, voted):
    votes = np.arange(10 * len(made_faces.emotion)).reshape(-1, 10).astype(np.uint8) % 11
    faces = made_faces._replace(
        ferplus=votes if voted else None, source_row=made_faces.source_row[::-1]
    )
    save_faces(tmp_path / "fer2013.npz", faces)
    read, layout, remarks = read_npz(tmp_path / "fer2013.npz")
    for a, b in zip(read, faces, strict=True):
        np.testing.assert_array_equal(a, b)
        assert b is None or a.dtype == b.dtype
    assert layout == ".npz arrays" + " with FER+ votes" * voted
    assert remarks == []


def test_without_rows_the_order_is_that_of_the_csv(write_npz):
    images = np.arange(2 * 48 * 48).astype(np.uint8).reshape(2, 48, 48, 1)
    faces, _, _ = read_npz(write_npz(images=images, other=np.array(["left alone"])))
    np.testing.assert_array_equal(faces.images, images[..., 0])
    assert faces.source_row.tolist() == [0, 1]
    assert faces.source_name.tolist() == ["", ""]
    assert [str(a.dtype) for a in faces[:2]] == ["uint8", "uint8"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(images=np.zeros((2, 48, 48), np.float32)), r"images float32 \[2, 48, 48\]"),
        (dict(images=np.zeros((2, 48, 48), np.uint16)), r"images uint16 \[2, 48, 48\]"),
        (dict(images=np.zeros((2, 64, 64), np.uint8)), r"images uint8 \[2, 64, 64\]"),
        (dict(images=np.uint8(3)), r"images uint8 \[\]"),
        (dict(emotion=np.array([0, 7])), "emotions other than"),
        (dict(emotion=np.array([0, -1])), "emotions other than"),
        (dict(emotion=np.array([0.0, 6.0])), "emotion float64"),
        (dict(emotion=np.array([0])), "unequal length"),  # an image without label
        (dict(images=np.zeros((1, 48, 48), np.uint8)), "unequal length"),  # and the reverse
        (dict(usage=np.array(["Training", "dev"])), "usage 'dev'"),
        (dict(usage=np.array([0, 1])), "usage int64"),
        (dict(usage=np.array([{}, {}])), "cannot be read"),  # pickled: never unpacked
        (dict(source_row=np.array([0.5, 1])), "source_row float64"),
        (dict(ferplus=np.zeros((2, 8), int)), "ten columns"),
        (dict(ferplus=np.full((2, 10), 300)), "votes in 0..10"),
        (dict(emotion=None, usage=None), "lacks emotion, usage"),
    ],
)
def test_arrays_that_are_no_dataset_are_refused(write_npz, changes, message):
    assert len(read_npz(write_npz())[0].images) == 2
    with pytest.raises(UserError, match=f"faces.npz .*{message}"):
        read_npz(write_npz(**changes))


def test_damaged_file_is_refused(write_npz):
    path = write_npz()
    whole = path.read_bytes()
    for size in (0, 10, 200, len(whole) // 2, len(whole) - 30):
        path.write_bytes(whole[:size])
        with pytest.raises(UserError, match="faces.npz cannot be read as .npz"):
            read_npz(path)


def test_forged_shape_does_not_take_the_memory(write_npz):
    path = write_npz()
    # The head of images.npy now claims 2 billion faces, 4.6 TB.
    forged = path.read_bytes().replace(b"(2, 48, 48), }         ", b"(2000000000, 48, 48), }")
    assert forged != path.read_bytes()
    path.write_bytes(forged)
    with pytest.raises(UserError, match="faces.npz cannot be read as .npz"):
        read_npz(path)


def test_more_bytes_than_the_limit_are_not_unpacked(write_npz, monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 4000)
    with pytest.raises(UserError, match="would unpack to .* bytes, at most 4,000 are read"):
        read_npz(write_npz())
