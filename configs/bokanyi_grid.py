"""Bokanyi & Meszegeto's grid over learning rate, weight decay and dropout: 27 points.

Command:  python -m fer_jax.main --config=configs/bokanyi_grid.py           (shallow network)
          python -m fer_jax.main --config=configs/bokanyi_grid.py:deep      (deep network)
          python -m fer_jax.main --config=configs/bokanyi_grid.py:small     (for two CPU cores)
Time:     not yet timed on real faces.
Expected: the paper "reached the best outputs" at a learning rate of .01, a weight decay of 1e-7
          and a dropout of .3; the table says whether our validation faces agree.

"For each of these parameters, we investigated a range of 2 magnitudes (base value, 1/10*base value
and 10*base value)." The base values are not stated. Ours of learning rate and weight decay, an L2
term in the loss, are the best ones printed; of dropout it is .03, since ten times .3 drops all.

The points are compared on validation faces (PublicTest), and no test face is looked at. On
accelerators up to 16 of them train as one program; on CPU each has its turn.

Variants: `shallow` (default), `deep`, `fcn` (no dropout: 9 points), `small` (the shallow network at
a quarter of the width, few epochs).
"""

from ml_collections import ConfigDict

from configs import agrawal_fcn, alizadeh_deep, alizadeh_shallow
from fer_jax.configuring import pick_variant

BASES = {"learning_rate": 1e-2, "l2": 1e-7, "dropout": 0.03}
# A network's config, and its variant.
VARIANTS = {
    "shallow": (alizadeh_shallow, "repaired"),
    "deep": (alizadeh_deep, "repaired"),
    "fcn": (agrawal_fcn, "repaired"),
    "small": (alizadeh_shallow, "small"),
}


def get_config(variant: str | None = None) -> ConfigDict:
    """Return a network's run with the axes of the grid."""
    network, scale = pick_variant(variant, VARIANTS, default="shallow")
    config = network.get_config(scale)
    config.evaluation.strengths = ()
    config.distortion = ConfigDict({"name": "clean", "strength": 0.0})
    rates, decays, dropouts = (_around(base) for base in BASES.values())
    config.grid = ConfigDict({"optim": {"learning_rate": rates, "l2": decays}})
    if "dropout" in config.model:
        config.grid.model = ConfigDict({"dropout": dropouts})
    return config


def _around(base: float) -> tuple[float, ...]:
    """Give a tenth of a base value, itself, and ten times it, without the noise of rounding."""
    return tuple(float(f"{base * factor:.6g}") for factor in (0.1, 1, 10))
