"""VGG16 with local importance pooling and channel attention, Dong's improved network.

Command:  python -m fer_jax.main --config=configs/lip_vgg16.py
Time:     `:small` about 2 min an epoch on two CPU cores; full size not yet timed.
Expected: Dong reports 83.15 % on RAF-DB, 84.97 % with ten-crop views and 86.31 % after ImageNet,
          and 57.34 % on SFEW's validation faces after RAF-DB (configs/sfew.py).

A variant is one of these, or a logit network and another joined by a comma, `:bottleneck,small`:
  projection  1x1 convolutions give the pools' logits: 613,248 parameters more (default: of the
              three it adds least beside the pooling itself; the paper does not say which it has)
  simplified  3x3 convolutions: 5,495,680 more
  bottleneck  1x1, 3x3 and 1x1 of width 128: 1,119,616 more
  repaired    full size (default, not tuned)
  small       a quarter of the width and few epochs, for two cores
  imagenet    full size from torchvision's file, as in configs/vgg16.py
  raf_db      RAF-DB, with crops of 90x90 and ten-crop views
  sfew        SFEW, whose official validation faces are the test

The "adaptive channel attention at the end" is ECA; --config.model.attention=se or none chooses
another. Data and training are as in configs/vgg16.py.
"""

from ml_collections import ConfigDict

from configs import vgg16
from fer_jax.configuring import pick_variant
from fer_jax.models.lip import LOGITS


def get_config(variant: str | None = None) -> ConfigDict:
    """Return the LIP-VGG16's run, with the logit network and at the scale of the variant."""
    logit, scale = pick_variant(variant, VARIANTS, default="projection")
    config = vgg16.get_config(scale)
    config.model.update({"name": "lip_vgg16", "pool": logit, "attention": "eca"})
    return config


VARIANTS = {
    **{logit: (logit, "repaired") for logit in LOGITS},
    **{scale: ("projection", scale) for scale in vgg16.VARIANTS},
    **{f"{logit},{scale}": (logit, scale) for logit in LOGITS for scale in vgg16.VARIANTS},
}
