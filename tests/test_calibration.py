"""Calibration error of constructions whose value is known, and a temperature that is found again."""

import json

import numpy as np
import pytest

from fer_jax import calibration, finished, host
from fer_jax.errors import UserError
from tests import told


def answers(confidence, *, right, n=100, k=4):
    """Make n faces of label 0 whose answer has one confidence and is right at a share of them."""
    probabilities = np.full((n, k), (1 - confidence) / (k - 1))
    named = np.where(np.arange(n) < round(right * n), 0, 1)
    probabilities[np.arange(n), named] = confidence
    return probabilities, np.zeros(n, int)


def ece(probabilities, labels, **options):
    return calibration.expected_calibration_error(
        calibration.reliability(probabilities, labels, **options)
    )


def both(*groups):
    return (np.concatenate(parts) for parts in zip(*groups))


@pytest.mark.parametrize("equal_mass", [False, True])
def test_calibrated_answers_have_no_error(equal_mass):
    # 50 % sure and right at 50 of 100; 90 % sure and right at 90. Two bins of equal mass split so.
    probabilities, labels = both(answers(0.5, right=0.5), answers(0.9, right=0.9))
    bins = 2 if equal_mass else 15
    assert ece(probabilities, labels, bins=bins, equal_mass=equal_mass) == pytest.approx(0)


def test_the_error_is_the_mean_gap_over_faces():
    # Gaps |.9 - .6| = .3 over 100 faces and |.5 - .7| = .2 over 300: (30 + 60) / 400.
    probabilities, labels = both(answers(0.9, right=0.6), answers(0.5, right=0.7, n=300))
    assert ece(probabilities, labels) == pytest.approx(0.225)
    # In one bin only the means count: confidence .6, accuracy .675.
    assert ece(probabilities, labels, bins=1) == pytest.approx(0.075)


def test_bins_are_open_below_and_closed_above():
    p = np.array([[1 / 3, 1 / 3, 1 / 3], [2 / 3, 1 / 3, 0], [0.68, 0.32, 0], [1, 0, 0]])
    held = calibration.reliability(p, np.zeros(4, int), bins=3)
    assert held.counts.tolist() == [1, 1, 2]
    empty = calibration.reliability(p[3:], np.zeros(1, int), bins=3)
    assert np.isnan(empty.accuracy[:2]).all() and empty.accuracy[2] == 1
    even = calibration.reliability(p, np.zeros(4, int), bins=2, equal_mass=True)
    assert even.counts.tolist() == [2, 2] and even.edges.tolist() == [0, 0.68, 1]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_of_scaled_logits_is_found_again(temperature):
    # Labels drawn from the model's own probabilities are calibrated, up to the draw: at 40,000
    # faces the estimate's sd is under 1 %. What scales the logits scales the estimate, exactly.
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 2, (40_000, 5))
    base = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = (generator.random((40_000, 1)) > base.cumsum(1)).sum(1).clip(0, 4)
    own = calibration.fit_temperature(told.predictions(base, labels=labels))
    assert own == pytest.approx(1, abs=0.03)
    scaled = told.predictions(calibration.scale(base, 1 / temperature), labels=labels)
    # float32 probabilities carry their logarithms to 1e-7 of 1.
    assert calibration.fit_temperature(scaled) == pytest.approx(temperature * own, rel=1e-3)


def test_a_temperature_changes_no_answer_and_mends_too_much_confidence():
    said = [told.predictions(n=900, skill=2.0, seed=i, split=s, faces_seed=i)
            for i, s in enumerate(("validation", "test"))]
    said[1] = said[1]._replace(keys=said[1].keys + 1)
    bold = [
        p._replace(probabilities=calibration.scale(p.probabilities, 0.25).astype(np.float32))
        for p in said
    ]
    found = calibration.calibrate(*bold)
    # Labels raised by 2 above noise of variance 1 make logits calibrated when doubled (the ratio
    # of two normal densities), so those times 4 want T = 2; 900 faces know it to about 5 %.
    assert found["temperature"] == pytest.approx(2, rel=0.15)
    assert found["after"]["ece"] < found["before"]["ece"] / 2
    assert found["after"]["loss"] < found["before"]["loss"]
    after = calibration.scale(bold[1].probabilities, found["temperature"])
    np.testing.assert_array_equal(after.argmax(1), bold[1].answers)


def test_a_temperature_of_test_faces_is_refused():
    test = told.predictions(split="test")
    with pytest.raises(UserError, match="a temperature must come from the split validation"):
        calibration.fit_temperature(test)
    # The same faces under another name, as "public" is validation under `official`.
    with pytest.raises(UserError, match="faces of public are validation faces"):
        calibration.calibrate(told.predictions(), told.predictions(split="public"))


def test_the_summary_by_hand():
    found = calibration.summarise(np.array([[0.8, 0.2], [0.6, 0.4]]), np.array([0, 1]))
    assert found["loss"] == pytest.approx(-(np.log(0.8) + np.log(0.4)) / 2)
    assert found["brier"] == pytest.approx((2 * 0.2**2 + 2 * 0.6**2) / 2)
    assert found["confidence"] == pytest.approx(0.7)
    assert found["ece"] == pytest.approx((0.2 + 0.6) / 2)


@pytest.mark.parametrize("split", ["train", "validation", "tset"])
def test_splits_that_measure_nothing_are_wrong_usage(split, capsys):
    assert calibration.main(["nowhere", f"--split={split}"]) == 2
    assert f"--split={split}" in capsys.readouterr().err


def test_the_command_writes_the_diagram_and_both_states(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(host, "prepare_process", lambda: None)
    monkeypatch.setenv("COLUMNS", "80")
    said = {split: told.predictions(n=90, skill=2.0, split=split, faces_seed=len(split))
            for split in ("validation", "test")}
    said["test"] = said["test"]._replace(keys=said["test"].keys + np.uint32(1_000_000))
    monkeypatch.setattr(
        finished, "read_predictions", lambda workdir, *, split, **faces: said[split]
    )
    assert calibration.main([str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "Calibration on 90 test faces" in out and "told, T = 1 " in out
    held = json.loads((tmp_path / "calibration" / "calibration.json").read_text())
    assert held["of"]["run"] == "told" and held["before"].keys() == held["after"].keys()
    assert held["after"]["loss"] != held["before"]["loss"] and held["command"]
    assert (tmp_path / "calibration" / "reliability.png").stat().st_size > 1000


def test_a_workdir_without_a_run_is_answered(tmp_path, capsys):
    assert calibration.main([str(tmp_path)]) == 1
    assert "has no results.json; train the run first" in capsys.readouterr().err
