"""Softmax regression on raw pixels: how far one gets without a network."""

import flax.linen as nn
import jax
import jax.numpy as jnp


class Linear(nn.Module):
    """Classify the flattened pixels with one dense layer."""

    classes: int = 7

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Map images `[b, h, w, c]` in 0..1 to logits `[b, classes]`; `features` are the pixels."""
        del train
        # Centred, because a constant offset of .5 in 2304 inputs is the slowest direction to learn.
        features = x.reshape(x.shape[0], -1).astype(jnp.float32) - 0.5
        return nn.Dense(self.classes, name="head")(features), {"features": features}
