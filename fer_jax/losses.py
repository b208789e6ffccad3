"""Losses, one value an example; reducing them is the caller's business."""

import jax
import jax.numpy as jnp
import numpy as np
import optax


def cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """Compute the categorical cross-entropy `[b]` in nats from `[b, k]` and ids `[b]`."""
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels)


def soft_cross_entropy(logits: jax.Array, targets: jax.Array) -> jax.Array:
    """Compute the cross-entropy `[b]` in nats from `[b, k]` and distributions `[b, k]`.

    A perfect prediction still costs the entropy of its target.
    """
    return optax.softmax_cross_entropy(logits, targets)


def weighted_cross_entropy(
    logits: jax.Array,
    targets: jax.Array,
    *,
    class_weights: tuple[float, ...] = (),
    label_smoothing: float = 0.0,
) -> jax.Array:
    """Compute the cross-entropy `[b]` in nats, each class's term times its weight.

    -sum over k of w_k t_k log p_k, from logits and distributions `[b, k]`; without weights all are
    1. `label_smoothing` e gives (1 - e) t + e / k in place of t (Szegedy et al. 2016) before.
    PyTorch's CrossEntropyLoss is the sum of these over the sum of the labels' weights in the batch;
    the mean over the batch, which does not depend on who else is in it, is what is learned here.
    """
    if label_smoothing:
        targets = optax.smooth_labels(targets, label_smoothing)
    if class_weights:
        targets = targets * jnp.array([class_weights], targets.dtype)
    return -(targets * jax.nn.log_softmax(logits)).sum(axis=-1)


def balanced_weights(
    labels: np.ndarray, targets: np.ndarray | None = None, *, classes: int
) -> tuple[float, ...]:
    """Return n / (classes there are * count) for each class, 0 for one that has no example.

    `labels` are ids `[n]`; of distributions `targets` `[n, k]`, if given, the classes' sums count
    instead. The weights' mean over the examples is 1.
    """
    if targets is None:
        counts = np.bincount(labels, minlength=classes).astype(float)
    else:
        counts = np.asarray(targets, float).sum(axis=0)
    present = counts > 0
    weights = counts.sum() / (present.sum() * np.where(present, counts, 1))
    return tuple(float(weight) for weight in np.where(present, weights, 0))


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
    # In rows: with a last axis of one grey channel the sum takes ten times as long on a CPU.
    recon_logits, clean = (a.reshape(a.shape[0], -1) for a in (recon_logits, clean))
    # One softplus; optax's takes one of the logits and one of their negative.
    return (jax.nn.softplus(recon_logits) - recon_logits * clean).mean(axis=1)
