"""Reading an image of any kind, and refusing by name what has no faithful pixels."""

import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from fer_jax.data.read_image import read_image
from fer_jax.errors import UserError

GREY = np.random.default_rng(0).integers(0, 256, (48, 48), np.uint8)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGB", "RGBA"])
def test_grey_comes_back_exact_from_every_mode(tmp_path, mode):
    Image.fromarray(GREY).convert(mode).save(tmp_path / "x.png")
    pixels, converted = read_image(tmp_path / "x.png", size=(48, 48))
    np.testing.assert_array_equal(pixels, GREY)
    assert pixels.dtype == np.uint8
    assert converted == (mode != "L")


def test_colour_is_the_luma_of_itu_r_601(tmp_path):
    colour = np.random.default_rng(1).integers(0, 256, (48, 40, 3), np.uint8)
    Image.fromarray(colour).save(tmp_path / "x.png")
    pixels, converted = read_image(tmp_path / "x.png")
    np.testing.assert_allclose(pixels, colour @ [0.299, 0.587, 0.114], atol=0.6)
    assert converted
    pixels, converted = read_image(tmp_path / "x.png", grey=False)
    np.testing.assert_array_equal(pixels, colour)
    assert not converted


def test_grey_becomes_colour_where_that_is_asked_for(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "x.png")
    pixels, converted = read_image(tmp_path / "x.png", grey=False)
    np.testing.assert_array_equal(pixels, np.repeat(GREY[..., None], 3, axis=-1))
    assert converted


def test_two_levels_are_black_and_white(tmp_path):
    Image.fromarray(GREY > 99).save(tmp_path / "x.png")
    pixels, converted = read_image(tmp_path / "x.png")
    np.testing.assert_array_equal(pixels, np.where(GREY > 99, 255, 0))
    assert converted


@pytest.mark.parametrize("suffix", ["png", "pgm"])
def test_sixteen_bits_are_scaled_and_rounded(tmp_path, suffix):
    deep = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    Image.fromarray(deep).save(tmp_path / f"x.{suffix}")
    pixels, converted = read_image(tmp_path / f"x.{suffix}")
    np.testing.assert_array_equal(pixels, np.rint(deep * (255 / 65535)))
    assert converted


def test_another_size_is_resized_by_area(tmp_path):
    Image.fromarray(GREY).resize((96, 96), Image.Resampling.NEAREST).save(tmp_path / "x.png")
    pixels, converted = read_image(tmp_path / "x.png", size=(48, 48))
    np.testing.assert_array_equal(pixels, GREY)  # the mean of four equal pixels
    assert converted
    pixels, _ = read_image(tmp_path / "x.png", size=(24, 24))
    means = GREY.reshape(24, 2, 24, 2).mean((1, 3))
    np.testing.assert_allclose(pixels, means, atol=1)
    assert read_image(tmp_path / "x.png", size=(112, 112))[0].shape == (112, 112)
    assert read_image(tmp_path / "x.png")[0].shape == (96, 96)


def test_other_proportions_are_refused_unless_stretched(tmp_path):
    Image.new("L", (50, 48)).save(tmp_path / "x.png")
    with pytest.raises(UserError, match="x.png is 50x48 pixels, .* 48x48"):
        read_image(tmp_path / "x.png", size=(48, 48))
    assert read_image(tmp_path / "x.png", size=(48, 48), stretch=True)[0].shape == (48, 48)


def test_orientation_in_exif_is_not_applied(tmp_path):
    exif = Image.Exif()
    exif[274] = 6  # turn by 90 degrees
    Image.fromarray(GREY).save(tmp_path / "x.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "x.png")[0], GREY)


def test_the_bytes_decide_not_the_suffix(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "x.jpg", format="png")
    np.testing.assert_array_equal(read_image(tmp_path / "x.jpg")[0], GREY)


def write_transparent(path):
    image = Image.fromarray(GREY).convert("RGBA")
    image.putpixel((3, 3), (0, 0, 0, 254))
    image.save(path)


def write_bomb(path):
    """Write 300 bytes that claim 60,000 x 60,000 pixels."""

    def chunk(kind, data):
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    data = zlib.compress(bytes(100_000))
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


def write_truncated(path):
    Image.fromarray(GREY).save(path)
    path.write_bytes(path.read_bytes()[:1000])


def write_animation(path):
    frames = [Image.fromarray(GREY), Image.fromarray(255 - GREY)]
    frames[0].save(path, save_all=True, append_images=frames[1:])


REFUSED = {
    "empty": (lambda path: path.touch(), "is empty"),
    "truncated": (write_truncated, "cannot be read as an image"),
    "no image": (lambda path: path.write_bytes(b"emotion,pixels\n"), "cannot be read as an image"),
    "head alone": (lambda path: path.write_bytes(b"\x89PNG"), "cannot be read as an image"),
    "transparent": (write_transparent, "has transparent pixels"),
    "bomb": (write_bomb, ".*decompression bomb"),
    "large": (lambda path: Image.new("1", (4100, 4100)).save(path), "claims 4,100x4,100 pixels"),
    "animation": (write_animation, "is an animation of 2 frames"),
    "CMYK": (lambda path: Image.new("CMYK", (48, 48)).save(path, "jpeg"), "is in mode CMYK"),
    "GIF": (lambda path: Image.new("L", (48, 48)).save(path, "gif"), "cannot be read as an image"),
    "folder": (lambda path: path.mkdir(), "is not a file"),
    "pipe": (os.mkfifo, "is not a file"),  # reading one would wait for ever
    "lost link": (lambda path: path.symlink_to("nowhere"), "cannot be read as an image"),
    "circle": (lambda path: path.symlink_to(path.name), "cannot be read as an image"),
}


@pytest.mark.parametrize(("write", "message"), REFUSED.values(), ids=REFUSED)
def test_what_has_no_faithful_pixels_is_refused_by_name(tmp_path, write, message):
    write(tmp_path / "face.png")
    with pytest.raises(UserError, match=f"face.png {message}"):
        read_image(tmp_path / "face.png", size=(48, 48))


def test_a_damaged_file_is_refused_or_read_exactly(tmp_path):
    path = tmp_path / "face.png"
    Image.fromarray(GREY).save(path)
    whole = path.read_bytes()
    generator = np.random.default_rng(2)
    refused = 0
    for n in range(200):
        damaged = bytearray(whole)
        if n % 2:
            del damaged[generator.integers(1, len(whole)) :]
        else:
            damaged[generator.integers(len(whole))] ^= 1 << generator.integers(8)
        path.write_bytes(damaged)
        try:
            np.testing.assert_array_equal(read_image(path)[0], GREY)
        except UserError:
            refused += 1
    # Only damage to the end mark, 12 of 2,400 bytes, loses nothing.
    assert refused > 180
