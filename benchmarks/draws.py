"""Draw weights and pictures on which two implementations of a network can be compared."""

from typing import Any

import flax.linen as nn
import jax
import numpy as np


def draw_variables(model: nn.Module, shape: tuple[int, ...], *, seed: int = 0) -> dict[str, Any]:
    """Draw all variables for images of a shape: statistics, scales and biases are not trivial."""
    abstract = jax.eval_shape(
        lambda x: model.init(jax.random.key(0), x, train=False),
        jax.ShapeDtypeStruct(shape, np.float32),
    )
    generator = np.random.default_rng(seed)

    def draw(path, leaf):
        kind = path[-1].key
        if kind == "kernel":
            spread = np.sqrt(2 / np.prod(leaf.shape[:-1]))
            array = generator.normal(0, spread, leaf.shape)
        elif kind in ("scale", "var"):
            array = generator.uniform(0.5, 1.5, leaf.shape)
        else:
            array = generator.normal(0, 0.1, leaf.shape)
        return array.astype(np.float32)

    return jax.tree_util.tree_map_with_path(draw, dict(abstract))


def draw_images(shape: tuple[int, ...], *, seed: int = 0) -> np.ndarray:
    """Draw stripes `[b, h, w, c]` in 0..1, in each image and channel of another width and angle.

    Noise would not do: the mean over a map of it is the same for every image.
    """
    b, height, width, c = shape
    generator = np.random.default_rng(seed)
    waves_y, waves_x, phase = generator.uniform(-2, 2, (3, b, 1, 1, c)) * np.pi
    rows, columns = np.mgrid[:height, :width].reshape(2, 1, height, width, 1) / 8
    return (0.5 + 0.5 * np.sin(waves_y * rows + waves_x * columns + phase)).astype(np.float32)
