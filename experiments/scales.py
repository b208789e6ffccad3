"""The scales of an experiment, and what makes its runs small enough for each."""

from ml_collections import ConfigDict

SMOKE = "smoke"
SCALES = (SMOKE, "cpu", "full")

# What the runs of "cpu" share: an eighth of Li's widths, few epochs, and the test faces with and
# without copies under the study's noise and half of it.
EIGHTH = {"model.width": 0.125}
TESTED = {
    "evaluation.splits": ("validation", "test", "private", "private_clean", "private_strict"),
    "evaluation.strengths": (0.1,),
}

# Few drawn faces and one epoch: shows that everything runs, and says nothing about accuracy.
FEW_FACES = {
    "batch_size": 16,
    "epochs": 1,
    "data": {"dataset": "synthetic", "protocol": "synthetic", "sizes": (32, 16, 32)},
    "augmentation": {"rotate": (0.0, 0.0), "shift": 0.0},
    "evaluation": {"batch_size": 32, "strengths": (), "splits": ("validation", "test")},
}
PLAIN = {"blocks": ((4, 3), (8, 3)), "dense": (8,)}
BLOCKS = {"blocks": ((4, 1), (8, 1))}
LEAST_SIDE = 63  # of the faces that AlexNet's pools leave a pixel of
# The smallest tables of each network, in the fields of its config.model.
TINY = {
    "dae": {"filters": (2, 2)},
    "vgg": {**BLOCKS, "dense": (8,)},
    "hybrid": {**BLOCKS, "dense": (8,), "filters": (2, 2)},
    "alizadeh_shallow": PLAIN,
    "alizadeh_deep": PLAIN,
    "agrawal_fcn": {"widths": (4, 8), "kernel": 4, "pool_after": (1,)},
    "custom_cnn": PLAIN,
    "alexnet": {"width": 1 / 32},
    "vgg16_dick": {**BLOCKS, "dense": (8,)},
    "resnet9": {"stages": ((4, False, False), (8, True, True))},
    "vgg16": {**BLOCKS, "head_filters": (8, 8)},
    "lip_vgg16": {**BLOCKS, "head_filters": (8, 8)},
    "se_separable": {"stem": (4,), "modules": (8, 8)},
}


def shrink(config: ConfigDict) -> ConfigDict:
    """Return the run with a tiny network on few synthetic faces: a smoke test of seconds."""
    small = config.copy_and_resolve_references()
    small.update(FEW_FACES)
    # The drawn faces depend on the seed, and runs that are combined must have the same.
    small.seed = 0
    small.model.update(TINY[small.model.name])
    if small.preprocess.size:
        small.preprocess.size = LEAST_SIDE
    return small
