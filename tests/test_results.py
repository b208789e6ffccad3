"""What a run leaves behind, and who may write into its folder."""

import json

import pytest

from fer_jax import results, writers
from fer_jax.errors import UserError
from tests import tiny_study
from tests.tiny import make_parts


def test_a_folder_is_claimed_and_claimed_again(tmp_path):
    config = tiny_study.get_config("vgg")
    assert results.claim(tmp_path / "a" / "vgg", config) is None
    held = json.loads((tmp_path / "a" / "vgg" / "config.json").read_text())
    assert held["config"]["epochs"] == 3 and len(held["config_hash"]) == 12
    writers.write_json(tmp_path / "a" / "vgg" / "results.json", {"run": "vgg"})
    assert results.claim(tmp_path / "a" / "vgg", config) == {"run": "vgg"}


@pytest.mark.parametrize("begun", ["results.json", "checkpoints/12"])
def test_another_training_is_refused_and_the_fields_are_listed(tmp_path, begun):
    config = tiny_study.get_config("vgg")
    results.claim(tmp_path, config)
    (tmp_path / begun).parent.mkdir(exist_ok=True)
    writers.write_json(tmp_path / begun, {})
    config.optim.learning_rate = 0.25
    config.epochs = 4
    with pytest.raises(UserError) as refused:
        results.claim(tmp_path, config)
    lines = str(refused.value).splitlines()
    assert lines[1:3] == ["  config.epochs: 3 -> 4", "  config.optim.learning_rate: 0.005 -> 0.25"]
    assert "another --workdir" in lines[-1]
    # Nothing is overwritten by the attempt.
    assert json.loads((tmp_path / "config.json").read_text())["config"]["epochs"] == 3


def test_a_folder_where_nothing_was_trained_may_change_its_mind(tmp_path):
    config = tiny_study.get_config("vgg")
    results.claim(tmp_path, config)
    config.batch_size = 32
    assert results.claim(tmp_path, config) is None
    assert json.loads((tmp_path / "config.json").read_text())["config"]["batch_size"] == 32


def test_evaluations_are_each_split_clean_then_stronger(tmp_path):
    config = tiny_study.get_config("vgg")
    config.evaluation.strengths = (0.5, 0.1)
    config.evaluation.splits = ("test", "private")
    planned = results.planned_evaluations(config, {"test": None, "validation": None})
    # The study's own strength .3 is always there; "private" is not in this dataset.
    assert [(entry["split"], entry["distortion"], entry["strength"]) for entry in planned] == [
        ("test", "clean", 0.0), *(("test", "random_grey", s) for s in (0.1, 0.3, 0.5))
    ]


def test_parameters_are_counted_by_whether_they_train():
    config = tiny_study.get_config("A")
    _, _, state = make_parts(config)
    # DAE, 3x3 kernels 1-2-2-2-2-1: 20 + 3 x 38 + 19. VGG on 16x16: conv 40 + 296, dense
    # 4 x 4 x 8 x 8 + 8, head 63, and two numbers for each of 4 + 8 + 8 normed channels, which
    # have two running statistics as well.
    assert results.count_parameters(state, rules=config.optim.rules) == {
        "trainable": 40 + 296 + 1032 + 63 + 40, "frozen": 153, "non_trainable": 40,
    }
