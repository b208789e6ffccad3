"""Losses, one value an example; reducing them is the caller's business."""

import jax
import jax.numpy as jnp
import optax


def cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Compute the categorical cross-entropy `[b]` in nats from `[b, k]` and ids `[b]`."""
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels)


def pixel_cross_entropy(recon_logits: jax.Array, clean: jax.Array) -> jax.Array:
    """Compute the binary cross-entropy `[b]` in nats a pixel against `clean` in 0..1.

    Both are `[b, h, w, c]`. Grey targets have entropy of their own: on FER2013's training faces a
    perfect reconstruction still scores 0.5442.
    """
    return optax.sigmoid_binary_cross_entropy(recon_logits, clean).mean(axis=(1, 2, 3))
