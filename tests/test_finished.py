"""A finished run opened again: only what is missing is evaluated, by the weights it ended with."""

import json
import shutil

import numpy as np
import pytest

from fer_jax import finished, lock, predictions, provenance, results, train
from fer_jax.errors import UserError
from tests import running, tiny_study


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("trained") / "linear"
    config = tiny_study.get_config("linear")
    config.epochs = 1
    train.train_and_evaluate(config, workdir)
    return workdir, config


@pytest.fixture
def run(trained, tmp_path):
    workdir = tmp_path / "linear"
    shutil.copytree(trained[0], workdir)
    return workdir, trained[1].copy_and_resolve_references()


def test_what_the_config_asks_anew_is_evaluated_and_nothing_else(run, monkeypatch):
    workdir, config = run
    before = running.read_results(workdir)["evaluations"]
    real, done = results.evaluate_once, []
    monkeypatch.setattr(
        results, "evaluate_once",
        lambda config, weights, split, entry, **options: (
            done.append((entry["split"], entry["strength"])),
            real(config, weights, split, entry, **options),
        )[1],
    )
    assert finished.complete(config, workdir)["evaluations"] == before
    assert not done

    config.evaluation.strengths = (0.5, 0.7)
    held = finished.complete(config, workdir)

    assert done == [("validation", 0.7), ("test", 0.7)]
    assert held["evaluations"][: len(before)] == before
    for entry in held["evaluations"][len(before) :]:
        assert entry["added"].keys() == {"versions", "commit", "device", "command"}
    assert held == json.loads((workdir / "results.json").read_text())
    assert held["config"]["evaluation"]["strengths"] == [0.5, 0.7]


def test_a_run_of_a_changed_training_is_not_completed(run):
    workdir, config = run
    config.optim.learning_rate = 1.0
    with pytest.raises(UserError, match=r"optim.learning_rate: 0.005 -> 1.0"):
        train.train_and_evaluate(config, workdir)


def test_the_weights_are_the_checkpoints(run):
    workdir, _ = run
    held, loaded, weights = finished.load_run(workdir)
    _, tree = running.read_checkpoint(workdir, step=held["weights_step"])
    kernel = tree["state"]["params"]["head"]["kernel"]
    np.testing.assert_array_equal(np.asarray(weights["params"]["head"]["kernel"]), kernel)
    assert loaded.splits["test"].labels.shape == (32,)


def test_evaluating_again_what_is_there_gives_the_same_entry(run, monkeypatch):
    workdir, _ = run
    monkeypatch.setattr(finished, "write_report", lambda workdir: None)
    before = running.read_results(workdir)["evaluations"]
    wanted = next(entry for entry in before if entry["strength"] == 0.5)
    added = finished.add_evaluation(
        workdir, split=wanted["split"], distortion="random_grey", strength=0.5, views="plain"
    )
    assert added == wanted
    assert running.read_results(workdir)["evaluations"] == before
    with pytest.raises(UserError, match="no split 'tset'. Did you mean 'test'"):
        finished.add_evaluation(
            workdir, split="tset", distortion="clean", strength=0.0, views="plain"
        )


def test_an_added_entry_says_where_it_is_from_once(run, monkeypatch):
    workdir, _ = run
    monkeypatch.setattr(finished, "write_report", lambda workdir: None)
    before = running.read_results(workdir)["evaluations"]
    for command in ("first", "second"):
        monkeypatch.setattr(provenance, "command", lambda command=command: command)
        finished.add_evaluation(
            workdir, split="test", distortion="gaussian", strength=0.1, views="flip"
        )
        *others, added = running.read_results(workdir)["evaluations"]
        assert others == before
        # The second gave the same numbers, so the entry stays the first's.
        assert added["added"]["command"] == "first"


def test_a_run_in_use_takes_no_evaluation(run):
    workdir, _ = run
    with lock.hold(workdir), pytest.raises(UserError, match="linear is in use by process"):
        finished.add_evaluation(
            workdir, split="test", distortion="clean", strength=0.0, views="plain"
        )


def test_a_run_that_is_not_finished_says_so(tmp_path):
    with pytest.raises(UserError, match="has no results.json; train the run first"):
        finished.load_run(tmp_path)


def test_what_a_run_said_of_clean_faces_is_kept_and_what_was_not_is_asked(run, capsys):
    workdir, _ = run
    assert {path.name for path in (workdir / "predictions").iterdir()} == {
        "validation.npz", "test.npz"
    }
    held = running.read_results(workdir)
    kept = finished.read_predictions(workdir, split="test")
    assert kept.about["config_hash"] == held["config_hash"] and kept.split == "test"
    clean = next(e for e in held["evaluations"] if (e["split"], e["strength"]) == ("test", 0.0))
    assert kept.accuracy == clean["accuracy"]
    assert kept.loss == pytest.approx(clean["loss"], rel=1e-6)
    assert not capsys.readouterr().err

    (workdir / "predictions" / "test.npz").unlink()
    asked = finished.read_predictions(workdir, split="test")
    assert "has no predictions/test.npz; asking" in capsys.readouterr().err
    np.testing.assert_array_equal(asked.probabilities, kept.probabilities)
    np.testing.assert_array_equal(asked.keys, kept.keys)
    assert asked.about == kept.about and not (workdir / "predictions" / "test.npz").exists()


def test_predictions_of_another_training_are_not_taken(run, capsys):
    workdir, _ = run
    path = workdir / "predictions" / "test.npz"
    said = predictions.load(path)
    older = said._replace(
        probabilities=said.probabilities[::-1], about=said.about | {"config_hash": "f" * 12}
    )
    predictions.save(path, older)
    asked = finished.read_predictions(workdir, split="test")
    np.testing.assert_array_equal(asked.probabilities, said.probabilities)


def test_an_added_evaluation_keeps_what_it_was_made_of(run, monkeypatch, tmp_path):
    workdir, _ = run
    monkeypatch.setattr(finished, "write_report", lambda workdir: None)
    added = finished.add_evaluation(
        workdir, split="test", distortion="blur", strength=1.1, views="plain",
        probabilities_path=tmp_path / "p.npz",
    )
    kept = predictions.load(workdir / "predictions" / "test-blur-1.1.npz")
    assert kept.accuracy == added["accuracy"]
    copy = predictions.load(tmp_path / "p.npz")
    np.testing.assert_array_equal(copy.probabilities, kept.probabilities)
