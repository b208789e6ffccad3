"""Dong's transfer: LIP-VGG16 on RAF-DB, then on SFEW from what it learned there, and from nothing.

Command:  python -m fer_jax.main --config=configs/sfew.py
Time:     not yet timed on real faces.
Expected: Dong reports 57.34 % on SFEW's validation faces after RAF-DB (250 of 436; one face is .23
          points), and 50.00 % for VGG16 after ImageNet. Not yet run on real faces.

A study of three runs: `raf_db`; `sfew`, which takes all of it but the head; and `scratch`, the same
without a start, which the paper does not have. Variants: `repaired` (default, not tuned), `small` (a
quarter of the width and few epochs, for two cores).

Both datasets must be prepared. Their protocol is `holdout:10`: a tenth of the training faces chooses
the epoch, and RAF-DB's test faces and SFEW's validation faces, on which the paper reports, are
looked at once. The paper does not say how the start is trained on: here all but the head is frozen
for five epochs and then trains at a tenth of the rate.
"""

from ml_collections import ConfigDict

from configs import lip_vgg16
from configs.vgg16 import FINE_TUNED, RAF_DB, SFEW
from fer_jax.configuring import pick_variant

BUT_THE_HEAD = "^(?!head/)"
FACES = {"raf_db": RAF_DB, "sfew": SFEW}


def get_config(variant: str | None = None) -> ConfigDict:
    """Return the study."""
    scale = pick_variant(variant, VARIANTS, default="repaired")
    runs = {"raf_db": _run("raf_db", scale), "sfew": _run("sfew", scale)}
    runs["sfew"].init = ConfigDict({BUT_THE_HEAD: "runs.raf_db"})
    runs["sfew"].update(FINE_TUNED)
    runs["sfew"].optim.rules = ((BUT_THE_HEAD, "trunk"), (".*", "train"))
    runs["scratch"] = _run("sfew", scale)
    return ConfigDict({"runs": ConfigDict(runs, sort_keys=False)}, sort_keys=False)


def _run(dataset: str, scale: str) -> ConfigDict:
    config = lip_vgg16.get_config(scale)
    config.update(FACES[dataset])
    return config


VARIANTS = {"repaired": "repaired", "small": "small"}
