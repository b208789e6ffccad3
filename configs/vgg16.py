"""VGG16 with max-pooling and Dong's convolutional head: 19,447,239 parameters on grey faces.

Command:  python -m fer_jax.main --config=configs/vgg16.py
          python -m fer_jax.main --config=configs/vgg16.py:raf_db     (of one's own RAF-DB)
Time:     `:small` about 2 min an epoch on two CPU cores; full size not yet timed.
Expected: Dong reports 81.68 % on RAF-DB, and 50.00 % on SFEW's validation faces after ImageNet.

Variants: `repaired` (default: SGD with Nesterov momentum along a cosine, and L2; not tuned),
`small` (a quarter of the width and few epochs, for two cores, by Adam along a cosine), `imagenet`
(starts from torchvision's file, which it looks for here; another one by
--config.pretrained=FILE; docs/pretrained.md says where to get it), and for faces that each user has
a licence of:
  raf_db  100x100 RGB; random crops of 90x90 and their mirror images, in testing the mean of ten
          crops' probabilities (the centre crop alone: fer_jax.evaluate --views=plain); a tenth of
          the training faces is held out for validation
  sfew    112x112 RGB, mirrored; a tenth of the training faces is held out for validation, and the
          official validation faces are the test
There is no `as_printed`, for the paper states no optimizer, rate, batch size or epochs.
"""

from ml_collections import ConfigDict

from configs import common
from fer_jax.configuring import pick_variant
from fer_jax.models.vgg import VGG16_BLOCKS


def get_config(variant: str | None = None) -> ConfigDict:
    """Return the plain VGG16's run."""
    config = dong()
    config.update(pick_variant(variant, VARIANTS, default="repaired"))
    return config


def dong() -> ConfigDict:
    """Return what Dong's networks share."""
    config = common.get_config()
    config.epochs = 60
    config.data.protocol = "official"
    config.augmentation.rotate = (-10.0, 10.0)  # flipped and rotated, by how much is not stated
    config.optim.update(SGD)
    config.model = ConfigDict(
        {
            "name": "vgg16",
            "classes": 7,
            "blocks": VGG16_BLOCKS,
            "head_filters": (512, 512),  # of the two convolutions for two dense layers; not stated
            "head_kernel": 3,
            "flatten": False,  # the dense layer reads the last map's mean, not all its pixels
            "width": 1.0,
            "pool": "max",  # or LIP: "projection", "simplified", "bottleneck"
            "bottleneck": 128,
            "attention": "none",  # or "eca", "se"
            "attention_at": "head",  # after its convolutions; or "trunk", after the last pool
            "ratio": 16,  # of "se"
            "dropout": 0.5,
            "momentum": 0.9,  # PyTorch's
            "epsilon": 1e-5,  # of BatchNorm: PyTorch's
            "kernel_init": "he_normal",
            "dtype": "float32",
        }
    )
    return config


# Ours, as is usual for a VGG on FER2013; PyTorch's `weight_decay` would be 1e-4.
SGD = {
    "name": "sgd", "learning_rate": 0.01, "momentum": 0.9, "nesterov": True, "l2": 5e-5,
    "schedule": "cosine", "beta2": 0.999, "epsilon": 1e-8,
}
# Few epochs are too few for SGD.
ADAM = {"name": "adam", "learning_rate": 1e-3, "nesterov": False, "l2": 0.0}
SMALL = {"epochs": 7, "model": {"width": 0.25, "dropout": 0.2}, "optim": ADAM}
# How a start is trained on is not stated: here what has it waits for the head, then learns slowly.
FINE_TUNED = {
    "optim": {
        "rules": (("^(conv|bn)[1-5]_", "trunk"), (".*", "train")),
        "rate_factors": {"trunk": 0.1},
        "thaw_epochs": {"trunk": 5.0},
    },
}
IMAGENET = {
    **FINE_TUNED,
    "pretrained": "vgg16_bn-6c64b313.pth",  # torchvision's name of it
    "preprocess": {"normalise": "imagenet"},
}
RAF_DB = {
    "data": {"dataset": "raf_db", "protocol": "holdout:10"},
    "preprocess": {"crop": 90},
    "evaluation": {"views": "ten_crop"},
}
SFEW = {"data": {"dataset": "sfew", "protocol": "holdout:10"}}
VARIANTS = {
    "repaired": {}, "small": SMALL, "imagenet": IMAGENET, "raf_db": RAF_DB, "sfew": SFEW,
}
