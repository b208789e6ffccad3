"""Two runs compared on the same faces: counts by hand, the grid's order, refusals."""

import json

import numpy as np
import pytest

from fer_jax import compare, finished, host, results, writers
from fer_jax.data import Split
from fer_jax.errors import UserError
from tests import told

SAID_A = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7], [0.5, 0.5]])
SAID_B = np.array([[0.8, 0.2], [0.9, 0.1], [0.3, 0.7], [0.4, 0.6], [0.1, 0.9]])
LABELS = [0, 0, 1, 0, 0]


def pair(split="test"):
    return [
        told.predictions(said, labels=LABELS, split=split, run=run)
        for said, run in ((SAID_A, "a"), (SAID_B, "b"))
    ]


def test_two_models_are_compared_by_hand():
    found = compare.compare(*pair())
    # A answers 0 1 0 1 0, B 0 0 1 1 1; the labels are 0 0 1 0 0.
    assert found["counts"] == {"both": 1, "only_a": 1, "only_b": 2, "neither": 1}
    assert [row["accuracy"] for row in found["accuracies"]] == [0.4, 0.6]
    assert found["agreement"] == 0.4 and found["difference"]["value"] == pytest.approx(-0.2)
    # Three fair coins of which at most one or at least two fall so: every outcome, p = 1.
    assert found["mcnemar"] == {"test": "exact", "statistic": None, "p": 1.0}


def test_disagreements_come_with_the_surest_first():
    # Different answers at faces 1, 2 and 4; the less sure of the two has .8, .6 and .5 there.
    assert compare.disagreements(*pair()).tolist() == [1, 2, 4]
    assert compare.disagreements(*reversed(pair())).tolist() == [1, 2, 4]
    a, _ = pair()
    assert compare.disagreements(a, a).size == 0


def test_other_faces_are_refused():
    a, b = pair()
    with pytest.raises(UserError, match="a and b cannot be compared face by face: the labels"):
        compare.compare(a, b._replace(labels=1 - b.labels))


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Make two runs' folders whose predictions and faces are made up."""
    monkeypatch.setattr(host, "prepare_process", lambda: None)
    monkeypatch.setenv("COLUMNS", "80")
    for name in "ab":
        held = {"run": name, "model": "vgg", "variant": None, "config_hash": "0" * 12, "seed": 0,
                "commit": None, "weights": "best", "weights_step": 4, "dataset": "fer2013",
                "protocol": "official", "config": {}}
        (tmp_path / name).mkdir()
        writers.write_json(tmp_path / name / "results.json", held)
    n = 60
    said = {
        (split, run): told.predictions(
            n=n, split=split, run=run, seed=i, skill=2.0, faces_seed=len(split)
        )
        for split in ("validation", "test") for i, run in enumerate("ab")
    }
    for key, held in said.items():
        if key[0] == "test":
            said[key] = held._replace(keys=held.keys + np.uint32(1_000_000))
    monkeypatch.setattr(
        finished, "read_predictions",
        lambda workdir, *, split, **faces: said[split, workdir.name],
    )
    test = said["test", "a"]
    images = np.random.default_rng(0).integers(0, 256, (n, 48, 48, 1), np.uint8)
    split = Split(images, test.labels, test.keys, test.rows)
    monkeypatch.setattr(results, "load_data", lambda config, data_dir: {"test": split})
    return tmp_path


def test_the_command_writes_numbers_and_faces(runs, capsys):
    out = runs / "out"
    command = [str(runs / "a"), str(runs / "b"), f"--out={out}", "--faces=7"]
    assert compare.main(command) == 0
    said = capsys.readouterr().out
    assert "60 test faces" in said and "McNemar's test, exact" in said and "ECE" in said
    assert max(map(len, said.splitlines()[:-1])) <= 80
    held = json.loads((out / "comparison.json").read_text())
    assert sum(held["counts"].values()) == held["n"] == 60
    assert held["calibration"][0]["temperature"] > 0
    different = round(60 * (1 - held["agreement"]))
    page = (out / "comparison.html").read_text()
    assert f"7 of {different} test faces with different answers" in page
    pictures = {path.name for path in (out / "figures").iterdir()}
    assert pictures == {"disagreements.png", "reliability-a.png", "reliability-b.png"}


def test_without_the_faces_the_numbers_are_there_still(runs, monkeypatch, capsys):
    def gone(config, data_dir):
        raise UserError("the faces of fer2013 are not prepared")

    monkeypatch.setattr(results, "load_data", gone)
    out = runs / "out"
    assert compare.main([str(runs / "a"), str(runs / "b"), f"--out={out}"]) == 0
    assert "are not here to be shown: the faces of fer2013" in (out / "comparison.html").read_text()
    assert not (out / "figures" / "disagreements.png").exists()


@pytest.mark.parametrize("field, value", [("dataset", "raf_db"), ("protocol", "keras80")])
def test_runs_of_other_faces_are_refused_before_any_is_asked(runs, capsys, field, value):
    path = runs / "b" / "results.json"
    writers.write_json(path, json.loads(path.read_text()) | {field: value})
    assert compare.main([str(runs / "a"), str(runs / "b")]) == 1
    assert f"their {field}s are" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments, code, message",
    [
        (["a", "a"], 2, "is given twice; name two runs"),
        (["a"], 2, "the following arguments are required: WORKDIR"),
        (["a", "b", "--faces=0"], 2, "--faces=0: expected 1 or more"),
        (["a", "b", "--split=tset"], 2, "Did you mean 'test'"),
        (["a", "nowhere"], 1, "has no results.json"),
    ],
)
def test_wrong_usage_is_answered(runs, monkeypatch, capsys, arguments, code, message):
    monkeypatch.chdir(runs)
    assert compare.main(arguments) == code
    assert message in capsys.readouterr().err
