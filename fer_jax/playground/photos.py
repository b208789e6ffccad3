"""Photos that a person drops: decoded within limits, cut to grey faces of 48x48."""

import io
import warnings
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from fer_jax.data.faces import SIZE
from fer_jax.errors import UserError
from fer_jax.playground.answers import encode_face

MAX_BYTES = 16 << 20
MAX_PIXELS = 50_000_000  # 8660 x 5773: what phones take; its head says so, it is not decoded
FORMATS = ("PNG", "JPEG", "BMP", "PPM", "WEBP", "GIF", "TIFF")


def read_faces(data: bytes) -> list[dict[str, Any]]:
    """Cut the face out of a photo: [{"face": base64 of 48x48 grey bytes}].

    Raises:
      UserError: it is no picture, a damaged one, or one of too many pixels.
    """
    try:
        opened = io.BytesIO(data)
        # Pillow warns of side data, and of a size that is refused below.
        with warnings.catch_warnings(action="ignore"), Image.open(opened, formats=FORMATS) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise UserError(
                    f"that picture has {width:,}x{height:,} pixels, more than the {MAX_PIXELS:,} "
                    "that are decoded; make it smaller"
                )
            upright = ImageOps.exif_transpose(image.convert("RGB")).convert("L")
    except UserError:
        raise
    except UnidentifiedImageError:
        raise UserError(f"that is no picture; expected one of {', '.join(FORMATS)}") from None
    except Exception as error:  # Pillow's decoders raise nearly anything on a damaged file
        raise UserError(f"that is no picture that can be read ({str(error)[:200]})") from error
    side = min(upright.size)
    face = ImageOps.fit(upright, (side, side)).resize((SIZE, SIZE), Image.Resampling.BOX)
    return [{"face": encode_face(np.asarray(face))}]
