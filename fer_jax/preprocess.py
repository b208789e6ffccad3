"""What a network sees of a face as it is stored: resized, cropped, normalised, on the device.

Augmentation and distortion come before: they are defined on the stored face.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
from ml_collections import ConfigDict

from fer_jax.errors import UserError
from fer_jax.ops.augmentation import random_crop
from fer_jax.ops.crops import centre_crop, resize, ten_crop
from fer_jax.ops.normalisation import channels_after, normalise


class Preprocess(NamedTuple):
    """How faces reach the network; the defaults change nothing.

    Attributes:
      size: side in pixels that faces are resized to; 0 leaves them as they are stored.
      crop: side of the square that the network sees of them, at a random place in training and in
        the centre in testing; 0 is all.
      normalise: one of `ops.normalisation.NORMALISE`.
    """

    size: int = 0
    crop: int = 0
    normalise: str = "none"


def read_preprocess(config: ConfigDict) -> Preprocess:
    """Return `config.preprocess`, hashable."""
    return Preprocess(**config.preprocess.to_dict())


def input_shape(
    image_shape: tuple[int, int, int], *, preprocess: Preprocess
) -> tuple[int, int, int]:
    """Return the shape (h, w, c) that the network sees of faces stored as `image_shape`.

    Raises:
      UserError: the crop does not fit in the face, or its channels have no such normalisation.
    """
    height, width, channels = image_shape
    size, crop, name = preprocess
    height, width = (size or height), (size or width)
    if crop > min(height, width):
        raise UserError(
            f"config.preprocess.crop is {crop}, and the faces have {height}x{width} pixels; "
            "choose a smaller crop, or a larger config.preprocess.size"
        )
    try:
        channels = channels_after(channels, name=name)
    except ValueError as error:
        raise UserError(f"config.preprocess.normalise: {error}") from error
    return crop or height, crop or width, channels


def prepare(images: jax.Array, *, preprocess: Preprocess) -> jax.Array:
    """Turn faces `[b, h, w, c]` in 0..1 into what the network sees of them in testing."""
    return view(images, preprocess=preprocess)[0]


def prepare_randomly(key: jax.Array, images: jax.Array, *, preprocess: Preprocess) -> jax.Array:
    """Do as `prepare`, but crop each face at a random place; the values stay in 0..1.

    Normalising is left to the caller: what a reconstruction is compared with is not normalised.
    """
    images = _resized(images, preprocess)
    if not preprocess.crop:
        return images
    return random_crop(key, images, size=preprocess.crop)


def view(
    images: jax.Array, *, preprocess: Preprocess, views: str = "plain"
) -> tuple[jax.Array, ...]:
    """Give the views of faces `[b, h, w, c]` in 0..1 that a network's answers are averaged over.

    They are what the network sees, normalised too. `views` is one of VIEWS.
    """
    cut = VIEWS[views].cut(_resized(images, preprocess), preprocess.crop)
    return tuple(normalise(images, name=preprocess.normalise) for images in cut)


def _resized(images, preprocess):
    return resize(images, size=preprocess.size) if preprocess.size else images


def _plain(images, crop):
    return (centre_crop(images, size=crop) if crop else images,)


def _flip(images, crop):
    (plain,) = _plain(images, crop)
    return plain, plain[:, :, ::-1]


def _ten_crop(images, crop):
    if crop:
        return ten_crop(images, size=crop)
    sides = images.shape[1:3]
    smaller = tuple(round(TEN_CROP_SHARE * side) for side in sides)
    return tuple(resize(crop, size=sides) for crop in ten_crop(images, size=smaller))


# The share of each side that ten-crop views show where config.preprocess.crop is 0: 44 of 48
# pixels. The network was made for whole faces, so the crops are resized to their size.
TEN_CROP_SHARE = 11 / 12


class View(NamedTuple):
    """A way to look at faces: how they are `cut`, (images, crop) -> views, and into how many."""

    cut: Callable[[jax.Array, int], tuple[jax.Array, ...]]
    count: int


VIEWS = {
    "plain": View(_plain, 1),  # the centre crop, where there is one
    "flip": View(_flip, 2),  # it and its mirror image
    "ten_crop": View(_ten_crop, 10),  # corners and centre, and their mirror images
}
# How the views' answers are averaged.
AVERAGES = ("probabilities", "logits")
