"""Li's study on FER2013: DAE, plain VGG, hybrid A (frozen DAE) and hybrid B (joint).

Command:  python -m fer_jax.main --config=configs/vgg_dae.py            (the study, full size)
          python -m fer_jax.main --config=configs/vgg_dae.py:small      (for two CPU cores)
Time:     `:small` a little over an hour on two CPU cores; full size not yet timed on a GPU.
Expected: on distorted faces A loses little of its clean accuracy, which is below the plain VGG's,
          and the plain VGG nearly all; README.md has the numbers of `:small`.

A variant is one of these, or several joined by commas, as in `:finetune,small`:
  study       dae, vgg, A and B in order (default)
  all         the same, then finetune and multitask
  A           the pretrained DAE, frozen, in front of the VGG
  B           both trained together from scratch by the classifier's loss
  finetune    the pretrained DAE in front, both trained, the DAE at a tenth of the rate; half of
              each batch distorted
  multitask   both from scratch, classification plus reconstruction loss; half of each batch
              distorted
  in_front    the pretrained DAE in front of a pretrained VGG that never saw its output; nothing
              is trained
  small       a quarter of the VGG's width, few epochs, and what makes those do (configs/common.py)
  as_printed  Li's table 1 to the letter; expected to collapse at its learning rate of .05
A single run that needs a DAE trains it first, in WORKDIR/upstream/dae, unless
--config.init_dir=DIR names a folder that has it as DIR/dae.
"""

from ml_collections import ConfigDict

from configs import common, dae, vgg
from fer_jax.configuring import pick_variant
from fer_jax.errors import UserError

FROZEN_DAE = (("^dae/", "frozen"), (".*", "train"))
SLOW_DAE = (("^dae/", "dae"), (".*", "train"))

# What makes each hybrid: how the DAE starts, whether it trains, and on what.
HYBRIDS = {
    "A": {"model": {"freeze_dae": True}, "optim": {"rules": FROZEN_DAE}},
    "B": {},
    "finetune": {"train_distortion": 0.5, "optim": {"rules": SLOW_DAE}},
    "multitask": {"train_distortion": 0.5, "reconstruction_weight": 1.0},
    "in_front": {
        "epochs": 0, "model": {"freeze_dae": True}, "optim": {"rules": ((".*", "frozen"),)},
    },
}
# What a hybrid starts from: a part of it, and the config of the run that trains that part.
PRETRAINED = {"A": ("dae",), "finetune": ("dae",), "in_front": ("dae", "vgg")}
SCALES = ("repaired", "small", "as_printed")
STUDIES = {
    "study": ("dae", "vgg", "A", "B"),
    "all": ("dae", "vgg", "A", "B", "finetune", "multitask"),
}


def get_config(variant: str | None = None) -> ConfigDict:
    """Return the study, or the run, at the scale that the variant names.

    Raises:
      UserError: an unknown variant, or two runs or two scales joined.
    """
    known = {name: name for name in (*STUDIES, *HYBRIDS, *SCALES)}
    parts = (variant or "study").split(",")
    chosen = [pick_variant(part, known, default="study") for part in parts]
    scales = [part for part in chosen if part in SCALES] or ["repaired"]
    runs = [part for part in chosen if part not in SCALES] or ["study"]
    if len(scales) > 1 or len(runs) > 1:
        raise UserError(
            f"variant {variant!r} asks for two things at once; join one of "
            f"{', '.join([*STUDIES, *HYBRIDS])} with one of {', '.join(SCALES)}"
        )
    run, scale = runs[0], scales[0]
    if run in HYBRIDS:
        return hybrid(run, scale, start=f"configs/{{}}.py:{scale}")
    members = {name: _member(name, scale) for name in STUDIES[run]}
    return ConfigDict({"runs": ConfigDict(members, sort_keys=False)}, sort_keys=False)


def hybrid(name: str, scale: str, *, start: str) -> ConfigDict:
    """Return the run of a hybrid: the VGG's, with a DAE in front.

    `start` is where its pretrained parts come from, with `{}` for their name.
    """
    config = vgg.get_config(scale)
    config.model.name, config.model.variant = "hybrid", name
    config.update(HYBRIDS[name])
    config.optim.rate_factors = {"dae": 0.1}
    if name in PRETRAINED:
        config.init = ConfigDict({part: start.format(part) for part in PRETRAINED[name]})
    return config


def _member(name: str, scale: str) -> ConfigDict:
    if name in ("dae", "vgg"):
        return {"dae": dae, "vgg": vgg}[name].get_config(scale)
    # The study's own DAE, whatever its fields are set to on the command line.
    return hybrid(name, scale, start="runs.{}")
