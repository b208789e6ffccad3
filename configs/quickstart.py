"""Li's study in minutes on the embedded synthetic faces, and a linear baseline.

Command:  python -m fer_jax.main --config=configs/quickstart.py
Time:     under 4 minutes on two CPU cores.
Expected: on synthetic faces, the small VGG far above the linear baseline; on distorted ones the VGG
          falls towards chance and hybrid A by much less. No number from it says anything about
          real faces.
"""

from ml_collections import ConfigDict

from configs import common, vgg_dae
from fer_jax.configuring import pick_variant

FACES = {"dataset": "synthetic", "protocol": "synthetic", "sizes": (3200, 600, 1050)}
NETWORK = {
    "blocks": ((16, 1), (32, 1), (64, 1)),
    "dense": (64,),
    "dropout": 0.2,
    "momentum": 0.9,
    "filters": (8, 16),  # of the DAE
}
EPOCHS = {"dae": 4, "vgg": 6, "A": 6, "B": 6, "linear": 10}
# The DAE wants many steps more than large batches.
BATCH_SIZE = {"dae": 16}
LEARNING_RATE = {"dae": 3e-3, "linear": 1e-3}


def get_config(variant: str | None = None) -> ConfigDict:
    """Return the study of dae, vgg, A, B and linear."""
    study = vgg_dae.get_config(pick_variant(variant, {"study": "study"}, default="study"))
    study.runs.linear = common.get_config()
    study.runs.linear.model.name = "linear"
    for name in study.runs:
        config = study.runs[name]
        config.data.update(FACES)
        config.model.update(NETWORK)
        config.epochs = EPOCHS[name]
        config.batch_size = BATCH_SIZE.get(name, 64)
        config.augmentation.rotate = (0.0, 0.0)
        config.optim.update({"learning_rate": LEARNING_RATE.get(name, 2e-3), "schedule": "cosine"})
        config.evaluation.splits = ("validation", "test")
    return study
