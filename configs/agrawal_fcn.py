"""Agrawal & Mittal's fully convolutional network as Bokanyi trains it: 464,231 parameters.

Command:  python -m fer_jax.main --config=configs/agrawal_fcn.py
Time:     `:small` about 3 min an epoch on two CPU cores; full size not yet timed.
Expected: Bokanyi & Meszegeto report "around 63 %" on FER2013's official test faces.

Variants: `repaired` (default; their L2 of 1e-7; its learning rate is not tuned), `small` (few
epochs, for two cores, without L2), `as_printed` (their best learning rate too, .01; the network has
no dropout).

Widths and pools are not stated: ours (fer_jax/models/agrawal.py).
"""

from ml_collections import ConfigDict

from configs.alizadeh_shallow import AS_PRINTED, bokanyi
from fer_jax.configuring import pick_variant


def get_config(variant: str | None = None) -> ConfigDict:
    """Return the fully convolutional network's run."""
    config = bokanyi()
    config.model = ConfigDict(
        {
            "name": "agrawal_fcn",
            "classes": 7,
            "widths": (8, 24, 24, 24, 24, 24, 32),
            "kernel": 8,
            "pool_after": (1, 2, 3, 4),  # constituent layers, from 1
            "momentum": 0.99,  # Keras'
            "epsilon": 1e-3,  # of BatchNorm: Keras'
            "kernel_init": "glorot_uniform",  # Keras'
            "dtype": "float32",
        }
    )
    config.update(pick_variant(variant, VARIANTS, default="repaired"))
    return config


VARIANTS = {
    "repaired": {},
    "small": {"epochs": 7, "optim": {"learning_rate": 3e-3, "schedule": "cosine", "l2": 0.0}},
    "as_printed": AS_PRINTED,
}
