"""A study of seconds for the tests: a DAE and hybrid A on few synthetic faces; single runs too."""

from ml_collections import ConfigDict

from configs import quickstart
from fer_jax.configuring import pick_variant

TINY = {
    "batch_size": 16,
    "epochs": 3,
    "data": {"dataset": "synthetic", "protocol": "synthetic", "sizes": (64, 32, 32)},
    "model": {"blocks": ((4, 1), (8, 1)), "dense": (8,), "filters": (2, 2), "momentum": 0.9},
    "augmentation": {"rotate": (0.0, 0.0)},
    "distortion": {"name": "random_grey", "strength": 0.3},
    "optim": {"learning_rate": 5e-3, "schedule": "constant"},
    "early_stopping": {"patience": 20},
    "evaluation": {"batch_size": 32, "splits": ("validation", "test"), "strengths": (0.5,)},
    # One device, so that a process that the tests start computes what the tests themselves do.
    "mesh": {"data": 1},
}


def get_config(variant: str | None = None) -> ConfigDict:
    """Return the study of dae and A, or one run by its name."""
    runs = quickstart.get_config().runs
    for name in runs:
        runs[name].update(TINY)
    pair = ConfigDict({"dae": runs.dae, "A": runs.A}, sort_keys=False)
    known = {"study": ConfigDict({"runs": pair}), **{name: runs[name] for name in runs}}
    return pick_variant(variant, known, default="study")
