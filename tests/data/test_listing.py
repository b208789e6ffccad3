"""Reading listed images: shape and channels of a dataset, archives, and what is refused."""

import os
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from fer_jax.data import listing
from fer_jax.data.listing import LabelledFile, Listing, Shape, find_root, read_listed
from fer_jax.errors import UserError

OPEN = Shape()  # the images' own
RGB = Shape((8, 8), channels=3)


def find_all(folder):
    """List every image of a folder as an angry training face."""
    files = [LabelledFile(path, "Training", 0) for path in folder.rglob("*.*")]
    return Listing(folder, files, "folder", ["a remark"])


@pytest.fixture
def save(tmp_path):
    """Give a writer of an image of noise into the folder `faces`; it returns its pixels."""
    generator = np.random.default_rng(0)

    def write(name, *shape):
        path = tmp_path / "faces" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = generator.integers(0, 256, shape, np.uint8)
        Image.fromarray(pixels).save(path)
        return pixels

    return write


def read(folder, shape=OPEN):
    return read_listed(folder, find=find_all, shape=shape)


def test_all_grey_images_make_a_grey_dataset(save, tmp_path):
    pixels = {name: save(name, 6, 10) for name in ("b.png", "a.png")}
    source = read(tmp_path / "faces")
    assert source.faces.images.shape == (2, 6, 10)
    for name, image in zip(source.faces.source_name, source.faces.images, strict=True):
        np.testing.assert_array_equal(image, pixels[name])
    assert source.remarks == ["a remark"]
    assert source.faces.source_row.tolist() == [-1, -1]


def test_one_image_in_colour_makes_it_rgb(save, tmp_path):
    grey, colour = save("a.png", 6, 10), save("b.png", 6, 10, 3)
    source = read(tmp_path / "faces")
    assert source.faces.images.shape == (2, 6, 10, 3)
    found = dict(zip(source.faces.source_name, source.faces.images, strict=True))
    np.testing.assert_array_equal(found["b.png"], colour)
    np.testing.assert_array_equal(found["a.png"], np.stack([grey] * 3, -1))
    assert source.remarks[1:] == ["converted 1 images to 8-bit RGB of 6x10; the first: a.png"]


def test_unequal_sizes_are_refused_with_both_files(save, tmp_path):
    save("a.png", 6, 10)
    save("b.png", 10, 6)
    with pytest.raises(UserError, match=r"a\.png is 6x10 .*b\.png 10x6.*--size=6x10"):
        read(tmp_path / "faces")


def test_another_size_is_resized_by_area_and_counted(save, tmp_path):
    pixels = save("a.png", 16, 16, 3)
    save("b.png", 8, 8, 3)
    source = read(tmp_path / "faces", RGB)
    found = dict(zip(source.faces.source_name, source.faces.images, strict=True))
    # Each pixel is the mean of 2x2, rounded once for each direction.
    mean = pixels.reshape(8, 2, 8, 2, 3).mean((1, 3))
    assert np.abs(found["a.png"] - mean).max() <= 1
    assert source.remarks[1:] == ["converted 1 images to 8-bit RGB of 8x8; the first: a.png"]


def test_other_proportions_are_refused_unless_they_are_asked_for(save, tmp_path):
    save("a.png", 18, 14, 3)
    with pytest.raises(UserError, match=r"a\.png is 14x18 pixels"):
        read(tmp_path / "faces", RGB)
    assert read(tmp_path / "faces", RGB._replace(stretch=True)).faces.images.shape == (1, 8, 8, 3)


@pytest.mark.parametrize("shape", [OPEN, RGB])
@pytest.mark.parametrize("keep", [0, 60])
def test_a_damaged_image_is_named(save, tmp_path, shape, keep):
    save("a.jpg", 8, 8, 3)
    path = tmp_path / "faces" / "a.jpg"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UserError, match=r"a\.jpg"):
        read(tmp_path / "faces", shape)


@pytest.mark.parametrize("shape", [OPEN, RGB])
def test_a_pipe_is_refused_and_not_waited_for(tmp_path, shape):
    (tmp_path / "faces").mkdir()
    os.mkfifo(tmp_path / "faces" / "a.png")
    with pytest.raises(UserError, match=r"a\.png is not a file"):
        read(tmp_path / "faces", shape)


def test_more_pixels_than_memory_holds_are_refused_before_they_are_read(
    save, tmp_path, monkeypatch
):
    save("a.png", 8, 8, 3)
    monkeypatch.setattr(listing, "MAX_BYTES", 191)  # 8 * 8 * 3 = 192
    with pytest.raises(UserError, match="--size=HxW"):
        read(tmp_path / "faces")


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_an_archive_reads_as_its_folder_does(save, tmp_path, kind):
    save("in/a.png", 8, 8)
    save("in/b.png", 8, 8)
    path = tmp_path / f"faces.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name in ("a.png", "b.png"):
                archive.write(tmp_path / "faces/in" / name, f"in/{name}")
    else:
        with tarfile.open(path, "w:gz") as archive:
            archive.add(tmp_path / "faces/in", "in")
    packed, plain = read(path), read(tmp_path / "faces")
    for a, b in zip(packed.faces[:5], plain.faces[:5], strict=True):
        np.testing.assert_array_equal(a, b)
    assert packed.layout.endswith("archive, folder")


def test_what_is_no_folder_or_archive_is_refused(tmp_path):
    with pytest.raises(UserError, match="no source at"):
        read(tmp_path / "nowhere")
    (tmp_path / "notes.txt").write_text("no faces here")
    with pytest.raises(UserError, match="neither a folder nor a zip"):
        read(tmp_path / "notes.txt")


def test_the_root_is_found_inside_and_must_be_the_only_one(tmp_path):
    def fits(folder):
        return (folder / "mark").exists()

    (tmp_path / "a/b/c").mkdir(parents=True)
    with pytest.raises(UserError, match="holds a. Expected a mark"):
        find_root(tmp_path, fits, expected="a mark")
    (tmp_path / "a/b/c/mark").touch()
    assert find_root(tmp_path, fits, expected="a mark") == tmp_path / "a/b/c"
    (tmp_path / "d").mkdir()
    (tmp_path / "d/mark").touch()
    with pytest.raises(UserError, match="more than one dataset: .*a/b/c and .*d"):
        find_root(tmp_path, fits, expected="a mark")


@pytest.mark.parametrize("name", ["Train.zip", "faces.TAR.gz", "faces.rar"])
def test_a_packed_dataset_is_pointed_at(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(UserError, match="is not unpacked"):
        find_root(tmp_path, lambda folder: False, expected="faces")
