"""Read one image file as 8-bit pixels, whatever it is stored as, or refuse it by its name."""

import stat
import warnings
from pathlib import Path

import numpy as np
from PIL import Image

from fer_jax.errors import UserError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".pgm", ".ppm", ".webp")
MAX_PIXELS = 1 << 24  # 4096 x 4096: far above any face, and 50 MB decoded
_FORMATS = ("PNG", "JPEG", "BMP", "PPM", "WEBP")  # what is inside decides, not the suffix
_DEEP = ("I", "I;16", "I;16B", "I;16L")  # of these formats: grey in 0..65535
_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", *_DEEP)


def read_image(
    path: Path, *, size: tuple[int, int] | None = None, grey: bool = True, stretch: bool = False
) -> tuple[np.ndarray, bool]:
    """Read an image, u8 [h, w] if `grey` or else [h, w, 3], and say whether it was converted.

    Converted are: 1-bit, palette and 16-bit grey images (scaled from 0..65535 to 0..255), colour
    where grey is asked for (luma of ITU-R 601) and the reverse, an alpha channel that hides
    nothing, and another size than `size` (the mean of the area where it shrinks, else bilinear).
    An orientation in the EXIF data is not applied: published faces are upright as stored, and
    the pixels are what everyone else trains on.

    Args:
      path: the file.
      size: (height, width) to return; None keeps the image's own.
      grey: return grey levels instead of RGB.
      stretch: resize also where that changes the proportions, which else is refused.

    Raises:
      UserError: the file is no image, damaged, transparent, of a mode that has no faithful
        conversion, of more than MAX_PIXELS pixels (its head says so, it is not decoded) or of
        other proportions than `size`; names the file.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise UserError(f"{path} is not a file. Take it away.")
        if not status.st_size:
            raise UserError(f"{path} is empty (0 bytes). Get it again or take it away.")
        # Of what is decoded here Pillow warns about side data, or of a size refused below.
        with warnings.catch_warnings(action="ignore"), Image.open(path, formats=_FORMATS) as image:
            _check_head(path, image, size, stretch)
            image.load()
            pixels = _flatten(path, image, grey)
            converted = image.mode != pixels.mode
    except UserError:
        raise
    except Exception as error:  # Pillow's decoders raise nearly anything on a damaged file
        raise UserError(
            f"{path} cannot be read as an image ({str(error)[:200]}). Get it again or take it away."
        ) from error
    if size is not None and (pixels.height, pixels.width) != size:
        pixels, converted = resize_image(pixels, size), True
    return np.asarray(pixels), converted


def _check_head(path: Path, image: Image.Image, size: tuple | None, stretch: bool) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise UserError(
            f"{path} claims {width:,}x{height:,} pixels, more than the {MAX_PIXELS:,} that are "
            "decoded. Make it smaller or take it away."
        )
    if image.mode not in _MODES:
        raise UserError(
            f"{path} is in mode {image.mode}, expected one of {', '.join(_MODES)}. Convert it to "
            "8-bit RGB or take it away."
        )
    if getattr(image, "n_frames", 1) != 1:
        raise UserError(
            f"{path} is an animation of {image.n_frames} frames. Keep one or take it away."
        )
    if size is not None and not stretch and width * size[0] != height * size[1]:
        raise UserError(
            f"{path} is {width}x{height} pixels, which is no enlarged or shrunk {size[1]}x{size[0]}"
            ". Crop it to those proportions or take it away."
        )


def _flatten(path: Path, image: Image.Image, grey: bool) -> Image.Image:
    if image.mode in _DEEP:
        levels = np.asarray(image).astype(np.int64)
        image = Image.fromarray(((levels * 255 + 32767) // 65535).astype(np.uint8))
    elif image.has_transparency_data:
        image = image.convert("RGBA")
        if image.getextrema()[3][0] < 255:
            raise UserError(
                f"{path} has transparent pixels, and what should show there is unknown. Put it on "
                "a background or take it away."
            )
        # Not straight to grey: Pillow turns grey with alpha to equal RGB, which comes back exact.
        image = image.convert("RGB")
    elif image.mode == "P":
        image = image.convert("RGB")
    mode = "L" if grey else "RGB"
    return image if image.mode == mode else image.convert(mode)


def resize_image(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Resize to (height, width): the mean of the area where both sides shrink, else bilinear."""
    height, width = size
    shrinks = image.height >= height and image.width >= width
    filter = Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR
    return image.resize((width, height), filter)
