"""What a DAE in front is worth beside noise augmentation, and both together.

Command:  python -m fer_jax.main --config=configs/denoising.py           (full size)
          python -m fer_jax.main --config=configs/denoising.py:small     (for two CPU cores)
Time:     not yet timed; `:small` is four VGGs and a DAE of the size of configs/vgg_dae.py:small,
          which takes about an hour for three and one.
Expected: nothing measured yet. Each run is then tested by
          python -m fer_jax.evaluate --workdir=WORKDIR/NAME --suite=fer2013-c --split=private
          first `vgg`, which is the others' 100 %, and again with --filter=median:3 and
          --filter=nlm, the filters that a DAE has to beat.

The protocol is that of configs/vgg_dae.py. The runs:
  dae        the denoising autoencoder alone
  vgg        the plain VGG, trained on clean faces
  augmented  the plain VGG; half of each batch distorted as the DAE's faces are
  A          hybrid A: the frozen DAE in front, trained on clean faces
  both       the frozen DAE in front; half of each batch distorted

Variants: `repaired` (default, full size) and `small`.
"""

from ml_collections import ConfigDict

from configs import dae, vgg, vgg_dae
from fer_jax.configuring import pick_variant

VARIANTS = {"repaired": "repaired", "small": "small"}
SHARE = 0.5  # of each batch, as `finetune` and `multitask` of configs/vgg_dae.py have it


def get_config(variant: str | None = None) -> ConfigDict:
    """Return the study."""
    scale = pick_variant(variant, VARIANTS, default="repaired")
    runs = {
        "dae": dae.get_config(scale),
        "vgg": vgg.get_config(scale),
        "augmented": vgg.get_config(scale),
        "A": vgg_dae.hybrid("A", scale, start="runs.{}"),
        "both": vgg_dae.hybrid("A", scale, start="runs.{}"),
    }
    for name in ("augmented", "both"):
        runs[name].train_distortion = SHARE
    return ConfigDict({"runs": ConfigDict(runs, sort_keys=False)}, sort_keys=False)
