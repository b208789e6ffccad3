"""Optimizers: which parameters train, at which rate, by which schedule, and when the rate falls."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
import optax
from ml_collections import ConfigDict

from fer_jax.errors import UserError, suggest

FROZEN = "frozen"

SCHEDULES: dict[str, Callable[[float, int, int], optax.Schedule]] = {
    "constant": lambda rate, warmup, steps: optax.schedules.warmup_constant_schedule(
        0.0 if warmup else rate, rate, warmup
    ),
    "cosine": lambda rate, warmup, steps: optax.schedules.warmup_cosine_decay_schedule(
        0.0 if warmup else rate, rate, warmup, max(steps, warmup + 1)
    ),
}


def make_tx(
    optim: ConfigDict, *, steps_per_epoch: int, epochs: int
) -> optax.GradientTransformation:
    """Build the optimizer that `config.optim` describes.

    `optim.rules` are ordered pairs (regex, label); a parameter, named like `vgg/conv1_1/kernel`,
    takes the label of the first regex that `re.search` finds in it. The label "frozen" means no
    update and no optimizer memory, "train" has `optim.learning_rate`, and any other label that
    rate times its factor in `optim.rate_factors`.

    Raises:
      UserError: an unknown optimizer or schedule, or a label without a factor.
      ValueError: from the optimizer's init, when a parameter matches no rule.
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
            transforms[label] = _optimizer(optim, rate)
        else:
            raise UserError(
                f"config.optim.rules has the label {label!r} without a factor in "
                f"config.optim.rate_factors. {suggest(label, [FROZEN, *factors])}"
            )
    rules = tuple((str(pattern), str(label)) for pattern, label in optim.rules)
    return optax.partition(transforms, lambda params: label_parameters(params, rules=rules))


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

    Raises:
      UserError: the schedule is not known.
    """
    if optim.schedule not in SCHEDULES:
        raise UserError(
            f"config.optim.schedule is {optim.schedule!r}. {suggest(optim.schedule, SCHEDULES)}"
        )
    warmup = round(optim.warmup_epochs * steps_per_epoch)
    rate = factor * optim.learning_rate
    return SCHEDULES[optim.schedule](rate, warmup, epochs * steps_per_epoch)


def _optimizer(optim: ConfigDict, rate: optax.Schedule) -> optax.GradientTransformation:
    if optim.name not in OPTIMIZERS:
        raise UserError(f"config.optim.name is {optim.name!r}. {suggest(optim.name, OPTIMIZERS)}")
    return OPTIMIZERS[optim.name](optim, rate)


OPTIMIZERS = {
    "adam": lambda optim, rate: optax.adam(rate, optim.beta1, optim.beta2, optim.epsilon),
}
