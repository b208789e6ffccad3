"""Losses, one value an example; reducing them is the caller's business."""

import jax
import jax.numpy as jnp
import optax


def cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Compute the categorical cross-entropy `[b]` in nats from `[b, k]` and ids `[b]`."""
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels)


def soft_cross_entropy(logits: jax.Array, targets: jax.Array) -> jax.Array:
    """Compute the cross-entropy `[b]` in nats from `[b, k]` and distributions `[b, k]`.

    A perfect prediction still costs the entropy of its target.
    """
    return optax.softmax_cross_entropy(logits, targets)


def any_label_cross_entropy(logits: jax.Array, targets: jax.Array) -> jax.Array:
    """Compute -log of the most probable accepted class `[b]` in nats, from `[b, k]` logits.

    Accepted are the classes whose `targets` `[b, k]` are above 0, whatever their share: saying
    any one of them surely costs nothing (Barsoum et al. 2016, multi-label learning).
    """
    return -jnp.max(jax.nn.log_softmax(logits), axis=-1, where=targets > 0, initial=-jnp.inf)


# How a classifier learns from FER+'s targets, by the rule they were made with.
TARGET_LOSSES = {"crossentropy": soft_cross_entropy, "multi-label": any_label_cross_entropy}


def pixel_cross_entropy(recon_logits: jax.Array, clean: jax.Array) -> jax.Array:
    """Compute the binary cross-entropy `[b]` in nats a pixel against `clean` in 0..1.

    Both are `[b, h, w, c]`. Grey targets have entropy of their own: on FER2013's training faces a
    perfect reconstruction still scores 0.5442.
    """
    return optax.sigmoid_binary_cross_entropy(recon_logits, clean).mean(axis=(1, 2, 3))
