"""The learning rates of Li's VGG and DAE, compared on validation faces by short runs.

Command:  python -m fer_jax.main --config=configs/learning_rates.py:small
Time:     about half an hour on two CPU cores with `:small`; full size not yet timed on a GPU.
Expected: one clear winner a network; results/learning_rates/ holds what `:small` gave, and
          configs/common.py and configs/dae.py use it. No test face is looked at.

Variants: `repaired` (default, full size), `small` (configs/common.py).
"""

from ml_collections import ConfigDict

from configs import common, dae, vgg
from fer_jax.configuring import pick_variant

NETWORKS = {"dae": dae, "vgg": vgg}
# Ten times apart at most, so that the best one is neither end.
RATES = {
    "small": {"dae": ("1e-3", "3e-3", "1e-2"), "vgg": ("3e-4", "1e-3", "3e-3")},
    "repaired": {"dae": ("1e-3", "3e-3", "1e-2"), "vgg": ("3e-5", "1e-4", "3e-4", "1e-3")},
}
EPOCHS = {"small": {"dae": 2, "vgg": 3}, "repaired": {"dae": 10, "vgg": 20}}
VARIANTS = {name: name for name in RATES}


def get_config(variant: str | None = None) -> ConfigDict:
    """Return the study: a run for each network and rate, evaluated on validation faces only."""
    scale = pick_variant(variant, VARIANTS, default="repaired")
    runs = {
        f"{network}_{rate}": _run(network, float(rate), scale)
        for network, rates in RATES[scale].items()
        for rate in rates
    }
    return ConfigDict({"runs": ConfigDict(runs, sort_keys=False)}, sort_keys=False)


def _run(network: str, rate: float, scale: str) -> ConfigDict:
    config = NETWORKS[network].get_config(scale)
    config.optim.learning_rate = rate
    config.epochs = EPOCHS[scale][network]
    config.evaluation.splits = ("validation",)
    config.evaluation.strengths = (config.distortion.strength,)
    return config
