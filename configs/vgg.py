"""Li's plain VGG on FER2013: 33,644,103 parameters at full width.

Command:  python -m fer_jax.main --config=configs/vgg.py
Time:     about 2 min an epoch on two CPU cores with `:small`; full width not yet timed.
Expected: Li reports 58.78 % on the 7,178 test faces; README.md has what `:small` reaches.

Variants: `repaired` (default; its learning rate is not tuned at full width), `small` (for two
cores: a quarter of the width, few epochs, and the settings of configs/common.py that make those
do), `as_printed` (Li's table 1 to the letter).
"""

from ml_collections import ConfigDict

from configs import common
from fer_jax.configuring import pick_variant


def get_config(variant: str | None = None) -> ConfigDict:
    """Return the plain VGG's run."""
    config = common.get_config()
    config.batch_size = 16
    config.optim.learning_rate = 1e-4
    config.update(pick_variant(variant, VARIANTS, default="repaired"))
    return config


VARIANTS = {
    "repaired": {},
    "small": common.SMALL,
    "as_printed": common.AS_PRINTED,
}
