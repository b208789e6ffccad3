"""The table of checks: every field is in it, and each value that cannot be is refused by name."""

import importlib

import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

from configs import common, vgg_dae
from fer_jax import checks, study, train
from fer_jax.configuring import known_configs, load_config
from fer_jax.data import Split
from fer_jax.errors import UserError
from fer_jax.ops.pooling import max_pool_2x2
from tests import tiny_study

NAN, INF = float("nan"), float("inf")
# Values that no run can have: for each field some below and above its range and of another kind.
WRONG = {
    "task": ("clasify", 3, None),
    "seed": (-1, 2**32, 0.5, None, True),
    "seeds": (0, -1, 1.5, None, 10_000),
    "batch_size": (0, -16, 1.5),
    "epochs": (-1, None),
    "restore_best": (1, "yes", None),
    "data.dataset": (3,),
    "data.protocol": (None, "keras8", "ratio:80-10", "official:all"),
    "data.sizes": (3, (1, 2), (1, 2, -3), (1, 2, 3, 4), (1, 2, None)),
    "data.device_budget_mb": (-1.0, NAN, None),
    "balance": ("oversampled", None, True),
    "loss.class_weights": ("balance", None, (1.0,) * 7),
    "loss.label_smoothing": (-0.1, 1.0, NAN),
    "model.name": ("vggg", "", None),
    "model.variant": (None,),
    "model.classes": (0, 1, 8, 7.0),
    "model.width": (0.0, -1.0, NAN, INF, None),
    "model.blocks": ((), 4, (4,), ((4,),), ((4, 0),), ((0, 1),)),
    "model.dense": (8, (0,), (8.5,)),
    "model.dropout": (1.0, 1.5, -0.1, NAN),
    "model.momentum": (2.0, 1.0, -0.1),
    "model.filters": ((16,), (0, 1), 16),
    "model.kernel_init": ("he", None),
    "model.freeze_dae": (0, None),
    "model.dtype": ("float16", "fp32"),
    "init": ("x", {"dae": 3}, {"^(": "configs/dae.py"}),
    "init_dir": (None, 3),
    "pretrained": (None, 3, "vgg16.npz", "vgg16"),
    "augmentation.rotate": ((20.0, -20.0), (20.0,), (0.0, 181.0), (NAN, 0.0), None, 20.0),
    "augmentation.flip": ("no",),
    "augmentation.shift": (-0.1, 1.1),
    "augmentation.crop_padding": (-1, 1.5, 1000),
    "augmentation.resized_crop": ((0.0, 1.0), (0.5, 0.2), (0.5,), (0.5, 1.1), 0.5),
    "augmentation.brightness": (-0.1, 1.1, None),
    "augmentation.contrast": (-0.1, NAN),
    "augmentation.saturation": (-0.1, 1.1),
    "augmentation.hue": (-0.1, 0.6),
    "augmentation.erase": (-0.1, 1.1, NAN),
    "augmentation.mixup": (-0.1, INF),
    "augmentation.cutmix": (-0.1, NAN),
    "preprocess.size": (-1, 0.5, 10_000),
    "preprocess.crop": (-1, 0.5, None),
    "preprocess.normalise": ("image_net", None),
    "distortion.name": ("gausian", None),
    "distortion.strength": (-0.1, 1.01, NAN, "much"),
    "train_distortion": (-0.1, 1.1, NAN),
    "train_strength": (0.1, (0.1,), (0.2, 0.1), (0.1, 1.5), (0.1, NAN)),
    "reconstruction_weight": (-1.0, NAN, 1.0),  # of a network that reconstructs nothing
    "optim.name": ("sgdd",),
    "optim.learning_rate": (-1e-3, NAN, INF, None, "fast"),
    "optim.beta1": (1.0, -0.1),
    "optim.beta2": (1.0, 2.0),
    "optim.epsilon": (0.0, -1.0),
    "optim.momentum": (1.0, -0.1),
    "optim.nesterov": (1, True),  # of Adam
    "optim.l2": (-1e-4, NAN),
    "optim.weight_decay": (-1e-4, INF, 1e-4),  # of Adam
    "optim.decay": ("(", None),
    "optim.clip_norm": (-1.0, NAN),
    "optim.accumulate": (0, 1.5),
    "optim.schedule": ("cosinus",),
    "optim.warmup_epochs": (-1.0,),
    "optim.step_epochs": (-1, 1.5, 10),  # of a constant rate
    "optim.step_factor": (0.0, 1.1, NAN),
    "optim.rules": ((), (("(", "train"),), ((".*",),), ((".*", "slow"),), ((3, "train"),)),
    "optim.rate_factors": ({"dae": -1.0}, 0.1),
    "optim.thaw_epochs": ({"train": -1.0}, {"dae": 1}, {"train": 150}, 3),
    "optim.plateau.metric": ("acuracy", "raw_loss"),  # nothing is averaged
    "optim.plateau.factor": (1.0, 1.5, 0.0),
    "optim.plateau.patience": (-1, 1.5),
    "optim.plateau.min_delta": (-1.0, NAN),
    "optim.plateau.min_scale": (-0.1, 1.1),
    "ema": (1.0, -0.1, NAN, True),
    "early_stopping.metric": ("f1", "raw_accuracy", None),
    "early_stopping.patience": (-1,),
    "early_stopping.min_delta": (-1.0,),
    "evaluation.batch_size": (0,),
    "evaluation.splits": ((), "test", ("tets",), (3,)),
    "evaluation.strengths": ((-0.1,), (2.0,), (NAN,), 0.3),
    "evaluation.views": ("flop",),
    "evaluation.average": ("probability", None),
    "evaluation.feature_maps": ("conv1_1", (3,), ("conv1_3",), ("head",)),
    "checkpoint_minutes": (-1.0, NAN),
    "mesh.data": (-1,),
    "steps_per_dispatch": (-1,),
    "points_per_program": (-1,),
}


def changed(path, value):
    """Give the default config with one field changed, whatever its type."""
    config = common.get_config()
    *above, last = path.split(".")
    node = config
    for name in above:
        node = node[name]
    with config.unlocked(), node.ignore_type():
        node[last] = value
    return config


def refusal(config) -> str:
    with pytest.raises(UserError) as refused:
        checks.check_config(config)
    assert refused.value.exit_code == 1
    return str(refused.value)


def test_every_field_of_a_config_has_its_check():
    assert set(checks.FIELDS) == set(checks._leaves(common.get_config()))
    # Names that no table could list are free here and answered where they are looked up.
    assert set(WRONG) == set(checks.FIELDS)


@pytest.mark.parametrize(
    "path, value", [(path, value) for path, values in WRONG.items() for value in values]
)
def test_a_value_that_cannot_be_is_refused_by_the_fields_name(path, value):
    message = refusal(changed(path, value))
    assert message.startswith(f"config.{path}") and "\n" not in message


@pytest.mark.parametrize(
    "path, value",
    [
        ("optim.learning_rate", 0.0),
        ("optim.learning_rate", 1),
        ("seed", 2**32 - 1),
        ("model.dense", ()),
        ("data.sizes", [0, 0, 0]),  # as a run's own config.json has them
        ("train_strength", (0.1, 0.1)),
        ("evaluation.strengths", ()),
        ("augmentation.rotate", (0.0, 0.0)),
        ("data.protocol", "ratio:70-15-15"),
    ],
)
def test_a_value_at_the_end_of_its_range_passes(path, value):
    checks.check_config(changed(path, value))


@pytest.mark.parametrize(
    "path, value, message",
    [
        ("task", "clasify", "is 'clasify'. Did you mean 'classify'? Known: classify, denoise."),
        ("evaluation.splits", ("tets",), "[0] is 'tets'. Did you mean 'test'?"),
        ("distortion.strength", 3.0, "random_grey has strengths from 0 to 1, not 3"),
        ("model.dropout", 1.5, "is 1.5; expected a finite number, at least 0 and below 1"),
        ("optim.rules", ((".*", "slow"),), "the label 'slow' without a factor"),
        ("model.classes", 8, "on fer2013 has 7: angry, disgust"),
        ("early_stopping.metric", "f1", "Known: loss, accuracy, balanced_accuracy, macro_f1, "),
        ("early_stopping.metric", "raw_macro_f1", "ema is 0; set it to 'macro_f1'"),
        ("optim.weight_decay", 1e-4, "set optim.name to 'adamw', or optim.l2 for a term"),
        ("optim.schedule", "step", ".optim.step_epochs is 0, and the schedule is 'step'"),
        ("model.name", "dae", ".task is 'classify', and the model 'dae' cannot do that"),
        ("preprocess.normalise", "image", "Known: none, imagenet, symmetric"),
    ],
)
def test_the_message_says_what_was_expected(path, value, message):
    assert message in refusal(changed(path, value))


def test_nesterov_is_a_kind_of_momentum():
    config = common.get_config()
    config.optim.update({"name": "sgd", "nesterov": True, "weight_decay": 1e-4})
    checks.check_config(config)
    config.optim.momentum = 0.0
    assert ".optim.nesterov is True with the optimizer 'sgd' and a momentum of 0.0" in (
        refusal(config)
    )


def test_who_denoises_is_chosen_by_the_loss():
    config = load_config("configs/dae.py")
    config.ema, config.early_stopping.metric = 0.99, "raw_loss"
    checks.check_config(config)
    config.optim.plateau.metric = "accuracy"
    assert ".optim.plateau.metric is 'accuracy', and who denoises has a loss only" in (
        refusal(config)
    )


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"model.name": "hybrid", "preprocess.normalise": "imagenet"}, "pixels in 0..1; set it"),
        ({"model.name": "dae", "task": "denoise", "evaluation.views": "flip"}, "only a classif"),
        ({"model.name": "dae", "task": "denoise", "augmentation.mixup": 0.2}, "mixup is for a cl"),
        (
            {"model.name": "hybrid", "reconstruction_weight": 1.0, "augmentation.cutmix": 1.0},
            "cutmix mixes faces",
        ),
        (
            {"data.protocol": "ferplus:multi-label", "model.classes": 8,
             "loss.label_smoothing": 0.1},
            "label_smoothing changes the classes' shares",
        ),
    ],
)
def test_fields_that_contradict_each_other_are_refused(changes, message):
    config = common.get_config()
    config.update_from_flattened_dict(changes)
    assert message in refusal(config)


def test_colours_of_grey_faces_are_refused():
    config = common.get_config()
    config.augmentation.hue = 0.1
    checks.check_faces(config, (48, 48, 3))
    with pytest.raises(UserError, match="augmentation.hue is 0.1, and the faces are grey"):
        checks.check_faces(config, (48, 48, 1))


def test_the_resnet_with_a_spare_output_passes_and_with_two_does_not():
    config = load_config("configs/resnet9_as_printed.py")
    checks.check_run(config)
    config.model.classes = 9
    assert ".model.classes is 9" in refusal(config)


def test_a_field_that_nothing_reads_is_answered_with_the_nearest():
    message = refusal(changed("optim.lerning_rate", 1.0))
    assert "nothing reads the field config.optim.lerning_rate. Did you mean 'learning_" in message
    assert "Did you mean 'epochs'?" in refusal(changed("epoch", 1))


@pytest.mark.parametrize("path", ["epochs", "optim.beta1", "augmentation"])
def test_a_field_that_is_not_there_is_named(path):
    config = common.get_config()
    folder, _, name = path.rpartition(".")
    del (config[folder] if folder else config)[name]
    assert f"config has no field '{path}" in refusal(config)


@pytest.mark.parametrize(
    "field, value, message",
    [
        ("last_poool", 2, "config.model.last_poool. Did you mean 'last_pool'?"),
        ("filters", (16, 24), "nothing reads the field config.model.filters."),  # the DAE's
        ("last_pool", 2.5, "config.model.last_pool is 2.5; expected a whole number"),
        ("stages", ((64, False),), "config.model.stages[0] is (64, False), a tuple of 2"),
        ("kernel_init", "he", "config.model.kernel_init is 'he'. Known: glorot_uniform"),
        ("width", -1.0, "config.model.width is -1.0; expected a finite number, above 0"),
    ],
)
def test_a_network_with_fields_of_its_own_has_those_and_no_others(field, value, message):
    config = common.get_config()
    with config.unlocked():
        config.model = ConfigDict({"name": "resnet9", "classes": 7, "last_pool": 4})
        checks.check_config(config)
        config.model = ConfigDict({"name": "resnet9", "classes": 7, field: value})
    assert message in refusal(config)


@pytest.mark.parametrize("path", known_configs())
def test_every_config_passes(path):
    module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
    for variant in ("", *getattr(module, "VARIANTS", {})):
        checks.check_config(load_config(f"{path}:{variant}".removesuffix(":")))


def test_distortion_clean_has_no_strengths():
    config = changed("distortion.name", "clean")
    assert "set distortion.strength=0 and evaluation.strengths=()" in refusal(config)
    config.distortion.strength, config.evaluation.strengths = 0.0, ()
    checks.check_config(config)


def test_a_study_names_the_run_that_is_wrong():
    config = vgg_dae.get_config()
    checks.check_config(config)
    config.runs.vgg.epochs = -1
    assert refusal(config).startswith("config.runs.vgg.epochs is -1; expected")


@pytest.mark.parametrize(
    "config, message",
    [
        ({"runs": {}}, "config.runs has no run"),
        ({"runs": 3}, "config.runs has no run"),
        ({"runs": {"vgg": 3}}, "config.runs.vgg is 3; expected the config of a run"),
        ({"runs": {"vgg": {}}, "seed": 1}, "set config.runs.vgg.seed"),
        ({"runs": {"vgg": {}}}, "config.runs.vgg has no field 'task'"),
        ({}, "config has no field 'task'"),
    ],
)
def test_what_is_neither_run_nor_study_is_refused(config, message):
    assert message in refusal(ConfigDict(config))


def test_a_batch_the_devices_cannot_share_is_answered_with_sizes_that_they_can():
    config = tiny_study.get_config("vgg")
    config.mesh.data, config.batch_size = 4, 18
    assert "config.batch_size is 18, which 4 device(s) cannot share; choose 16 or 20" in (
        refusal(config)
    )
    three = ConfigDict({"runs": {"b": config}})
    assert refusal(three).startswith("config.runs.b.batch_size is 18")


def test_a_refused_study_writes_nothing(tmp_path):
    config = tiny_study.get_config()
    config.runs.A.epochs = -1
    with pytest.raises(UserError, match="config.runs.A.epochs"):
        study.run(config, tmp_path / "w")
    assert not list(tmp_path.iterdir())


def test_padding_as_wide_as_the_faces_is_refused():
    config = common.get_config()
    config.augmentation.crop_padding = 15
    checks.check_faces(config, (16, 48, 1))
    config.augmentation.crop_padding = 16
    with pytest.raises(UserError, match="crop_padding is 16, as wide as the faces of 16 pixels"):
        checks.check_faces(config, (16, 48, 1))


def test_a_network_that_refuses_its_faces_is_one_message():
    with pytest.raises(UserError, match="built for faces of 16x16x1: max_pool_2x2 got .*fewer"):
        with checks.explain_network((16, 16, 1)):
            max_pool_2x2(jnp.zeros((1, 1, 1, 4)))


@pytest.mark.parametrize(
    "name, blocks, shape, message",
    [
        # Five pools leave nothing of 16 pixels: 16, 8, 4, 2, 1.
        ("vgg", ((4, 1),) * 5, (16, 16, 1), "faces of 16x16x1: .*fewer pooling blocks"),
        ("hybrid", ((4, 1),), (18, 16, 3), "faces of 18x16x3: .*resize to a multiple of 4"),
    ],
)
def test_faces_too_small_for_the_network_are_refused_before_anything_is_compiled(
    tmp_path, monkeypatch, name, blocks, shape, message
):
    config = tiny_study.get_config("vgg")
    config.model.update({"name": name, "blocks": blocks})
    faces = Split(
        np.zeros((64, *shape), np.uint8), np.arange(64, dtype=np.int32) % 7,
        np.zeros(64, np.uint32), np.arange(64),
    )
    monkeypatch.setattr(train.results, "load_data", lambda *args: {"train": faces})
    with pytest.raises(UserError, match=message):
        train.prepare(config, tmp_path)
