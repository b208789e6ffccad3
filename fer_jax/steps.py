"""One step of training or evaluation: pure, unjitted functions of their arguments."""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from fer_jax import losses, metrics
from fer_jax.metrics import Confusion
from fer_jax.ops.augmentation import augment
from fer_jax.ops.distortion import distort, distort_each
from fer_jax.ops.mixing import blend, random_mix
from fer_jax.ops.normalisation import normalise
from fer_jax.preprocess import Preprocess, prepare, prepare_randomly, view
from fer_jax.state import TrainState


class Batch(NamedTuple):
    """Faces as they are stored: images u8 `[b, h, w, c]` and labels i32 `[b]`."""

    images: jax.Array
    labels: jax.Array


class SoftBatch(NamedTuple):
    """A batch whose distributions `targets`, f32 `[b, k]`, are learned instead of its labels."""

    images: jax.Array
    labels: jax.Array
    targets: jax.Array


class Inputs(NamedTuple):
    """What a training step does to the faces before the network sees them.

    Attributes:
      augmentation: keyword options of `ops.augmentation.augment`, as sorted pairs.
      distortion: name of the training distortion, or "clean".
      strength: its strength; a pair draws one uniformly for each face.
      share: share of each batch that is distorted, 0..1: its first faces.
      preprocess: what the network then sees of them.
      mix: mixing of the batch by `ops.mixing.random_mix`, as ("cutmix", alpha) and ("mixup",
        alpha); empty is off.
    """

    augmentation: tuple[tuple[str, Any], ...] = ()
    distortion: str = "clean"
    strength: float | tuple[float, float] = 0.0
    share: float = 0.0
    preprocess: Preprocess = Preprocess()
    mix: tuple[tuple[str, float], ...] = ()


class Loss(NamedTuple):
    """What a classifier learns from labels or distributions; the defaults are plain cross-entropy.

    Attributes:
      target_loss: of logits and distributions `[b, k]`, where the batch has such.
      class_weights: one for each class, or none; see `losses.weighted_cross_entropy`.
      label_smoothing: share of each target that is spread over all classes, 0..1.
    """

    target_loss: Callable[[jax.Array, jax.Array], jax.Array] = losses.soft_cross_entropy
    class_weights: tuple[float, ...] = ()
    label_smoothing: float = 0.0


def classify_step(
    state: TrainState,
    batch: Batch | SoftBatch,
    lr_scale: jax.Array,
    *,
    model: nn.Module,
    tx: optax.GradientTransformation,
    inputs: Inputs,
    reconstruction_weight: float = 0.0,
    loss: Loss = Loss(),
) -> tuple[TrainState, Confusion]:
    """Take one step on the cross-entropy, plus `reconstruction_weight` times the pixels' one.

    `lr_scale` multiplies the updates (reduce-on-plateau). Returns the new state and the confusion
    of the batch as the network saw it, augmented and with dropout.

    `loss` says how: with weights, smoothed labels, or from the targets of a soft batch. The
    confusion, its loss too, counts the labels all the same, so that it compares with evaluations;
    of a mixed face the label of its larger part.
    """
    input_key, dropout_key = jax.random.split(jax.random.fold_in(state.key, state.step))
    seen, clean = draw_inputs(input_key, batch.images, inputs=inputs)
    labels, mixed = batch.labels, None
    if inputs.mix:
        seen, *mixed = random_mix(jax.random.fold_in(input_key, MIX), seen, **dict(inputs.mix))
        order, share = mixed
        labels = jnp.where(share >= 0.5, labels, labels[order])

    def objective(params):
        (logits, out), mutated = model.apply(
            {"params": params, "batch_stats": state.batch_stats},
            seen,
            train=True,
            mutable=["batch_stats"],
            rngs={"dropout": dropout_key},
        )
        cost = _classification_loss(logits, batch, mixed, loss=loss).mean()
        if reconstruction_weight:
            pixels = losses.pixel_cross_entropy(out["recon_logits"], clean).mean()
            cost = cost + reconstruction_weight * pixels
        return cost, (logits, mutated.get("batch_stats", {}))

    grads, (logits, batch_stats) = jax.grad(objective, has_aux=True)(state.params)
    mask = jnp.ones(labels.shape, bool)
    confusion = metrics.of_logits(logits, labels, mask)
    return _apply(state, grads, batch_stats, lr_scale, tx=tx), confusion


def denoise_step(
    state: TrainState,
    batch: Batch,
    lr_scale: jax.Array,
    *,
    model: nn.Module,
    tx: optax.GradientTransformation,
    inputs: Inputs,
    classes: int = 7,
) -> tuple[TrainState, Confusion]:
    """Take one step on the pixels' cross-entropy between reconstruction and clean face."""
    input_key, dropout_key = jax.random.split(jax.random.fold_in(state.key, state.step))
    seen, clean = draw_inputs(input_key, batch.images, inputs=inputs)

    def objective(params):
        recon_logits, _ = model.apply(
            {"params": params}, seen, train=True, rngs={"dropout": dropout_key}
        )
        each = losses.pixel_cross_entropy(recon_logits, clean)
        return each.mean(), each

    grads, each = jax.grad(objective, has_aux=True)(state.params)
    confusion = metrics.of_losses(each, jnp.ones(each.shape, bool), classes=classes)
    return _apply(state, grads, state.batch_stats, lr_scale, tx=tx), confusion


def eval_step(
    variables: dict[str, Any],
    batch: Batch,
    mask: jax.Array,
    keys: jax.Array,
    strength: jax.Array,
    *,
    model: nn.Module,
    distortion: str,
    views: str = "plain",
    average: str = "probabilities",
    preprocess: Preprocess = Preprocess(),
    denoises: bool = False,
    classes: int = 7,
) -> tuple[Confusion, jax.Array]:
    """Evaluate one batch, each face distorted by its own key `[b]`.

    `mask` `[b]` is false on padding. Faces are distorted as they are stored, then preprocessed.
    Returns the confusion and the probabilities `[b, k]`: the mean over the `views`, one of
    `preprocess.VIEWS`, or the softmax of the mean of their logits if `average` is "logits".
    With `denoises` the model reconstructs: the loss is the pixels' cross-entropy and the
    probabilities are empty `[b, 0]`.
    """
    clean = to_unit(batch.images)
    seen = distort_each(keys, clean, strength, name=distortion)
    if denoises:
        clean, seen = (prepare(images, preprocess=preprocess) for images in (clean, seen))
        recon_logits, _ = model.apply(variables, seen, train=False)
        each = losses.pixel_cross_entropy(recon_logits, clean)
        return metrics.of_losses(each, mask, classes=classes), jnp.zeros((mask.shape[0], 0))
    # A face's views stand together in one larger batch, so the network is compiled once.
    faces = jnp.stack(view(seen, preprocess=preprocess, views=views), axis=1)
    b, count = faces.shape[:2]
    logits, _ = model.apply(variables, faces.reshape(b * count, *faces.shape[2:]), train=False)
    logits = logits.reshape(b, count, -1)
    if average == "logits":
        logits = jax.nn.log_softmax(logits.mean(axis=1))
    else:
        # The logarithm of the mean probabilities serves as logits: they sum to one.
        logits = jax.nn.logsumexp(jax.nn.log_softmax(logits), axis=1) - jnp.log(count)
    return metrics.of_logits(logits, batch.labels, mask), jnp.exp(logits)


def draw_inputs(
    key: jax.Array, images: jax.Array, *, inputs: Inputs
) -> tuple[jax.Array, jax.Array]:
    """Turn stored faces u8 `[b, h, w, c]` into what is seen, and its clean target in 0..1.

    They are augmented and distorted as they are stored, and then preprocessed.
    """
    augment_key, distort_key, strength_key = jax.random.split(key, 3)
    clean = augment(augment_key, to_unit(images), **dict(inputs.augmentation))
    seen = _distort_share(distort_key, strength_key, clean, inputs=inputs)
    # Stages of `augment` fold its key with small numbers.
    place_key = jax.random.fold_in(augment_key, PLACE)
    seen, clean = (
        # One key, or the target would not be of the same place.
        prepare_randomly(place_key, faces, preprocess=inputs.preprocess) for faces in (seen, clean)
    )
    return normalise(seen, name=inputs.preprocess.normalise), clean


# What keys are folded with: of the crop's place, and of the partners in the batch.
PLACE, MIX = 100, 101


def _classification_loss(logits, batch, mixed, *, loss) -> jax.Array:
    """Compute the loss `[b]`; `mixed` are the partners' order and the own share, or None."""
    soft = isinstance(batch, SoftBatch)
    plain = not loss.class_weights and not loss.label_smoothing
    if plain and mixed is None and not soft:
        return losses.cross_entropy(logits, batch.labels)
    targets = batch.targets if soft else jax.nn.one_hot(batch.labels, logits.shape[-1])
    if mixed is not None:
        targets = blend(targets, *mixed)
    if plain:
        return loss.target_loss(logits, targets)
    return losses.weighted_cross_entropy(
        logits, targets,
        class_weights=loss.class_weights, label_smoothing=loss.label_smoothing,
    )


def _distort_share(distort_key, strength_key, images, *, inputs) -> jax.Array:
    count = round(inputs.share * images.shape[0])
    if inputs.distortion == "clean" or not count:
        return images
    strength = inputs.strength
    if isinstance(strength, tuple):
        low, high = strength
        strength = jax.random.uniform(strength_key, (images.shape[0],), minval=low, maxval=high)
    seen = distort(distort_key, images, strength, name=inputs.distortion)
    distorted = (jnp.arange(images.shape[0]) < count)[:, None, None, None]
    return jnp.where(distorted, seen, images)


def to_unit(images: jax.Array) -> jax.Array:
    """Scale u8 images 0..255 to float32 0..1."""
    return images.astype(jnp.float32) / 255


def _apply(state, grads, batch_stats, lr_scale, *, tx) -> TrainState:
    updates, opt_state = tx.update(grads, state.opt_state, state.params)
    updates = jax.tree.map(lambda update: update * lr_scale, updates)
    return state._replace(
        step=state.step + 1,
        params=optax.apply_updates(state.params, updates),
        batch_stats=batch_stats,
        opt_state=opt_state,
    )
