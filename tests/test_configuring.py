"""Configs: which fields name a run, what differs between two, and what a wrong name is told."""

import hashlib
import json
import sys

import pytest
from ml_collections import ConfigDict

from configs import common, dae
from fer_jax.configuring import (
    LATER,
    config_hash,
    differences,
    find_field,
    from_json,
    is_study,
    load_config,
    pick_variant,
    to_json,
)
from fer_jax.errors import UsageError, UserError

# A change of each field that training depends on.
TRAINING = {
    "task": "denoise",
    "seed": 1,
    "seeds": 4,
    "batch_size": 8,
    "epochs": 3,
    "restore_best": False,
    "data": {"protocol": "official"},
    "balance": "oversample",
    "loss": {"label_smoothing": 0.1},
    "model": {"width": 0.5},
    "init": {"dae": "configs/dae.py"},
    "pretrained": "vgg16.pth",
    "augmentation": {"flip": False},
    "preprocess": {"crop": 44},
    "train_distortion": 0.5,
    "train_strength": (0.1, 0.2),
    "reconstruction_weight": 1.0,
    "optim": {"plateau": {"patience": 3}},
    "early_stopping": {"patience": 3},
    "ema": 0.99,
}
# A change of each field that it does not depend on.
OUTSIDE = {
    "distortion": {"strength": 0.1},
    "evaluation": {"strengths": (0.1,)},
    "init_dir": "runs/study",
    "checkpoint_minutes": 1.0,
    "mesh": {"data": 2},
    "steps_per_dispatch": 8,
    "points_per_program": 4,
}


def changed(fields):
    config = common.get_config()
    with config.unlocked():
        config.update(fields)
    return config


def test_every_field_is_known_to_be_inside_or_outside_training():
    assert set(common.get_config()) == set(TRAINING) | set(OUTSIDE)


@pytest.mark.parametrize("field", TRAINING)
def test_the_hash_changes_with_what_is_trained(field):
    before, after = common.get_config(), changed({field: TRAINING[field]})
    assert config_hash(before) != config_hash(after)


@pytest.mark.parametrize("field", OUTSIDE)
def test_the_hash_stays_with_what_is_measured(field):
    assert config_hash(common.get_config()) == config_hash(changed({field: OUTSIDE[field]}))


def test_the_hash_stays_where_the_faces_lie_elsewhere():
    config = common.get_config()
    config.data.device_budget_mb = 1.0
    assert config_hash(config) == config_hash(common.get_config())


@pytest.mark.parametrize("share, same", [(0.0, True), (0.5, False)])
def test_the_distortion_counts_for_a_run_that_trains_on_it(share, same):
    hashes = {
        config_hash(changed({"train_distortion": share, "distortion": {"strength": strength}}))
        for strength in (0.1, 0.2)
    }
    assert (len(hashes) == 1) == same


def test_the_hash_is_twelve_hexadecimal_digits_and_survives_json():
    config = common.get_config()
    found = config_hash(config)
    assert len(found) == 12 and int(found, 16) >= 0
    read_back = type(config)(json.loads(json.dumps(to_json(config))))
    assert config_hash(read_back) == found


def test_a_config_without_later_fields_means_that_they_change_nothing():
    config = common.get_config()
    held = to_json(config)
    for path, value in LATER.items():
        *folders, name = path.split(".")
        node, kept = held, to_json(config)
        for folder in folders:
            node, kept = node[folder], kept[folder]
        assert kept[name] == value, "the default of a field that came later"
        del node[name]
    for name in [name for name, value in held.items() if value == {} and name != "init"]:
        del held[name]
    assert to_json(from_json(held)) == to_json(config)
    # What a run was named before the fields came: the hash of what is left.
    outside = ("evaluation", "init_dir", "mesh", "steps_per_dispatch", "checkpoint_minutes")
    trained = {name: value for name, value in held.items() if name not in (*outside, "distortion")}
    before = hashlib.sha256(json.dumps(trained, sort_keys=True).encode()).hexdigest()[:12]
    assert config_hash(config) == before


def test_differences_name_fields_by_their_path():
    old = to_json(common.get_config())
    new = to_json(changed({"seed": 1, "model": {"width": 0.5}}))
    del new["task"]
    assert differences(old, new) == [
        "model.width: 1.0 -> 0.5", "seed: 0 -> 1", "task: classify -> absent"
    ]
    assert differences(old, old) == []


def test_a_config_is_found_beside_the_package_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert to_json(load_config("configs/dae.py:small")) == to_json(dae.get_config("small"))


def test_a_config_of_ones_own_is_found_where_one_stands(tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "run.py").write_text(
        "from configs import common\n\ndef get_config(variant=None):\n"
        "    config = common.get_config()\n    config.seed = 1 if variant == 'other' else 7\n"
        "    return config\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert load_config("mine/run.py").seed == 7
    assert load_config("mine/run.py:other").seed == 1


def test_an_unknown_file_is_answered_with_the_nearest():
    with pytest.raises(UserError, match="no config file 'configs/vg.py'.*'configs/vgg.py'"):
        load_config("configs/vg.py")


@pytest.mark.parametrize("name", ["dae", "vgg", "vgg_dae", "quickstart"])
def test_an_unknown_variant_is_answered_with_the_known(name):
    with pytest.raises(UserError, match="this config has no variant 'smal'.*Known: "):
        load_config(f"configs/{name}.py:smal")


def test_a_variant_is_picked_or_the_default():
    known = {"one": 1, "two": 2}
    assert pick_variant("two", known, default="one") == 2
    assert pick_variant(None, known, default="one") == 1


def test_a_study_lists_runs():
    assert is_study(load_config("configs/vgg_dae.py"))
    assert not is_study(load_config("configs/vgg_dae.py:A"))


@pytest.mark.parametrize(
    "path, value", [("seed", 0), ("optim.plateau.patience", 10), ("data.sizes", (0, 0, 0))]
)
def test_a_field_is_found_by_its_path(path, value):
    assert find_field(common.get_config(), path) == value


@pytest.mark.parametrize(
    "path, hint",
    [
        ("sed", "Did you mean 'seed'?"),
        ("optim.plateau.patiense", "Did you mean 'patience'? Known: "),
        ("seed.first", "That is one value."),
        ("data.sizes[0]", "Did you mean 'sizes'?"),  # a tuple is set as a whole
        ("", "has no field ''"),
    ],
)
def test_a_field_that_is_not_there_is_answered_with_its_neighbours(path, hint):
    with pytest.raises(UsageError) as refused:
        find_field(common.get_config(), path)
    assert f"the config has no field {path!r}" in str(refused.value)
    assert hint in str(refused.value)


@pytest.mark.parametrize(
    "text, message",
    [
        ("def get_config(variant=None:\n", "mine.py, line 1: "),
        ("import nowhere_at_all\n", "mine.py, line 1: ModuleNotFoundError: No module named"),
        ("x = 1\n", "mine.py has no function get_config(variant=None)"),
        (
            "from configs import common\ndef get_config(variant=None):\n"
            "    config = common.get_config()\n    config.modle.width = 1.0\n",
            "mine.py, line 4: AttributeError: ",
        ),
        (
            "from configs import common\ndef get_config(variant=None):\n"
            "    config = common.get_config()\n    config.epochs = 'many'\n",
            "mine.py, line 4: TypeError: ",
        ),
        ("def get_config():\n    return None\n", "mine.py: TypeError: get_config() takes 0"),
        ("def get_config(variant):\n    return {}\n", "get_config returns a dict; expected an ml_"),
        ("def get_config(variant):\n    pass\n", "get_config returns a NoneType"),
        ("\0", "mine.py"),
    ],
)
def test_a_file_of_ones_own_that_fails_is_answered_with_its_line(tmp_path, text, message):
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(UserError) as refused:
        load_config(str(tmp_path / "mine.py"))
    assert message in str(refused.value) and refused.value.exit_code == 1
    assert "\n" not in str(refused.value)


def test_a_folder_is_no_config(tmp_path):
    with pytest.raises(UserError, match="is a folder; name a file in it"):
        load_config(str(tmp_path))
