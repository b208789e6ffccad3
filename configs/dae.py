"""Li's denoising autoencoder on FER2013: distorted face in, clean face out (12,465 parameters).

Command:  python -m fer_jax.main --config=configs/dae.py
Time:     about 30 s an epoch on two CPU cores with `:small`; not yet timed on a GPU.
Expected: a validation pixel cross-entropy just under .56 nats; .5442 is a perfect reconstruction
          of the training faces, .6931 a grey picture.

Variants: `repaired` (default), `small` (30 epochs at batch 64, for two cores), `as_printed` (Li's
table 1 to the letter: at its learning rate of .05 every reconstruction becomes the same picture).
"""

from ml_collections import ConfigDict

from configs import common
from fer_jax.configuring import pick_variant


def get_config(variant: str | None = None) -> ConfigDict:
    """Return the DAE's run."""
    config = common.get_config()
    config.task = "denoise"
    config.train_distortion = 1.0
    config.model.name = "dae"
    config.batch_size = 16
    # The best of 1e-3, 3e-3 and 1e-2 on validation, at `small`: configs/learning_rates.py.
    config.optim.learning_rate = 3e-3
    config.update(pick_variant(variant, VARIANTS, default="repaired"))
    return config


VARIANTS = {
    "repaired": {},
    "small": {"epochs": 30, "batch_size": 64, "optim": common.SMALL_SCHEDULE},
    "as_printed": common.AS_PRINTED,
}
