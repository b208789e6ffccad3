"""Dick's ResNet as its table of layers prints it, with EIGHT outputs: 6,573,192 parameters.

Command:  python -m fer_jax.main --config=configs/resnet9_as_printed.py
Time:     `:small` about 2 min an epoch on two CPU cores; full size not yet timed.
Expected: Dick reports 68.1 %, on test faces that are not known exactly.

The labels are 0 to 6: no face asks for the eighth output, and training drives it down.

Variants: `as_printed` (default; the paper's Adam and 50 epochs), `small` (a quarter of the width
and few epochs, for two cores).
"""

from ml_collections import ConfigDict

from configs import resnet9
from fer_jax.configuring import pick_variant


def get_config(variant: str | None = None) -> ConfigDict:
    """Return the run with eight outputs."""
    config = resnet9.get_config(pick_variant(variant, VARIANTS, default="as_printed"))
    config.model.classes = 8
    return config


VARIANTS = {"as_printed": "as_printed", "small": "small"}
