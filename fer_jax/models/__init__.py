"""Networks by name: `build(config.model)` gives a linen module that returns `(logits, out)`."""

import flax.linen as nn
import jax.numpy as jnp
from ml_collections import ConfigDict

from fer_jax.errors import UserError, suggest
from fer_jax.models.dae import DAE
from fer_jax.models.hybrid import Hybrid
from fer_jax.models.linear import Linear
from fer_jax.models.vgg import VGG

DTYPES = {"float32": jnp.float32, "bfloat16": jnp.bfloat16}
# Made once: an initialiser made anew is another one to jit, which would compile again.
INITIALISERS = {
    "glorot_uniform": nn.initializers.glorot_uniform(),
    "he_normal": nn.initializers.he_normal(),
}


def build(model: ConfigDict) -> nn.Module:
    """Build the module that `config.model` describes.

    Raises:
      UserError: the name, dtype or initialiser is not known; the known ones are listed.
    """
    for field, known in (("name", BUILDERS), ("dtype", DTYPES), ("kernel_init", INITIALISERS)):
        if model[field] not in known:
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


BUILDERS = {
    "vgg": _vgg,
    "dae": _dae,
    "hybrid": lambda model: Hybrid(_dae(model), _vgg(model), model.freeze_dae),
    "linear": lambda model: Linear(model.classes),
}
