"""Masks: what they say of copies, and that one never serves other faces than its own."""

import numpy as np
import pytest

from fer_jax.data.faces import take
from fer_jax.data.masks import copied_from, find_mask, load_mask, mask_path, save_mask
from fer_jax.errors import UserError


@pytest.fixture
def faces(made_faces):
    """Give faces of which two PrivateTest and one PublicTest stand elsewhere too."""
    images = np.random.default_rng(1).integers(0, 256, made_faces.images.shape, np.uint8)
    faces = made_faces._replace(images=images)
    training, public, private = (
        np.flatnonzero(faces.usage == usage) for usage in ("Training", "PublicTest", "PrivateTest")
    )
    faces.images[private[3]] = faces.images[training[10]]
    faces.images[private[8]] = faces.images[public[5]]
    faces.images[public[1]] = faces.images[training[11]]
    return faces


def test_a_mask_says_where_pixels_stand(faces):
    mask = find_mask(faces)
    assert mask.usages.tolist() == ["PrivateTest", "PublicTest", "Training"]
    sets = {u: {image.tobytes() for image in faces.images[faces.usage == u]} for u in mask.usages}
    for i, image in enumerate(faces.images):
        assert mask.stands_in[i].tolist() == [image.tobytes() in sets[u] for u in mask.usages]
    private = faces.usage == "PrivateTest"
    assert (copied_from(mask, "Training") & private).sum() == 1
    assert (copied_from(mask, "PublicTest") & private).sum() == 1
    assert not copied_from(mask, "Test").any()


def test_a_saved_mask_comes_back_for_its_own_faces(faces, tmp_path):
    path = mask_path(tmp_path / "fer2013.npz")
    assert path == tmp_path / "fer2013.mask.npz"
    assert load_mask(path, faces) is None
    save_mask(path, faces, find_mask(faces))
    again = load_mask(path, faces)
    for field, expected in zip(again, find_mask(faces), strict=True):
        np.testing.assert_array_equal(field, expected)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]  # nothing half-written


@pytest.mark.parametrize("field", ["images", "emotion", "usage", "fewer"])
def test_the_mask_of_another_preparation_is_refused(faces, tmp_path, field):
    path = tmp_path / "fer2013.mask.npz"
    save_mask(path, faces, find_mask(faces))
    if field == "fewer":
        other = take(faces, np.arange(len(faces.images) - 1))
    else:
        changed = getattr(faces, field).copy()
        changed[0] = changed[-1]
        other = faces._replace(**{field: changed})
    with pytest.raises(UserError, match="another preparation.*data.audit fer2013 .*--write_mask"):
        load_mask(path, other)


def test_a_damaged_mask_is_refused(faces, tmp_path):
    path = tmp_path / "fer2013.mask.npz"
    save_mask(path, faces, find_mask(faces))
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"not an npz"):
        path.write_bytes(content)
        with pytest.raises(UserError, match="cannot be read as a mask.*--write_mask, or remove it"):
            load_mask(path, faces)


@pytest.mark.parametrize("name", ["usages", "stands_in", "fingerprint"])
def test_a_mask_that_lacks_a_field_is_refused(faces, tmp_path, name):
    arrays = dict(usages=np.array(["Training"]), stands_in=np.ones((126, 1), bool), fingerprint="0")
    del arrays[name]
    np.savez(tmp_path / "x.mask.npz", **arrays)
    with pytest.raises(UserError, match="cannot be read as a mask"):
        load_mask(tmp_path / "x.mask.npz", faces)
    arrays[name] = np.array([0.5])  # of a wrong type or shape
    np.savez(tmp_path / "x.mask.npz", **arrays)
    with pytest.raises(UserError, match="x.mask.npz"):
        load_mask(tmp_path / "x.mask.npz", faces)
