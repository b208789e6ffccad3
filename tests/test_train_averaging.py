"""A run with an average of its weights and several batches an update: resumed, evaluated, used."""

import shutil
import signal

import jax
import numpy as np
import pytest

from fer_jax import finished, results, train
from fer_jax.errors import UserError
from tests import running
from tests.linear_run import STEPS, make_config, without_cost


# Three batches an update, four an epoch: an accumulation runs over the end of each epoch.
AVERAGED = {
    "ema": 0.9,
    "early_stopping": {"metric": "raw_accuracy"},
    "optim": {
        "name": "sgd", "nesterov": True, "learning_rate": 0.05, "accumulate": 3, "clip_norm": 1.0,
        "l2": 1e-4,
    },
}


@pytest.fixture(scope="module")
def averaged(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("averaged") / "w"
    return workdir, train.train_and_evaluate(make_config(**AVERAGED), workdir)


def test_a_run_goes_on_inside_an_accumulation(averaged, tmp_path, monkeypatch):
    workdir, step = tmp_path / "w", STEPS + 1  # one update, and two batches of the next
    with monkeypatch.context() as patch:
        running.send(patch, signal.SIGTERM, step=step)
        with pytest.raises(train.Stopped):
            train.train_and_evaluate(make_config(**AVERAGED), workdir)
    assert running.read_checkpoint(workdir)[0] == step
    train.train_and_evaluate(make_config(**AVERAGED), workdir)
    assert without_cost(workdir) == without_cost(averaged[0])
    assert running.read_rows(workdir) == running.read_rows(averaged[0])
    jax.tree.map(
        np.testing.assert_array_equal,
        running.read_checkpoint(workdir), running.read_checkpoint(averaged[0]),
    )


def test_an_average_is_evaluated_beside_the_weights_as_trained(averaged):
    workdir, held = averaged
    assert held["weights"] == "ema"
    rows = running.read_rows(workdir)
    best = max(rows, key=lambda row: (row["validation_raw_accuracy"], -row["epoch"]))
    assert held["best_epoch"] == best["epoch"]
    # Each evaluation of the best epoch's checkpoint by hand, with the weights that it names.
    _, tree = running.read_checkpoint(workdir, step=held["weights_step"])
    split = results.load_data(make_config(), None)["validation"]
    x = split.images.reshape(32, -1) / 255 - 0.5
    found = {}
    for name, state in ((None, tree["state"]["ema"]), ("raw", tree["state"])):
        head = state["params"]["head"]
        logits = x @ np.asarray(head["kernel"]) + np.asarray(head["bias"])
        each = np.log(np.exp(logits).sum(1)) - logits[np.arange(32), split.labels]
        (found[name],) = (
            e["loss"] for e in held["evaluations"]
            if e.get("weights") == name and (e["split"], e["strength"]) == ("validation", 0.0)
        )
        assert found[name] == pytest.approx(each.mean(), rel=1e-4)
    assert best["validation_loss"] == pytest.approx(found[None], rel=1e-6)
    assert best["validation_raw_loss"] == pytest.approx(found["raw"], rel=1e-6)
    assert abs(found["raw"] - found[None]) > 1e-3
    # What others build on, from an ensemble to a hybrid, is by the average.
    loaded = finished.load_run(workdir)
    ema = tree["state"]["ema"]["params"]["head"]["kernel"]
    np.testing.assert_array_equal(np.asarray(loaded.weights["params"]["head"]["kernel"]), ema)
    assert sum(1 for _ in (workdir / "predictions").iterdir()) == 2  # validation, test


def test_a_new_strength_is_evaluated_with_both_weights(averaged, tmp_path):
    shutil.copytree(averaged[0], tmp_path / "w")
    config = make_config(**AVERAGED)
    config.evaluation.update({"strengths": (0.7,), "splits": ("test",)})
    held = finished.complete(config, tmp_path / "w")
    *_, average, raw = held["evaluations"]
    assert [(e["strength"], e.get("weights")) for e in (average, raw)] == [(0.7, None), (0.7, "raw")]
    assert average["loss"] != raw["loss"]
    assert held["evaluations"][:-2] == averaged[1]["evaluations"]


def test_nothing_is_averaged_where_it_is_off(tmp_path):
    held = train.train_and_evaluate(make_config(epochs=1), tmp_path)
    assert "ema" not in running.read_checkpoint(tmp_path)[1]["state"]
    assert not any("weights" in entry for entry in held["evaluations"])
    assert set(running.read_rows(tmp_path)[0]) == {
        "epoch", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy",
        "learning_rate", "alarms",
    }


def test_more_batches_an_update_than_there_are_is_refused(tmp_path):
    with pytest.raises(UserError, match="accumulate is 13, and the whole run has 12 batches"):
        train.prepare(make_config(optim={"accumulate": 13}), tmp_path)
