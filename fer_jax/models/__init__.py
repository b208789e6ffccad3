"""Networks by name: `build(config.model)` gives a linen module that returns `(logits, out)`."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from ml_collections import ConfigDict

from fer_jax.errors import UserError, suggest
from fer_jax.models.agrawal import FullyConvolutional
from fer_jax.models.alexnet import AlexNet
from fer_jax.models.dae import DAE
from fer_jax.models.hybrid import Hybrid
from fer_jax.models.linear import Linear
from fer_jax.models.plain_cnn import PlainCNN
from fer_jax.models.resnet9 import ResNet9
from fer_jax.models.se_separable import SESeparable
from fer_jax.models.vgg import VGG
from fer_jax.models.vgg16 import VGG16
from fer_jax.models.vgg16_dick import DickVGG

DTYPES = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}
# Made once: an initialiser made anew is another one to jit, which would compile again.
INITIALISERS = {
    "glorot_uniform": nn.initializers.glorot_uniform(),
    "he_normal": nn.initializers.he_normal(),
    # PyTorch's default: uniform within one over the root of a unit's inputs.
    "pytorch_uniform": nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform"),
}


def build(model: ConfigDict) -> nn.Module:
    """Build the module that `config.model` describes.

    Raises:
      UserError: the name, dtype or initialiser is not known; the known ones are listed.
    """
    for field, known in (("name", BUILDERS), ("dtype", DTYPES), ("kernel_init", INITIALISERS)):
        if field in model and model[field] not in known:
            raise UserError(
                f"config.model.{field} is {model[field]!r}. {suggest(model[field], known)}"
            )
    return BUILDERS[model.name](model)


def _vgg(model: ConfigDict) -> VGG:
    return VGG(
        classes=model.classes,
        blocks=tuple(tuple(block) for block in model.blocks),
        dense=tuple(model.dense),
        width=model.width,
        dropout=model.dropout,
        momentum=model.momentum,
        dtype=DTYPES[model.dtype],
        kernel_init=INITIALISERS[model.kernel_init],
    )


def _dae(model: ConfigDict) -> DAE:
    return DAE(filters=tuple(model.filters), dtype=DTYPES[model.dtype])


def _from_fields(module: type[nn.Module]) -> Callable[[ConfigDict], nn.Module]:
    """Give the builder of a module whose attributes are the config's fields, by the same names."""

    def build_module(model: ConfigDict) -> nn.Module:
        fields = {name: _freeze(value) for name, value in model.items()}
        known = {"dtype": DTYPES, "kernel_init": INITIALISERS}
        fields |= {name: table[fields[name]] for name, table in known.items() if name in fields}
        return module(**{k: v for k, v in fields.items() if k not in ("name", "variant")})

    return build_module


def _freeze(value: Any) -> Any:
    """Turn lists, which JSON makes of tuples, into tuples at every depth."""
    return tuple(map(_freeze, value)) if isinstance(value, (list, tuple)) else value


# Networks whose config.model has the module's own attributes, and no others.
MODULES = {
    "alizadeh_shallow": PlainCNN,
    "alizadeh_deep": PlainCNN,
    "agrawal_fcn": FullyConvolutional,
    "custom_cnn": PlainCNN,
    "alexnet": AlexNet,
    "vgg16_dick": DickVGG,
    "resnet9": ResNet9,
    "vgg16": VGG16,
    "lip_vgg16": VGG16,
    "se_separable": SESeparable,
}
BUILDERS = {
    "vgg": _vgg,
    "dae": _dae,
    "hybrid": lambda model: Hybrid(_dae(model), _vgg(model), model.freeze_dae),
    "linear": lambda model: Linear(model.classes),
    **{name: _from_fields(module) for name, module in MODULES.items()},
}
