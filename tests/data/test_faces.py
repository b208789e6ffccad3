"""Canonical order and the array file."""

import hashlib
import io
import zipfile

import numpy as np
import pytest

from fer_jax.data.faces import (
    EMOTIONS,
    canonical_order,
    load_faces,
    pixel_digests,
    save_faces,
    take,
)
from fer_jax.errors import UserError


def test_emotions_have_the_order_of_the_csv():
    assert EMOTIONS == ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


def test_digests_are_sha256_of_the_pixels(made_faces):
    words = pixel_digests(made_faces.images[:3])
    for image, row in zip(made_faces.images, words, strict=False):
        assert row.astype(">u4").tobytes() == hashlib.sha256(image.tobytes()).digest()


def test_canonical_order_sorts_by_usage_digest_emotion_and_row(made_faces):
    def key(i):
        face = take(made_faces, i)
        return face.usage, hashlib.sha256(face.images).digest(), face.emotion, face.source_row

    expected = sorted(range(len(made_faces.images)), key=key)
    assert canonical_order(made_faces).tolist() == expected


def test_canonical_order_forgets_the_order_of_the_source(made_faces):
    shuffled = take(made_faces, np.random.default_rng(1).permutation(len(made_faces.images)))
    first = take(made_faces, canonical_order(made_faces))
    second = take(shuffled, canonical_order(shuffled))
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("voted", [False, True])
def test_array_file_reads_back_equal_and_leaves_nothing_beside(made_faces, tmp_path, voted):
    votes = np.arange(10 * len(made_faces.emotion), dtype=np.uint8).reshape(-1, 10)
    faces = made_faces._replace(ferplus=votes if voted else None)
    save_faces(tmp_path / "x.npz", faces)
    for a, b in zip(load_faces(tmp_path / "x.npz"), faces, strict=True):
        np.testing.assert_array_equal(a, b)
        assert b is None or a.dtype == b.dtype
    assert [path.name for path in tmp_path.iterdir()] == ["x.npz"]


@pytest.mark.parametrize("damage", [b"", b"no zip at all", None])
def test_damaged_array_file_is_named(made_faces, tmp_path, damage):
    path = tmp_path / "x.npz"
    save_faces(path, made_faces)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if damage is None else damage)
    with pytest.raises(UserError, match="x.npz cannot be read.*prepare"):
        load_faces(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"PK\1\2\x14\3\x14", b"PK\1\2\x14\3\xcc"),  # zip 20.4: NotImplementedError
        (b"'shape': (3,)", b"'shape': (3,("),  # tokenize.TokenError
    ],
)
def test_forged_array_file_is_named(made_faces, tmp_path, old, new):
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in take(made_faces, np.arange(3))._asdict().items():
            if array is not None:
                content = io.BytesIO()
                np.save(content, array)
                archive.writestr(f"{name}.npy", content.getvalue().replace(old, new))
    path.write_bytes(path.read_bytes().replace(old, new))
    with pytest.raises(UserError, match="x.npz cannot be read.*prepare"):
        load_faces(path)
