"""Which parameters of another run a network takes, and whose faces that run may have seen."""

import jax
import numpy as np
import pytest

from fer_jax import study, transfer
from fer_jax.errors import UserError
from tests import tiny_study


def network(classes: int, *, value: float, pool: bool = False):
    """Give a network's variables, all of one value."""
    params = {
        "conv1": {"kernel": np.full((3, 3, 1, 4), value), "bias": np.full(4, value)},
        "bn1": {"scale": np.full(4, value), "bias": np.full(4, value)},
        "head": {"kernel": np.full((4, classes), value), "bias": np.full(classes, value)},
    }
    if pool:
        params["pool1"] = {"kernel": np.full((4, 4), value)}
    stats = {"bn1": {"mean": np.full(4, value), "var": np.full(4, value)}}
    return {"params": params, "batch_stats": stats}


def test_a_regex_takes_the_same_names_with_their_statistics():
    theirs = network(7, value=2.0)
    taken = transfer.select("^(?!head/)", theirs, network(8, value=1.0))
    del theirs["params"]["head"]
    jax.tree.map(np.testing.assert_array_equal, taken, theirs)
    only = transfer.select("^conv", theirs, network(8, value=1.0))
    assert set(only) == {"params"} and set(only["params"]) == {"conv1"}
    merged = transfer.merge(network(8, value=1.0), taken)
    assert merged["params"]["head"]["bias"].tolist() == [1.0] * 8
    # 36 and 4 of the convolution, 4 and 4 of BatchNorm.
    assert transfer.count(taken) == 48


def test_what_a_regex_finds_must_be_there_and_fit():
    with pytest.raises(UserError, match=(
        r"init\['\^'\] takes 'head/kernel' of shape \(4, 8\), which the run it comes from has in "
        r"shape \(4, 7\); leave it out by a regex such as '\^\(\?!head/\)'"
    )):
        transfer.select("^", network(7, value=2.0), network(8, value=1.0))
    with pytest.raises(UserError, match="'pool1/kernel'.*does not have; leave it out.*pool1"):
        transfer.select("^", network(7, value=2.0), network(7, value=1.0, pool=True))
    with pytest.raises(UserError, match="found in no parameter's name; they are such as 'conv1"):
        transfer.select("^dense", network(7, value=2.0), network(7, value=1.0))


def test_a_part_is_the_whole_other_network():
    def hybrid(**part):
        return {"params": {"vgg": network(7, value=1.0, **part)["params"]},
                "batch_stats": {"vgg": network(7, value=1.0)["batch_stats"]}}

    theirs = network(7, value=2.0)
    taken = transfer.select("vgg", theirs, hybrid())
    assert taken == {kind: {"vgg": theirs[kind]} for kind in theirs}
    with pytest.raises(UserError, match=r"\['vgg'\] brings 'pool1/kernel' of shape None"):
        transfer.select("vgg", theirs, hybrid(pool=True))
    with pytest.raises(UserError, match="no such part. Did you mean 'vgg'"):
        transfer.select("vg", theirs, hybrid())


def find(reference, tmp_path, *, siblings=(), **changes):
    config = tiny_study.get_config("vgg")
    config.data.update(changes)
    pairs = {name: (tiny_study.get_config("vgg"), tmp_path / name) for name in siblings}
    return study.find_upstream(reference, "^(?!head/)", config, tmp_path / "w", siblings=pairs)


def test_a_run_on_another_dataset_keeps_its_own_faces(tmp_path):
    sibling, folder = find("runs.first", tmp_path, siblings=("first",), dataset="sfew")
    assert (sibling.data.dataset, folder) == ("synthetic", tmp_path / "first")
    file = "configs/vgg16.py:small"
    upstream, folder = find(file, tmp_path, dataset="sfew", protocol="holdout:10")
    assert (upstream.data.dataset, upstream.data.protocol) == ("fer2013", "official")
    assert folder == tmp_path / "w" / "upstream" / "vgg16-small"


def test_a_run_on_another_split_of_the_same_faces_is_refused(tmp_path):
    with pytest.raises(UserError, match="'first' it starts from differ in config.data, so one"):
        find("runs.first", tmp_path, siblings=("first",), sizes=(48, 16, 16))
    with pytest.raises(UserError, match="vgg16.py' it starts from differ in config.data"):
        find("configs/vgg16.py", tmp_path, dataset="fer2013", protocol="keras80")


def test_results_tell_what_was_taken_from_where(tmp_path, monkeypatch):
    config = tiny_study.get_config("vgg")
    config.init = {"^(?!head/)": "runs.first"}
    theirs = tiny_study.get_config("vgg")
    theirs.optim.learning_rate = 0.25
    shapes = transfer.shapes_of(theirs)
    weights = jax.tree.map(lambda leaf: np.full(leaf.shape, 0.5, np.float32), shapes)
    monkeypatch.setattr(study, "train_missing", lambda *args, **options: None)
    described = {"run": "first", "config_hash": "0123", "best_epoch": 1, "commit": "c"}
    monkeypatch.setattr(study, "load_start", lambda *args, **options: (weights, dict(described)))
    monkeypatch.setattr(study, "train_and_evaluate", lambda *args, **options: options)
    siblings = {"first": (theirs, tmp_path / "first")}
    found = study.run_one(config, tmp_path / "w", siblings=siblings)
    # All but the head: 8 x 7 and 7.
    count = transfer.count(shapes)
    assert found["upstream"] == {"^(?!head/)": {
        **described, "dataset": "synthetic", "taken": count - 63, "of": count,
    }}
    assert "head" not in found["start"]["params"] and set(found["start"]) == set(shapes)
