"""Photos of every kind come out as a person sees them; what cannot is refused with its reason."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from fer_jax.data.read_photo import LONGEST, as_photo, read_photo
from fer_jax.errors import UserError


def draw(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


@pytest.fixture
def save(tmp_path):
    def save_image(image, name="p.png", **options):
        image.save(tmp_path / name, **options)
        return tmp_path / name

    return save_image


def test_a_colour_photo_comes_as_it_is(save):
    pixels = draw(5, 7, 3)
    photo = read_photo(save(Image.fromarray(pixels)))
    np.testing.assert_array_equal(photo.pixels, pixels)
    assert photo.size == (7, 5) and photo.scale == 1 and photo.notes == ()


def test_grey_becomes_equal_colours(save):
    pixels = draw(5, 7)
    photo = read_photo(save(Image.fromarray(pixels)))
    np.testing.assert_array_equal(photo.pixels, pixels[..., None].repeat(3, -1))


def test_exif_turns_the_photo(save):
    pixels = draw(16, 32, 3)
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn clockwise shows it upright
    photo = read_photo(save(Image.fromarray(pixels), exif=exif))
    np.testing.assert_array_equal(photo.pixels, np.rot90(pixels, -1))
    assert photo.size == (16, 32)


def test_transparent_parts_show_grey(save):
    pixels = draw(4, 4, 4)
    pixels[..., 3] = [0, 255, 0, 255]
    photo = read_photo(save(Image.fromarray(pixels)))
    assert (photo.pixels[:, ::2] == 128).all() and "grey" in photo.notes[0]
    np.testing.assert_array_equal(photo.pixels[:, 1::2], pixels[:, 1::2, :3])


def test_sixteen_bits_are_scaled_from_their_whole_range(save):
    levels = np.array([[0, 257, 32768, 65535]], np.uint16).repeat(2, 0)
    photo = read_photo(save(Image.fromarray(levels)))
    assert photo.pixels[0, :, 0].tolist() == [0, 1, 128, 255] and photo.notes == ("16-bit",)


def test_cmyk_becomes_rgb(save):
    image = Image.new("CMYK", (8, 8), (0, 255, 255, 0))  # red
    assert (read_photo(save(image, "p.tif")).pixels == [255, 0, 0]).all()


def test_of_an_animation_the_first_picture_is_taken(save):
    frames = [Image.new("L", (6, 6), level) for level in (40, 200)]
    path = save(frames[0], "p.gif", save_all=True, append_images=frames[1:])
    photo = read_photo(path)
    assert (photo.pixels == 40).all() and photo.notes == ("first of 2 pictures",)


@pytest.mark.parametrize("name", ["p.jpg", "p.png"])
def test_a_huge_photo_is_shrunk_by_area(save, name):
    # 12,000 x 9,000 pixels are read by hand: here as few as show it.
    path = save(Image.new("L", (3 * LONGEST, 30), 77), name)
    photo = read_photo(path)
    assert photo.pixels.shape == (10, LONGEST, 3) and photo.size == (3 * LONGEST, 30)
    assert photo.scale == 3 and (abs(photo.pixels.astype(int) - 77) <= 1).all()
    assert as_photo(np.zeros((1, 1, 3), np.uint8)).scale == 1


def png_of_size(width, height):
    """Give a PNG whose head claims a size, with hardly a pixel behind it."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n"
    for name, body in ((b"IHDR", head), (b"IDAT", zlib.compress(b"\0\7"))):
        data += struct.pack(">I", len(body)) + name + body
        data += struct.pack(">I", zlib.crc32(name + body))
    return data


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", r"empty \(0 bytes\)"),
        (b"some text\n" * 30, "no picture that can be read"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no picture that can be read"),
        (png_of_size(12_000, 12_000), "12,000x12,000 pixels, more than the 134,217,728"),
        (png_of_size(60_000, 60_000), "more than the 134,217,728 pixels"),
        (png_of_size(20, 20), "damaged"),
    ],
)
def test_what_is_no_photo_is_refused(tmp_path, data, message):
    (tmp_path / "p.png").write_bytes(data)
    with pytest.raises(UserError, match=message):
        read_photo(tmp_path / "p.png")


def test_a_photo_that_is_cut_off_is_refused(save, tmp_path):
    path = save(Image.fromarray(draw(64, 64, 3)), "p.jpg")
    path.write_bytes(path.read_bytes()[:-900])
    with pytest.raises(UserError, match="damaged"):
        read_photo(path)
    with pytest.raises(UserError, match="there is no file"):
        read_photo(tmp_path)


def test_floats_have_no_range(save):
    with pytest.raises(UserError, match="32-bit float"):
        read_photo(save(Image.fromarray(np.ones((4, 4), np.float32)), "p.tif"))
