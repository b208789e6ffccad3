"""AlexNet in torchvision's shape, with the step that turns grey faces into ImageNet pictures."""

from collections.abc import Callable
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from fer_jax.models.vgg import scaled

# Mean and standard deviation of ImageNet's red, green and blue, in 0..1, as torchvision has them.
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# (filters, kernel, stride, padding, pool after): torchvision's, after Krizhevsky (2014).
LAYERS = (
    (64, 11, 4, 2, True),
    (192, 5, 1, 2, True),
    (384, 3, 1, 1, False),
    (256, 3, 1, 1, False),
    (256, 3, 1, 1, True),
)
SMALLEST = 63  # pixels a side that leave one pixel after the last pool


class AlexNet(nn.Module):
    """Classify faces with torchvision's AlexNet (Dick 2024, section 3.B).

    57,032,519 parameters for 7 classes. The faces are first resized to `image_size` a side,
    repeated to red, green and blue and normalised, inside the model; everything after that step is
    torchvision's at 224 pixels, where its adaptive average pool changes nothing and is left out.

    Attributes:
      layers: (filters, kernel, stride, padding, pool after) of each convolution at width 1; the
        pools are 3x3 with stride 2.
      dense: units of the hidden dense layers at width 1.
      width: factor on every filter and unit count, at least one unit each.
      image_size: height and width that the network sees, at least 63. Another one than 224
        changes the first dense layer.
      pixel_mean, pixel_std: of red, green and blue, in 0..1; taken off and divided by.
      dropout: rate before each hidden dense layer, 0..1 (torchvision's .5; Dick states none).
      dtype: dtype of the computation; parameters and logits stay float32.
    """

    classes: int = 7
    layers: tuple[tuple[int, int, int, int, bool], ...] = LAYERS
    dense: tuple[int, ...] = (4096, 4096)
    width: float = 1.0
    image_size: int = 224
    pixel_mean: tuple[float, float, float] = IMAGENET_MEAN
    pixel_std: tuple[float, float, float] = IMAGENET_STD
    dropout: float = 0.5
    dtype: Any = jnp.float32
    kernel_init: Callable = nn.initializers.he_normal()

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Map images `[b, h, w, 1 or 3]` in 0..1 to logits `[b, classes]`.

        The dict has `features` `[b, d]`, the last hidden layer, and the maps `conv1`, ... after
        their ReLUs: the second is the one that Dick found black.
        """
        conv = partial(nn.Conv, dtype=self.dtype, kernel_init=self.kernel_init)
        linear = partial(nn.Dense, dtype=self.dtype, kernel_init=self.kernel_init)
        drop = partial(nn.Dropout, self.dropout, deterministic=not train)

        x = to_imagenet_input(
            x, size=self.image_size, mean=self.pixel_mean, std=self.pixel_std
        ).astype(self.dtype)
        out = {}
        for i, (filters, kernel, stride, padding, pooled) in enumerate(self.layers, start=1):
            layer = conv(
                scaled(filters, self.width), (kernel, kernel), (stride, stride), padding,
                name=f"conv{i}",
            )
            x = out[f"conv{i}"] = nn.relu(layer(x))
            if pooled:
                x = nn.max_pool(x, (3, 3), (2, 2))
        x = x.reshape(x.shape[0], -1)
        for i, units in enumerate(self.dense, start=len(self.layers) + 1):
            x = nn.relu(linear(scaled(units, self.width), name=f"fc{i}")(drop()(x)))
        logits = linear(self.classes, name="head")(x)
        return logits.astype(jnp.float32), {"features": x, **out}


def to_imagenet_input(
    images: jax.Array,
    *,
    size: int,
    mean: tuple[float, float, float] = IMAGENET_MEAN,
    std: tuple[float, float, float] = IMAGENET_STD,
) -> jax.Array:
    """Turn images `[b, h, w, 1 or 3]` in 0..1 into normalised `[b, size, size, 3]`, bilinearly.

    Raises:
      ValueError: another number of channels, or a size that AlexNet's pools would use up.
    """
    b, _, _, channels = images.shape
    if channels not in (1, 3):
        raise ValueError(f"images have {channels} channels; expected 1 (grey) or 3 (RGB)")
    if size < SMALLEST:
        raise ValueError(f"image_size is {size}; AlexNet needs at least {SMALLEST} pixels a side")
    resized = jax.image.resize(images, (b, size, size, channels), "bilinear")
    rgb = jnp.broadcast_to(resized, (b, size, size, 3))
    return (rgb - jnp.reshape(jnp.array(mean), (1, 1, 1, 3))) / jnp.reshape(
        jnp.array(std), (1, 1, 1, 3)
    )
