"""Colour jitter as torchvision's, inside jit: each deterministic op takes one factor an image.

All take float images [b, h, w, c] in 0..1, grey (c = 1) or RGB (c = 3), and give such.
"""

import jax
import jax.numpy as jnp

# Of red, green and blue in a grey level: ITU-R 601, as torchvision has them.
GREY_WEIGHTS = (0.2989, 0.587, 0.114)

# The least and the greatest value that makes sense for `random_jitter`'s options.
RANGES = {
    "brightness": (0.0, 1.0), "contrast": (0.0, 1.0), "saturation": (0.0, 1.0), "hue": (0.0, 0.5),
}


def brightness(images: jax.Array, factor) -> jax.Array:
    """Multiply images [b, h, w, c] by `factor`, scalar or [b], and clip."""
    return _toward(images, jnp.zeros_like(images), factor)


def contrast(images: jax.Array, factor) -> jax.Array:
    """Move images [b, h, w, c] away from their mean grey level by `factor`, scalar or [b]."""
    return _toward(images, to_grey(images).mean(axis=(1, 2, 3), keepdims=True), factor)


def saturation(images: jax.Array, factor) -> jax.Array:
    """Move RGB images [b, h, w, 3] away from their own grey by `factor`; grey ones stay."""
    return images if images.shape[-1] == 1 else _toward(images, to_grey(images), factor)


def hue(images: jax.Array, turn) -> jax.Array:
    """Turn the hue of RGB images [b, h, w, 3] by `turn` of a circle, -0.5..0.5; grey ones stay."""
    if images.shape[-1] == 1:
        return images
    most, least = images.max(axis=-1), images.min(axis=-1)
    spread = most - least
    # A grey pixel has no hue: any number will do, but no division by zero, in the gradient too.
    safe = jnp.where(spread > 0, spread, 1)
    red, green, blue = (images[..., i] for i in range(3))
    angle = jnp.where(
        most == red, (green - blue) / safe,
        jnp.where(most == green, 2 + (blue - red) / safe, 4 + (red - green) / safe),
    )
    angle = angle / 6 + _each(turn, images)[..., 0]
    # Smith 1978: each channel is a ramp over the circle of hues, between the least and the most.
    place = (6 * angle[..., None] + jnp.array([5.0, 3.0, 1.0]).reshape(1, 1, 1, 3)) % 6
    ramp = jnp.clip(jnp.minimum(place, 4 - place), 0, 1)
    return most[..., None] - spread[..., None] * ramp


def random_jitter(
    key: jax.Array,
    images: jax.Array,
    *,
    brightness: float = 0.0,
    contrast: float = 0.0,
    saturation: float = 0.0,
    hue: float = 0.0,
) -> jax.Array:
    """Jitter images [b, h, w, c] as torchvision's ColorJitter with these arguments.

    The first three factors are uniform in 1 - x..1 + x, the turn of the hue in -x..x; 0 is off.
    Each image has factors and an order of its own.
    """
    spans = {"brightness": brightness, "contrast": contrast, "saturation": saturation, "hue": hue}
    active = [(name, span) for name, span in spans.items() if span]
    if not active:
        return images
    b = images.shape[0]
    order_key, factor_key = jax.random.split(key)
    each = jax.random.split(order_key, b)
    order = jax.vmap(lambda one: jax.random.permutation(one, len(active)))(each)
    factors = []
    for name, span in active:
        # By its place in the table, so that its draw does not depend on what else is on.
        one_key = jax.random.fold_in(factor_key, list(spans).index(name))
        centre = 0.0 if name == "hue" else 1.0
        factors.append(
            jax.random.uniform(one_key, (b,), minval=centre - span, maxval=centre + span)
        )
    for turn in range(len(active)):
        changed = [OPS[name](images, factor) for (name, _), factor in zip(active, factors)]
        chosen = order[:, turn].reshape(-1, 1, 1, 1)
        for i, candidate in enumerate(changed):
            images = jnp.where(chosen == i, candidate, images)
    return images


def to_grey(images: jax.Array) -> jax.Array:
    """Give the grey level [b, h, w, 1] of images [b, h, w, 1 or 3]."""
    if images.shape[-1] == 1:
        return images
    weights = jnp.array(GREY_WEIGHTS, images.dtype).reshape(1, 1, 1, 3)
    return (images * weights).sum(axis=-1, keepdims=True)


OPS = {"brightness": brightness, "contrast": contrast, "saturation": saturation, "hue": hue}


def _toward(images, other, factor) -> jax.Array:
    factor = _each(factor, images)
    return jnp.clip(factor * images + (1 - factor) * other, 0, 1)


def _each(values, images) -> jax.Array:
    values = jnp.broadcast_to(jnp.asarray(values, images.dtype), images.shape[:1])
    return values.reshape(-1, 1, 1, 1)
