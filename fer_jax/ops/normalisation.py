"""Pixels in the units a network was made for."""

import jax
import jax.numpy as jnp

# Mean and standard deviation of ImageNet's red, green and blue, in 0..1, as torchvision has them.
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

# (mean, standard deviation) by name, for each channel or one for all; None changes nothing.
NORMALISE = {
    "none": None,
    "imagenet": (IMAGENET_MEAN, IMAGENET_STD),
    "symmetric": ((0.5,), (0.5,)),  # -1..1
}


def normalise(images: jax.Array, *, name: str) -> jax.Array:
    """Take the mean off images [b, h, w, c] in 0..1 and divide by the standard deviation.

    For "imagenet" grey images are repeated to red, green and blue: [b, h, w, 3] comes out.

    Raises:
      ValueError: images of other channels than 1 and those that `name` has numbers for.
    """
    if NORMALISE[name] is None:
        return images
    mean, std = (jnp.array(values, images.dtype).reshape(1, 1, 1, -1) for values in NORMALISE[name])
    channels = channels_after(images.shape[-1], name=name)
    images = jnp.broadcast_to(images, (*images.shape[:3], channels))
    return (images - mean) / std


def channels_after(channels: int, *, name: str) -> int:
    """Return how many channels normalised images of so many channels have.

    Raises:
      ValueError: as `normalise` does.
    """
    known = 1 if NORMALISE[name] is None else len(NORMALISE[name][0])
    if known > 1 and channels not in (1, known):
        raise ValueError(
            f"images have {channels} channels; {name!r} expects 1 (grey) or {known} (RGB)"
        )
    return max(channels, known)
