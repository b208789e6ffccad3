"""Local importance pooling against max-pooling in the same VGG16, three seeds each.

Command:  python -m fer_jax.main --config=configs/lip_pooling.py          (full size)
          python -m fer_jax.main --config=configs/lip_pooling.py:small    (for two CPU cores)
Time:     `:small` about half an hour on two CPU cores; full size not yet timed on a GPU.
Expected: Dong reports 1.47 points more with LIP (and attention) on RAF-DB, one seed; README.md has
          the numbers of `:small` on FER2013.

Only the pooling differs (1x1 convolutions give LIP's logits); neither network has attention. The
protocol is that of configs/networks.py.

Variants: `repaired` (default, full size), `small` (an eighth of the width and 6 epochs, by Adam; not tuned).
"""

from ml_collections import ConfigDict

from configs import vgg16
from fer_jax.configuring import pick_variant

POOLS = {"max": "max", "lip": "projection"}
SEEDS = (0, 1, 2)
VARIANTS = {
    "repaired": {},
    "small": {"epochs": 6, "model": {"width": 0.125, "dropout": 0.1}, "optim": vgg16.ADAM},
}


def get_config(variant: str | None = None) -> ConfigDict:
    """Return the study: a run for each seed and pooling."""
    scale = pick_variant(variant, VARIANTS, default="repaired")
    runs = {
        f"{name}_{seed}": _run(pool, seed, scale) for seed in SEEDS for name, pool in POOLS.items()
    }
    return ConfigDict({"runs": ConfigDict(runs, sort_keys=False)}, sort_keys=False)


def _run(pool: str, seed: int, scale: dict) -> ConfigDict:
    config = vgg16.get_config()
    config.model.pool = pool
    config.data.protocol = "official-clean"
    config.seed = seed
    config.update(scale)
    return config
