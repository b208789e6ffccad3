"""Alizadeh & Fazel's shallow network as Bokanyi trains it: 9,517,191 parameters.

Command:  python -m fer_jax.main --config=configs/alizadeh_shallow.py
Time:     `:small` about half a minute an epoch on two CPU cores; full size not yet timed.
Expected: Bokanyi & Meszegeto report "60 % accuracy" for it on FER2013's official test faces.

Variants: `repaired` (default; their L2 of 1e-7 and dropout of .3; its learning rate is not tuned),
`small` (a quarter of the width and few epochs, for two cores, without L2), `as_printed` (their best
learning rate too, .01).

Their weight decay is "L2 in the loss", read here as Keras' regularizer of the kernels: 1e-7 times
the sum of their squares. Batch size, angles, shifts and patiences are not stated: ours.
"""

from ml_collections import ConfigDict

from configs import common
from fer_jax.configuring import pick_variant
from fer_jax.models.plain_cnn import ALIZADEH_SHALLOW


def get_config(variant: str | None = None) -> ConfigDict:
    """Return the shallow network's run."""
    return alizadeh("alizadeh_shallow", ALIZADEH_SHALLOW, variant)


def alizadeh(name: str, network: dict, variant: str | None) -> ConfigDict:
    """Return the run of one of Alizadeh & Fazel's networks, by its table."""
    config = bokanyi()
    config.model = ConfigDict(
        {
            "name": name,
            "classes": 7,
            **network,
            "width": 1.0,
            "batch_norm": True,
            "dropout": 0.3,
            "momentum": 0.99,  # Keras'
            "epsilon": 1e-3,  # of BatchNorm: Keras'
            "kernel_init": "glorot_uniform",  # Keras'
            "dtype": "float32",
        }
    )
    config.update(pick_variant(variant, VARIANTS, default="repaired"))
    return config


def bokanyi() -> ConfigDict:
    """Return what all three networks of Bokanyi & Meszegeto share: data, Adam, the plateau."""
    config = common.get_config()
    config.epochs = 100  # about 80 were "typically needed"
    config.data.protocol = "official"
    config.augmentation.rotate = (-10.0, 10.0)
    config.augmentation.shift = 0.1
    config.optim.beta2 = 0.999  # Keras'
    config.optim.learning_rate = 1e-3
    config.optim.l2 = 1e-7
    return config


AS_PRINTED = {"optim": {"learning_rate": 0.01}}
VARIANTS = {
    "repaired": {},
    "small": {"epochs": 20, "model": {"width": 0.25}, "optim": {"schedule": "cosine", "l2": 0.0}},
    "as_printed": AS_PRINTED,
}
