"""Other sizes of a picture: resizing, crops in the centre and corners, and resized crops.

All take and give float images [b, h, w, c]; a `size` is (height, width) or one number for both.
"""

import math

import jax
import jax.numpy as jnp


def resize(images: jax.Array, *, size: int | tuple[int, int]) -> jax.Array:
    """Resize images [b, h, w, c] to [b, *size, c], bilinearly and with antialiasing.

    At their own size they come back as they are.
    """
    height, width = _pair(size)
    b, h, w, c = images.shape
    if (h, w) == (height, width):
        return images
    return jax.image.resize(images, (b, height, width, c), "bilinear")


def centre_crop(images: jax.Array, *, size: int | tuple[int, int]) -> jax.Array:
    """Cut `size` out of the middle of images [b, h, w, c], as torchvision's CenterCrop.

    Raises ValueError for a size larger than the image.
    """
    (height, width), (h, w) = _fitting(size, images), images.shape[1:3]
    # Half a pixel is rounded to the even side, as torchvision does.
    top, left = round((h - height) / 2), round((w - width) / 2)
    return images[:, top : top + height, left : left + width]


def ten_crop(images: jax.Array, *, size: int | tuple[int, int]) -> tuple[jax.Array, ...]:
    """Cut the corners and the centre out of images [b, h, w, c], then mirror those five.

    The order is torchvision's: top left, top right, bottom left, bottom right, centre, and the same
    of the crops' mirror images. Raises ValueError for a size larger than the image.
    """
    (height, width), (h, w) = _fitting(size, images), images.shape[1:3]
    corners = [
        images[:, top : top + height, left : left + width]
        for top in (0, h - height)
        for left in (0, w - width)
    ]
    five = (*corners, centre_crop(images, size=size))
    return (*five, *(crop[:, :, ::-1] for crop in five))


def resized_crop(
    images: jax.Array, boxes: jax.Array, *, size: int | tuple[int, int] | None = None
) -> jax.Array:
    """Cut a box out of each image [b, h, w, c] and resize it to `size`, by default (h, w).

    `boxes` [b, 4] or [4] are (top, left, height, width) in pixels, inside the image. Bilinear about
    pixel centres, the box's own edge repeated beyond it, without antialiasing, which matters only
    where a box is shrunk.
    """
    b, h, w, _ = images.shape
    height, width = (h, w) if size is None else _pair(size)
    boxes = jnp.broadcast_to(jnp.asarray(boxes, jnp.float32), (b, 4))
    rows = _interpolation(boxes[:, 0], boxes[:, 2], h, height)
    columns = _interpolation(boxes[:, 1], boxes[:, 3], w, width)
    return jnp.einsum(
        "bih,bhwc,bjw->bijc", rows, images.astype(jnp.float32), columns, precision="highest"
    ).astype(images.dtype)


def random_resized_crop(
    key: jax.Array,
    images: jax.Array,
    *,
    scale: tuple[float, float] = (0.08, 1.0),
    ratio: tuple[float, float] = (3 / 4, 4 / 3),
    size: int | tuple[int, int] | None = None,
) -> jax.Array:
    """Cut a random box out of each image and resize it, as torchvision's RandomResizedCrop."""
    boxes = draw_boxes(key, images.shape[:3], scale=scale, ratio=ratio)
    return resized_crop(images, boxes, size=size)


def draw_boxes(
    key: jax.Array,
    shape: tuple[int, int, int],
    *,
    scale: tuple[float, float],
    ratio: tuple[float, float],
) -> jax.Array:
    """Draw boxes i32 [b, 4], (top, left, height, width), for images of `shape` (b, h, w).

    The first of ten tries that fits is taken: an area that is a share of the image's uniform in
    `scale`, and a width / height uniform in the logarithm over `ratio`. Where none fits it is the
    largest box in the centre whose ratio is inside `ratio`.
    """
    b, h, w = shape
    area_key, ratio_key, row_key, column_key = jax.random.split(key, 4)
    tries = (b, 10)
    area = h * w * jax.random.uniform(area_key, tries, minval=scale[0], maxval=scale[1])
    logs = (math.log(ratio[0]), math.log(ratio[1]))
    aspect = jnp.exp(jax.random.uniform(ratio_key, tries, minval=logs[0], maxval=logs[1]))
    widths = jnp.round(jnp.sqrt(area * aspect)).astype(jnp.int32)
    heights = jnp.round(jnp.sqrt(area / aspect)).astype(jnp.int32)
    fits = (0 < widths) & (widths <= w) & (0 < heights) & (heights <= h)
    first = fits.argmax(axis=1)[:, None]
    height, width = (
        jnp.take_along_axis(sides, first, axis=1)[:, 0] for sides in (heights, widths)
    )
    top = jax.random.randint(row_key, (b,), 0, jnp.maximum(h - height, 0) + 1)
    left = jax.random.randint(column_key, (b,), 0, jnp.maximum(w - width, 0) + 1)
    drawn = jnp.stack([top, left, height, width], axis=1)
    spare_height = min(h, round(w / ratio[0]))
    spare_width = min(w, round(h * ratio[1]))
    spare = ((h - spare_height) // 2, (w - spare_width) // 2, spare_height, spare_width)
    return jnp.where(fits.any(axis=1)[:, None], drawn, jnp.array([spare], jnp.int32))


def _interpolation(start: jax.Array, extent: jax.Array, old: int, new: int) -> jax.Array:
    """Make the weights [b, new, old] with which `new` pixels read `extent` of `old` ones."""
    start, extent = start.reshape(-1, 1, 1), extent.reshape(-1, 1, 1)
    centres = (jnp.arange(new, dtype=jnp.float32).reshape(1, -1, 1) + 0.5) * extent / new - 0.5
    places = start + jnp.clip(centres, 0, extent - 1)
    pixels = jnp.arange(old, dtype=jnp.float32).reshape(1, 1, -1)
    return jnp.maximum(0, 1 - jnp.abs(places - pixels))


def _fitting(size: int | tuple[int, int], images: jax.Array) -> tuple[int, int]:
    (height, width), (h, w) = _pair(size), images.shape[1:3]
    if height > h or width > w:
        raise ValueError(
            f"a crop of {height}x{width} does not fit in images of {h}x{w}: "
            "ask for a smaller crop or resize the images first"
        )
    return height, width


def _pair(size: int | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size
