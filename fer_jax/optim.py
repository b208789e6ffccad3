"""Optimizers: which parameters train, at which rate, by which schedule, and when the rate falls."""

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from ml_collections import ConfigDict

from fer_jax.errors import UserError, suggest

FROZEN = "frozen"
TRAINED = "trained"  # whatever has another label, where all of that is treated as one


def make_tx(
    optim: ConfigDict, *, steps_per_epoch: int, epochs: int
) -> optax.GradientTransformation:
    """Build the optimizer that `config.optim` describes; it is called once a batch.

    `optim.rules` are ordered pairs (regex, label); a parameter, named like `vgg/conv1_1/kernel`,
    takes the label of the first regex that `re.search` finds in it. The label "frozen" means no
    update and no optimizer memory, "train" has `optim.learning_rate`, and any other label that
    rate times its factor in `optim.rate_factors`. A label in `optim.thaw_epochs` is frozen for that
    many epochs: no update and no moments gathered; then it trains at the rate that the schedule has
    reached. BatchNorm's running statistics follow the faces all the while.

    What trains passes these stages, of which those that are off are not there:

    1. `optim.accumulate` batches: the mean of their gradients makes one update, after the last of
       them; after the others nothing moves but BatchNorm's statistics, which each batch gives.
    2. `optim.l2`: the gradient of the term `l2 * sum(w**2)` in the loss, `2 * l2 * w`, as by Keras'
       `kernel_regularizer=L2(l2)`. The `weight_decay` of PyTorch's Adam and SGD is twice this `l2`.
       The loss that is logged stays the cross-entropy, to compare with evaluations.
    3. `optim.clip_norm`: gradients are scaled so that the norm of all of them, over every label
       that trains or will thaw, is at most this (Pascanu et al. 2013). L2's are among them, as in
       Keras.
    4. The optimizer, `optim.name`. `optim.weight_decay` is decoupled (Loshchilov & Hutter 2019): a
       step subtracts `rate * weight_decay * w`, as PyTorch's AdamW does.

    L2 and decay act on the parameters in whose names the regex `optim.decay` is found.

    Raises:
      UserError: an unknown optimizer or schedule, or a label without a factor.
      ValueError: from the optimizer's init, when a parameter matches no rule, or none `decay`.
    """
    factors = {"train": 1.0, **optim.rate_factors}
    labels = {label for _, label in optim.rules}
    transforms = {}
    for label in sorted(labels):
        if label == FROZEN:
            transforms[label] = optax.set_to_zero()
        elif label in factors:
            rate = make_schedule(
                optim, steps_per_epoch=steps_per_epoch, epochs=epochs, factor=factors[label]
            )
            rate = _every(optim.accumulate, rate)
            # In updates, like the rate: none of the batches of the first one is from before.
            thaw = -(-round(optim.thaw_epochs.get(label, 0) * steps_per_epoch) // optim.accumulate)
            if thaw:
                # The optimizer counts its own updates, which begin when it thaws.
                rate = partial(_later, rate, thaw)
            transforms[label] = _optimizer(optim, rate)
            if thaw:
                transforms[label] = optax.transforms.conditionally_mask(
                    transforms[label], lambda update, thaw=thaw: update >= thaw
                )
        else:
            raise UserError(
                f"config.optim.rules has the label {label!r} without a factor in "
                f"config.optim.rate_factors. {suggest(label, [FROZEN, *factors])}"
            )
    rules = tuple((str(pattern), str(label)) for pattern, label in optim.rules)
    by_label = optax.partition(transforms, partial(label_parameters, rules=rules))
    decays = _is_on(optim.l2) or _is_on(optim.weight_decay)
    if not (decays or optim.clip_norm or optim.accumulate > 1):
        return by_label
    # Within a branch of its own: outside, decay would move frozen weights, and their gradients
    # would count for the norm.
    trained = _before(optim, by_label)

    def split(params):
        if decays and not any(jax.tree.leaves(_decayed(params, optim=optim))):
            raise ValueError(
                f"config.optim.decay is {optim.decay!r}, which is found in no parameter's name, so "
                "nothing would decay"
            )
        labels = label_parameters(params, rules=rules)
        return jax.tree.map(lambda label: FROZEN if label == FROZEN else TRAINED, labels)

    return optax.partition({FROZEN: optax.set_to_zero(), TRAINED: trained}, split)


def label_parameters(params: Any, *, rules: Sequence[tuple[str, str]]) -> Any:
    """Give each parameter the label of the first rule whose regex is found in its name.

    Raises:
      ValueError: a parameter that no rule covers; it is named.
    """

    def label(path, _):
        name = parameter_name(path)
        for pattern, label in rules:
            if re.search(pattern, name):
                return label
        raise ValueError(
            f"no rule of config.optim.rules covers the parameter {name!r}; "
            "end the rules with ('.*', 'train')"
        )

    return jax.tree_util.tree_map_with_path(label, params)


def parameter_name(path: tuple[Any, ...]) -> str:
    """Join a parameter's path with slashes, as in `vgg/conv1_1/kernel`."""
    return jax.tree_util.keystr(path, simple=True, separator="/")


def make_plateau(plateau: ConfigDict) -> optax.GradientTransformationExtraArgs:
    """Build the reduce-on-plateau rule with Keras' meaning of its fields.

    It minimises, counts epochs and is called once an epoch with the monitored value, outside the
    optimizer: its state's `scale` multiplies the updates. `min_delta` is absolute.
    """
    # Optax refuses a tolerance of 0 and never fires at a patience of 0, which Keras treats as 1.
    return optax.contrib.reduce_on_plateau(
        factor=plateau.factor,
        patience=max(plateau.patience, 1),
        rtol=0.0,
        atol=max(plateau.min_delta, float(np.finfo(np.float32).tiny)),
        min_scale=plateau.min_scale,
    )


def make_schedule(
    optim: ConfigDict, *, steps_per_epoch: int, epochs: int, factor: float = 1.0
) -> optax.Schedule:
    """Build the learning rate as a function of the step, before any reduce-on-plateau.

    A step is a batch, also where several batches make one update. Warm-up rises from 0, within
    the epochs that the schedule counts.

    Raises:
      UserError: the schedule is not known.
    """
    if optim.schedule not in SCHEDULES:
        raise UserError(
            f"config.optim.schedule is {optim.schedule!r}. {suggest(optim.schedule, SCHEDULES)}"
        )
    warmup = round(optim.warmup_epochs * steps_per_epoch)
    fall = optim.step_epochs * steps_per_epoch, optim.step_factor
    rate = factor * optim.learning_rate
    if isinstance(rate, jax.Array):
        # Traced, where points of a grid share a program: optax compares a rate with 0 in Python.
        shape = SCHEDULES[optim.schedule](1.0, warmup, epochs * steps_per_epoch, fall)
        return lambda step: rate * shape(step)
    return SCHEDULES[optim.schedule](rate, warmup, epochs * steps_per_epoch, fall)


def _constant(rate, warmup, total, fall) -> optax.Schedule:
    return optax.schedules.warmup_constant_schedule(0.0 if warmup else rate, rate, warmup)


def _cosine(rate, warmup, total, fall) -> optax.Schedule:
    return optax.schedules.warmup_cosine_decay_schedule(
        0.0 if warmup else rate, rate, warmup, max(total, warmup + 1)
    )


def _step(rate, warmup, total, fall) -> optax.Schedule:
    """Multiply the rate by a factor after every so many steps, as PyTorch's StepLR by epochs."""
    constant, (steps, factor) = _constant(rate, warmup, total, fall), fall
    return lambda step: constant(step) * jnp.power(factor, step // steps)


SCHEDULES: dict[str, Callable[[float, int, int, tuple[int, float]], optax.Schedule]] = {
    "constant": _constant,
    "cosine": _cosine,
    "step": _step,
}


def _every(count: int, rate: optax.Schedule) -> optax.Schedule:
    """Make a rate by the step one by the update, of which there is one every `count` steps."""
    return (lambda update: rate(update * count)) if count > 1 else rate


def _before(
    optim: ConfigDict, optimizer: optax.GradientTransformation
) -> optax.GradientTransformation:
    """Let gradients pass accumulation, L2 and clipping before the optimizer."""
    stages = []
    if _is_on(optim.l2):
        mask = partial(_decayed, optim=optim)
        stages.append(optax.add_decayed_weights(2 * optim.l2, mask))
    if optim.clip_norm:
        stages.append(optax.clip_by_global_norm(optim.clip_norm))
    chain = optax.chain(*stages, optimizer)
    if optim.accumulate > 1:
        return optax.MultiSteps(chain, optim.accumulate).gradient_transformation()
    return chain


def _is_on(value: float | jax.Array) -> bool:
    """Tell whether a number is not 0; a traced one, of points that share a program, never is."""
    return isinstance(value, jax.Array) or bool(value)


def _decayed(params: Any, *, optim: ConfigDict) -> Any:
    return jax.tree_util.tree_map_with_path(
        lambda path, _: re.search(optim.decay, parameter_name(path)) is not None, params
    )


def _later(rate: optax.Schedule, thaw: int, update: jax.Array) -> jax.Array:
    return rate(update + thaw)


def _optimizer(optim: ConfigDict, rate: optax.Schedule) -> optax.GradientTransformation:
    if optim.name not in OPTIMIZERS:
        raise UserError(f"config.optim.name is {optim.name!r}. {suggest(optim.name, OPTIMIZERS)}")
    return OPTIMIZERS[optim.name](optim, rate)


def _adam(optim: ConfigDict, rate: optax.Schedule) -> optax.GradientTransformation:
    return optax.adam(rate, optim.beta1, optim.beta2, optim.epsilon)


def _adamw(optim: ConfigDict, rate: optax.Schedule) -> optax.GradientTransformation:
    return optax.adamw(
        rate, optim.beta1, optim.beta2, optim.epsilon,
        weight_decay=optim.weight_decay, mask=partial(_decayed, optim=optim),
    )


def _sgd(optim: ConfigDict, rate: optax.Schedule) -> optax.GradientTransformation:
    """Build stochastic gradient descent; with decoupled decay it is Loshchilov & Hutter's SGDW."""
    decay = optax.add_decayed_weights(optim.weight_decay, partial(_decayed, optim=optim))
    return optax.chain(
        optax.trace(optim.momentum, optim.nesterov) if _is_on(optim.momentum) else optax.identity(),
        decay if _is_on(optim.weight_decay) else optax.identity(),
        optax.scale_by_learning_rate(rate),
    )


OPTIMIZERS = {"adam": _adam, "adamw": _adamw, "sgd": _sgd}
