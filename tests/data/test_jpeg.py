"""JPEG: Pillow's own bytes, kept in a file, and that file's damage."""

import io

import numpy as np
import pytest
from PIL import Image

from fer_jax.data import jpeg
from fer_jax.data.jpeg import jpeg_faces


@pytest.fixture
def faces():
    ramp = np.add.outer(np.arange(16), np.arange(24)) * 6
    noise = np.random.default_rng(0).integers(0, 16, (3, 16, 24))
    return (ramp + noise).astype(np.uint8)[..., None]


def test_it_is_what_pillow_reads_from_what_it_wrote(faces):
    seen = jpeg_faces(faces, quality=25)
    for face, after in zip(faces, seen, strict=True):
        buffer = io.BytesIO()
        Image.fromarray(face[..., 0]).save(buffer, "jpeg", quality=25)
        np.testing.assert_array_equal(after[..., 0], np.asarray(Image.open(buffer)))
    assert seen.dtype == np.uint8 and (seen != faces).any()
    colour = faces.repeat(3, axis=-1)
    assert jpeg_faces(colour, quality=25).shape == colour.shape


def test_it_is_compressed_once_and_again_for_other_faces_or_quality(faces, tmp_path, monkeypatch):
    real, done = jpeg._compress, []
    monkeypatch.setattr(jpeg, "_compress", lambda f, q: (done.append(q), real(f, q))[1])
    first = jpeg_faces(faces, quality=25, folder=tmp_path / "new")
    np.testing.assert_array_equal(jpeg_faces(faces, quality=25, folder=tmp_path / "new"), first)
    assert len(done) == 3
    jpeg_faces(faces, quality=40, folder=tmp_path / "new")
    jpeg_faces(faces[::-1], quality=25, folder=tmp_path / "new")
    assert len(done) == 9 and len(list((tmp_path / "new").iterdir())) == 3


def _cut(path):
    path.write_bytes(path.read_bytes()[:100])


def _change(path):
    with np.load(path) as arrays:
        images, sha256 = arrays["images"], arrays["sha256"]
    np.savez(path, images=images + 1, sha256=sha256)


@pytest.mark.parametrize("damage", [_cut, _change, lambda path: path.write_text("")])
def test_a_damaged_file_is_made_anew(faces, tmp_path, caplog, damage):
    first = jpeg_faces(faces, quality=25, folder=tmp_path)
    (path,) = tmp_path.iterdir()
    damage(path)
    np.testing.assert_array_equal(jpeg_faces(faces, quality=25, folder=tmp_path), first)
    assert "is damaged" in caplog.text
    with np.load(path) as arrays:
        np.testing.assert_array_equal(arrays["images"], first)


def test_a_folder_that_cannot_be_written_only_warns(faces, tmp_path, caplog):
    (tmp_path / "file").write_text("")
    seen = jpeg_faces(faces, quality=25, folder=tmp_path / "file")
    np.testing.assert_array_equal(seen, jpeg_faces(faces, quality=25))
    assert "compressed faces are not kept" in caplog.text
