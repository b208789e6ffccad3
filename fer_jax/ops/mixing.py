"""Mixing the images of a batch with each other, and their targets in the same shares.

A deterministic op takes each image's partner in the batch, `order` [b], a permutation; its random
twin draws that and how much is taken over, one value an image, and returns the images, the order
and the `share` [b] of each that is still its own.
"""

import jax
import jax.numpy as jnp

from fer_jax.ops.augmentation import erase


def mixup(images: jax.Array, order: jax.Array, share: jax.Array) -> jax.Array:
    """Blend each image [b, h, w, c] with its partner: share x + (1 - share) x[order].

    Zhang et al. 2018, equation 1. `share` [b] is in 0..1.
    """
    return blend(images, order, share)


def random_mixup(
    key: jax.Array, images: jax.Array, *, alpha: float
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Blend each image with another of its batch, the share from Beta(alpha, alpha).

    Returns images, order and share. Each image draws a share of its own; Zhang's code draws one a
    batch.
    """
    order_key, share_key = jax.random.split(key)
    order = jax.random.permutation(order_key, images.shape[0])
    share = jax.random.beta(share_key, alpha, alpha, (images.shape[0],))
    return mixup(images, order, share), order, share


def cutmix(images: jax.Array, order: jax.Array, boxes: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Paste a box of its partner into each image [b, h, w, c], at the same place.

    `boxes` [b, 4] are integers (top, left, height, width); what leaves the image is ignored.
    Returns the images and the share [b] of each one's pixels that are its own: the lambda of Yun et
    al. 2019, equation 1, after the box was cut to the image.
    """
    pasted = erase(images, boxes, value=images[order])
    height, width = images.shape[1:3]
    corner, extent = boxes[:, :2], boxes[:, 2:]
    sides = jnp.array([[height, width]])
    inside = jnp.clip(corner + extent, 0, sides) - jnp.clip(corner, 0, sides)
    return pasted, 1 - inside.prod(axis=1) / (height * width)


def random_cutmix(
    key: jax.Array, images: jax.Array, *, alpha: float
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Paste into each image a random box of another of its batch (Yun et al. 2019, algorithm 1).

    The box covers one minus a draw of Beta(alpha, alpha) of the image, in its proportions, about a
    centre that is uniform, and is cut to the image. Returns images, order and share. Each image has
    a box of its own; Yun's code draws one a batch.
    """
    b, height, width, _ = images.shape
    order_key, share_key, row_key, column_key = jax.random.split(key, 4)
    order = jax.random.permutation(order_key, b)
    side = jnp.sqrt(1 - jax.random.beta(share_key, alpha, alpha, (b,)))
    extent = (side[:, None] * jnp.array([[height, width]])).astype(jnp.int32)
    centre = jnp.stack(
        [jax.random.randint(row_key, (b,), 0, height),
         jax.random.randint(column_key, (b,), 0, width)], axis=1,
    )
    start = centre - extent // 2
    # As Yun's code has it: half of the side on either side of the centre.
    boxes = jnp.concatenate([start, 2 * (extent // 2)], axis=1)
    pasted, share = cutmix(images, order, boxes)
    return pasted, order, share


def random_mix(
    key: jax.Array, images: jax.Array, *, mixup: float = 0.0, cutmix: float = 0.0
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Mix images [b, h, w, c] by `random_mixup`, `random_cutmix`, or one of them each batch.

    `mixup` and `cutmix` are each one's alpha, and 0 is off; with both each batch takes either with
    probability one half. Returns images, order and share.

    Raises:
      ValueError: both are off.
    """
    if not mixup and not cutmix:
        raise ValueError("neither mixup nor cutmix has an alpha above 0")
    mixup_key, cutmix_key, choice_key = (jax.random.fold_in(key, stage) for stage in range(3))
    if not cutmix:
        return random_mixup(mixup_key, images, alpha=mixup)
    if not mixup:
        return random_cutmix(cutmix_key, images, alpha=cutmix)
    chosen = jax.random.bernoulli(choice_key)
    blended = random_mixup(mixup_key, images, alpha=mixup)
    pasted = random_cutmix(cutmix_key, images, alpha=cutmix)
    return tuple(jnp.where(chosen, one, other) for one, other in zip(blended, pasted, strict=True))


def blend(values: jax.Array, order: jax.Array, share: jax.Array) -> jax.Array:
    """Blend values [b, ...], such as targets [b, k], with their partners' by `share` [b]."""
    share = share.astype(values.dtype).reshape(-1, *[1] * (values.ndim - 1))
    return share * values + (1 - share) * values[order]
