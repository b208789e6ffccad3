"""Read a photo as a person sees it, whatever it is stored as: upright, opaque, 8 bits."""

import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from fer_jax.errors import UserError

PHOTO_SUFFIXES = (
    ".avif", ".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff",
    ".webp",
)
MAX_PIXELS = 1 << 27  # 134 million, as 12,000 x 11,000: 400 MB decoded
LONGEST = 4096  # pixels; a longer side is shrunk to this before anything else
BACKGROUND = 128  # grey behind transparent pixels: no edge is starker than black or white would be

# What is inside decides, not the suffix. A JPEG with more beside it, as phones have, becomes MPO.
_FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
_DEEP = ("I", "I;16", "I;16B", "I;16L", "I;16N")  # grey, 0..65535


class Photo(NamedTuple):
    """A photo as it is shown.

    Attributes:
      pixels: u8 `[h, w, 3]`, shrunk by `scale`.
      size: (width, height) of the photo itself.
      scale: pixels of the photo to one here, at least 1.
      notes: what was done to it that a person should know.
    """

    pixels: np.ndarray
    size: tuple[int, int]
    scale: float
    notes: tuple[str, ...] = ()


def read_photo(path: Path) -> Photo:
    """Read a photo, turned as its EXIF data say.

    Transparent pixels show a grey of 128 behind them, 16-bit grey is scaled from 0..65535, CMYK
    and other colours become RGB, of an animation or a file of pages the first picture is taken, and
    a side longer than 4096 pixels is shrunk to that by area.

    Raises:
      UserError: the file is no picture, damaged, cut off, of numbers without a range (32-bit
        float), or of more than MAX_PIXELS pixels, which its head says: it is not decoded.
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise UserError(f"there is no file {path}")
        if not path.stat().st_size:
            raise UserError("it is empty (0 bytes)")
        # Of what is decoded here Pillow warns about side data, or of a size refused below.
        with warnings.catch_warnings(action="ignore"), Image.open(path, formats=_FORMATS) as image:
            return _decode(image)
    except Image.DecompressionBombError:
        raise UserError(f"it has more than the {MAX_PIXELS:,} pixels that are decoded") from None
    except Image.UnidentifiedImageError:
        raise UserError("it is no picture that can be read; convert it to JPEG or PNG") from None
    except UserError:
        raise
    except Exception as error:  # Pillow's decoders raise nearly anything on a damaged file
        said = " ".join(str(error).split())[:120] or type(error).__name__
        raise UserError(f"it is damaged ({said})") from error


def as_photo(pixels: np.ndarray) -> Photo:
    """Wrap RGB pixels u8 `[h, w, 3]`, as a video's frame, and shrink them as `read_photo` does."""
    return _shrink(Image.fromarray(pixels), (pixels.shape[1], pixels.shape[0]), ())


def _decode(image: Image.Image) -> Photo:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise UserError(
            f"it has {width:,}x{height:,} pixels, more than the {MAX_PIXELS:,} that are decoded; "
            "make it smaller"
        )
    notes = []
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":
        notes.append(f"first of {frames} pictures")
    # A JPEG can be decoded at half its size or less, where that is still large enough.
    image.draft(None, (LONGEST, LONGEST))
    image.load()
    turned = ImageOps.exif_transpose(image)
    if image.getexif().get(0x0112, 1) in (5, 6, 7, 8):  # orientations that swap the sides
        width, height = height, width
    if turned.mode == "F":
        raise UserError("it has 32-bit float pixels, whose range is unknown; convert it to 8 bits")
    if turned.mode in _DEEP:
        levels = np.clip(np.asarray(turned).astype(np.int64), 0, 65535)
        turned = Image.fromarray(((levels * 255 + 32767) // 65535).astype(np.uint8))
        notes.append("16-bit")
    elif turned.has_transparency_data:
        turned = turned.convert("RGBA")
        if turned.getextrema()[3][0] < 255:
            notes.append("transparent parts shown grey")
            below = Image.new("RGBA", turned.size, (BACKGROUND,) * 3 + (255,))
            turned = Image.alpha_composite(below, turned)
    return _shrink(turned.convert("RGB"), (width, height), tuple(notes))


def _shrink(image: Image.Image, size: tuple[int, int], notes: tuple[str, ...]) -> Photo:
    longest = max(image.size)
    if longest > LONGEST:
        shorter = max(1, round(min(image.size) * LONGEST / longest))
        new = (LONGEST, shorter) if image.width >= image.height else (shorter, LONGEST)
        image = image.resize(new, Image.Resampling.BOX)
    return Photo(np.asarray(image), size, max(size) / max(image.size), notes)
