"""Alizadeh & Fazel's deep network as Bokanyi trains it: 4,474,759 parameters.

Command:  python -m fer_jax.main --config=configs/alizadeh_deep.py
Time:     `:small` about 1 min an epoch on two CPU cores; full size not yet timed.
Expected: Bokanyi & Meszegeto report "around 66 %" on FER2013's official test faces.

Variants and what is open: configs/alizadeh_shallow.py.
"""

from ml_collections import ConfigDict

from configs import alizadeh_shallow
from fer_jax.configuring import pick_variant
from fer_jax.models.plain_cnn import ALIZADEH_DEEP

# Each of its epochs on two cores takes as long as two of the shallow network's.
SMALL = {**alizadeh_shallow.VARIANTS["small"], "epochs": 8}
VARIANTS = {**alizadeh_shallow.VARIANTS, "small": SMALL}


def get_config(variant: str | None = None) -> ConfigDict:
    """Return the deep network's run."""
    config = alizadeh_shallow.alizadeh("alizadeh_deep", ALIZADEH_DEEP, variant)
    config.update(pick_variant(variant, VARIANTS, default="repaired"))
    return config
