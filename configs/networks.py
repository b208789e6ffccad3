"""The networks of three papers on the official split, one protocol for all, copies told apart.

Command:  python -m fer_jax.main --config=configs/networks.py           (full size)
          python -m fer_jax.main --config=configs/networks.py:small     (for two CPU cores)
Time:     `:small` about an hour and a quarter on two CPU cores; full size not yet timed on a GPU.
Expected: README.md has the numbers of `:small`; the papers' own stand in each network's config.

The protocol is `official-clean`: it trains on Training, chooses on PublicTest, and tests on those
PrivateTest faces that do not stand in Training too (3,301). All of PrivateTest (3,589), which is
the protocol `official`, is its split `private`: one training, both numbers.

Variants: `repaired` (default, full size), `small` (each network's own `small`; not tuned).
"""

from ml_collections import ConfigDict

from configs import agrawal_fcn, alizadeh_deep, alizadeh_shallow, resnet9, se_separable
from fer_jax.configuring import pick_variant

NETWORKS = {
    "resnet9": resnet9,
    "alizadeh_shallow": alizadeh_shallow,
    "se_separable": se_separable,
    "agrawal_fcn": agrawal_fcn,
    "alizadeh_deep": alizadeh_deep,
}
VARIANTS = {"repaired": "repaired", "small": "small"}


def get_config(variant: str | None = None) -> ConfigDict:
    """Return the study: one run for each network."""
    scale = pick_variant(variant, VARIANTS, default="repaired")
    runs = {name: _run(network, scale) for name, network in NETWORKS.items()}
    return ConfigDict({"runs": ConfigDict(runs, sort_keys=False)}, sort_keys=False)


def _run(network, scale: str) -> ConfigDict:
    config = network.get_config(scale)
    config.data.protocol = "official-clean"
    return config
