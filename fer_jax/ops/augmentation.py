"""Augmentation of training images, inside jit: each deterministic op has a random twin.

A twin only draws, one value an image, and calls its op. All take and give float images
[b, h, w, c]. `fill` says what lies beyond the border: "nearest" repeats the edge pixel, as Keras'
ImageDataGenerator does; "zero" is black.
"""

import math

import jax
import jax.numpy as jnp
from jax.scipy.ndimage import map_coordinates

from fer_jax.ops import colour
from fer_jax.ops.crops import random_resized_crop

# For each fill: the names that map_coordinates and jnp.pad have for it.
FILLS = {"nearest": ("nearest", "edge"), "zero": ("constant", "constant")}

# The least and the greatest value that makes sense for `augment`'s options: degrees, a fraction of
# a side, pixels, a share of the area, a probability; and those of the colours.
RANGES = {
    "rotate": (-180.0, 180.0), "shift": (0.0, 1.0), "crop_padding": (0, 48),
    "resized_crop": (0.0, 1.0), "erase": (0.0, 1.0), **colour.RANGES,
}


def augment(
    key: jax.Array,
    images: jax.Array,
    *,
    rotate: tuple[float, float] | None = None,
    flip: bool = False,
    shift: float = 0.0,
    crop_padding: int = 0,
    resized_crop: tuple[float, float] | tuple[()] = (),
    brightness: float = 0.0,
    contrast: float = 0.0,
    saturation: float = 0.0,
    hue: float = 0.0,
    erase: float = 0.0,
    fill: str = "nearest",
) -> jax.Array:
    """Augment images [b, h, w, c]; every stage is off by default.

    `rotate` is (least, greatest) angle in degrees, `flip` mirrors half of the images, `shift` is
    the greatest shift as a fraction of each side, `crop_padding` pads by that many pixels and
    crops back to [h, w], `resized_crop` is (least, greatest) share of the area that a random
    resized crop keeps (torchvision's scale; its ratio is 3/4..4/3), the four colours are the
    arguments of `colour.random_jitter`, `erase` is the probability that an image gets an erased
    box. Each stage has its own key: switching one off leaves the draws of the others as they are.
    """
    flip_key, rotate_key, shift_key, crop_key, erase_key, resize_key, colour_key = (
        jax.random.fold_in(key, stage) for stage in range(7)
    )
    if flip:
        images = random_flip(flip_key, images)
    if rotate is not None or shift:
        # One interpolation for both: sharper than two, and several times faster on a CPU.
        b, height, width, _ = images.shape
        angle = 0.0 if rotate is None else _draw_angles(rotate_key, b, *rotate)
        offsets = _draw_offsets(shift_key, (b, height, width), shift) if shift else (0.0, 0.0)
        images = rotate_and_shift(images, angle, offsets, fill=fill)
    if crop_padding:
        images = random_crop(
            crop_key, images, size=images.shape[1:3], padding=crop_padding, fill=fill
        )
    if resized_crop:
        images = random_resized_crop(resize_key, images, scale=resized_crop)
    images = colour.random_jitter(
        colour_key, images,
        brightness=brightness, contrast=contrast, saturation=saturation, hue=hue,
    )
    if erase:
        images = random_erase(erase_key, images, p=erase)
    return images


def rotate(images: jax.Array, angle, *, fill: str = "nearest") -> jax.Array:
    """Rotate images [b, h, w, c] about their centre by `angle` degrees, scalar or [b].

    A positive angle turns the picture counter-clockwise. Bilinear. Raises ValueError for an
    unknown `fill`.
    """
    return rotate_and_shift(images, angle, (0.0, 0.0), fill=fill)


def random_rotate(
    key: jax.Array,
    images: jax.Array,
    *,
    max_angle: float,
    min_angle: float | None = None,
    fill: str = "nearest",
) -> jax.Array:
    """Rotate each image by an angle uniform in `min_angle`..`max_angle`, degrees.

    Without `min_angle` the range is -max_angle..max_angle, Keras' `rotation_range`; Li (2023)
    writes 0..20 degrees, which is `min_angle=0, max_angle=20`.
    """
    least = -max_angle if min_angle is None else min_angle
    return rotate(images, _draw_angles(key, images.shape[0], least, max_angle), fill=fill)


def flip(images: jax.Array, flipped) -> jax.Array:
    """Mirror left and right those images [b, h, w, c] for which `flipped`, [b] bool, is true."""
    return jnp.where(jnp.reshape(flipped, (-1, 1, 1, 1)), images[:, :, ::-1, :], images)


def random_flip(key: jax.Array, images: jax.Array, *, p: float = 0.5) -> jax.Array:
    """Mirror each image left and right with probability `p`."""
    return flip(images, jax.random.bernoulli(key, p, images.shape[:1]))


def shift(images: jax.Array, offsets, *, fill: str = "nearest") -> jax.Array:
    """Move images [b, h, w, c] by `offsets` [b, 2] or [2]: pixels down and right.

    Offsets may be negative or fractional (bilinear). Raises ValueError for an unknown `fill`.
    """
    return rotate_and_shift(images, 0.0, offsets, fill=fill)


def random_shift(
    key: jax.Array, images: jax.Array, *, max_fraction: float, fill: str = "nearest"
) -> jax.Array:
    """Move each image by up to `max_fraction` of its height and width, uniform, either way."""
    return shift(images, _draw_offsets(key, images.shape[:3], max_fraction), fill=fill)


def rotate_and_shift(images: jax.Array, angle, offsets, *, fill: str = "nearest") -> jax.Array:
    """Rotate images [b, h, w, c] as `rotate` does, then move them as `shift` does, in one step.

    Bilinear. Raises ValueError for an unknown `fill`.
    """
    height, width = images.shape[1:3]
    radians = jnp.deg2rad(_one_each(angle, images)).reshape(-1, 1, 1)
    offsets = _one_each(offsets, images, trailing=(2,)).reshape(-1, 2, 1, 1)
    middle_row, middle_column = (height - 1) / 2, (width - 1) / 2
    down = jnp.arange(height, dtype=jnp.float32).reshape(1, -1, 1) - middle_row - offsets[:, 0]
    right = jnp.arange(width, dtype=jnp.float32).reshape(1, 1, -1) - middle_column - offsets[:, 1]
    cos, sin = jnp.cos(radians), jnp.sin(radians)
    rows = cos * down + sin * right + middle_row
    columns = cos * right - sin * down + middle_column
    return _sample(images, rows, columns, fill)


def crop(images: jax.Array, offsets, *, size: int | tuple[int, int]) -> jax.Array:
    """Cut `size`, (height, width) or one number, out of images [b, h, w, c].

    `offsets` [b, 2] or [2] are the integer row and column of the top left corner, moved inside
    where the cut would leave the image. Raises ValueError for a size larger than the image.
    """
    height, width = _crop_size(size, images.shape[1:3])
    offsets = _one_each(offsets, images, trailing=(2,), dtype=jnp.int32)
    # dynamic_slice would count a negative offset from the end.
    offsets = jnp.maximum(offsets, 0)
    cut_size = (height, width, images.shape[3])

    def cut(image, offset):
        return jax.lax.dynamic_slice(image, (offset[0], offset[1], 0), cut_size)

    return jax.vmap(cut)(images, offsets)


def random_crop(
    key: jax.Array,
    images: jax.Array,
    *,
    size: int | tuple[int, int],
    padding: int = 0,
    fill: str = "nearest",
) -> jax.Array:
    """Pad images by `padding` pixels on each side, then cut `size` at a random place of each.

    Raises ValueError for a size larger than the padded image and for an unknown `fill`.
    """
    widths = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    padded = jnp.pad(images, widths, mode=_fill_names(fill)[1])
    height, width = _crop_size(size, padded.shape[1:3])
    beyond = jnp.array([[padded.shape[1] - height + 1, padded.shape[2] - width + 1]])
    offsets = jax.random.randint(key, (images.shape[0], 2), 0, beyond)
    return crop(padded, offsets, size=(height, width))


def erase(images: jax.Array, boxes, *, value=0.5) -> jax.Array:
    """Paint a box of each image [b, h, w, c] over with `value`, a number or pixels [b, h, w, c].

    `boxes` [b, 4] or [4] are integers (top, left, height, width); what leaves the image is
    ignored, and a box of height or width 0 erases nothing.
    """
    boxes = _one_each(boxes, images, trailing=(4,), dtype=jnp.int32).reshape(-1, 4, 1, 1, 1)
    top, left, height, width = (boxes[:, i] for i in range(4))
    row = jnp.arange(images.shape[1]).reshape(1, -1, 1, 1)
    column = jnp.arange(images.shape[2]).reshape(1, 1, -1, 1)
    inside = (row >= top) & (row < top + height) & (column >= left) & (column < left + width)
    return jnp.where(inside, jnp.asarray(value, images.dtype), images)


def random_erase(
    key: jax.Array,
    images: jax.Array,
    *,
    p: float = 0.5,
    area: tuple[float, float] = (0.02, 0.33),
    aspect: tuple[float, float] = (0.3, 3.3),
    value: float | str = 0.5,
) -> jax.Array:
    """Erase with probability `p` a random box of each image (Zhong et al. 2020).

    The box covers a fraction of the image uniform in `area` and has a height / width uniform in
    the logarithm over `aspect`; a side longer than the image's is cut to it. `value` is a level in
    0..1, or "random": each pixel and channel uniform in 0..1.
    """
    b, rows, columns, _ = images.shape
    erase_key, area_key, aspect_key, place_key, value_key = jax.random.split(key, 5)
    erased = jax.random.bernoulli(erase_key, p, (b,))
    box_area = rows * columns * jax.random.uniform(area_key, (b,), minval=area[0], maxval=area[1])
    logs = (math.log(aspect[0]), math.log(aspect[1]))
    box_aspect = jnp.exp(jax.random.uniform(aspect_key, (b,), minval=logs[0], maxval=logs[1]))
    height = jnp.clip(jnp.round(jnp.sqrt(box_area * box_aspect)), 1, rows).astype(jnp.int32)
    width = jnp.clip(jnp.round(jnp.sqrt(box_area / box_aspect)), 1, columns).astype(jnp.int32)
    beyond = jnp.stack([rows - height + 1, columns - width + 1], axis=1)
    corner = jax.random.randint(place_key, (b, 2), 0, beyond)
    height = jnp.where(erased, height, 0)
    boxes = jnp.concatenate([corner, height[:, None], width[:, None]], axis=1)
    if value == "random":
        value = jax.random.uniform(value_key, images.shape)
    return erase(images, boxes, value=value)


def _draw_angles(key: jax.Array, b: int, least: float, greatest: float) -> jax.Array:
    return jax.random.uniform(key, (b,), minval=least, maxval=greatest)


def _draw_offsets(key: jax.Array, shape: tuple[int, int, int], max_fraction: float) -> jax.Array:
    """Draw offsets [b, 2] in pixels, at most `max_fraction` of the sides in shape (b, h, w)."""
    b, height, width = shape
    fractions = jax.random.uniform(key, (b, 2), minval=-max_fraction, maxval=max_fraction)
    return fractions * jnp.array([[height, width]], jnp.float32)


def _sample(images: jax.Array, rows: jax.Array, columns: jax.Array, fill: str) -> jax.Array:
    """Read images [b, h, w, c] bilinearly at rows and columns that broadcast to [b, h, w]."""
    mode = _fill_names(fill)[0]
    rows, columns = jnp.broadcast_arrays(rows, columns)

    def read(channel, rows, columns):
        return map_coordinates(channel, [rows, columns], order=1, mode=mode)

    read_channels = jax.vmap(read, in_axes=(-1, None, None), out_axes=-1)
    pixels = images.astype(jnp.float32)
    return jax.vmap(read_channels)(pixels, rows, columns).astype(images.dtype)


def _one_each(values, images: jax.Array, *, trailing: tuple = (), dtype=jnp.float32) -> jax.Array:
    """Broadcast `values` of shape `trailing` or [b, *trailing] to one for each image."""
    values = jnp.asarray(values)
    each = (images.shape[0], *trailing)
    if values.shape not in (trailing, each):
        raise ValueError(f"got shape {values.shape}; expected {trailing} or, an image, {each}")
    return jnp.broadcast_to(values.astype(dtype), each)


def _crop_size(size: int | tuple[int, int], available: tuple[int, int]) -> tuple[int, int]:
    height, width = (size, size) if isinstance(size, int) else size
    if height > available[0] or width > available[1]:
        raise ValueError(
            f"a crop of {height}x{width} does not fit in images of {available[0]}x{available[1]}:"
            " ask for a smaller crop, pad more or resize the images first"
        )
    return height, width


def _fill_names(fill: str) -> tuple[str, str]:
    if fill not in FILLS:
        raise ValueError(f"unknown fill {fill!r}: choose one of {', '.join(FILLS)}")
    return FILLS[fill]
