"""What two forms of a run learned is read from their metrics and compared seed by seed."""

import json

import pytest

from benchmarks import winograd_accuracy


def row(form, seed, accuracy):
    return {"form": form, "seed": seed, "accuracy": accuracy, "loss": 1.0}


def test_the_last_epochs_validation_counts(tmp_path):
    epochs = [{"epoch": n, "validation_accuracy": n / 10, "validation_loss": 1 / n} for n in (1, 2)]
    lines = [*epochs, {"epoch": 2, "note": "no accuracy"}]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert winograd_accuracy.read(tmp_path) == {"accuracy": 0.2, "loss": 0.5}


def test_differences_are_of_the_same_seed_and_a_seed_half_done_has_none():
    rows = [row("winograd", 0, 0.5), row("taps", 0, 0.4), row("winograd", 1, 0.6)]
    found = winograd_accuracy.compare(rows)
    assert found["differences"] == [pytest.approx(0.1)]
    assert found["winograd"]["mean"] == pytest.approx(0.55)
    assert found["difference"]["n"] == 1
    # Student's t of one degree of freedom, 12.706, times sd / sqrt(2) = .1 / 2 for .1 and .2.
    found = winograd_accuracy.compare([*rows, row("taps", 1, 0.4)])
    assert found["difference"]["high"] == pytest.approx(0.15 + 12.706 * 0.05, abs=1e-4)


def test_seeds_that_are_no_numbers_are_named(capsys):
    assert winograd_accuracy.main(["--config=configs/resnet9.py:small", "--seeds=a"]) == 2
    assert "--seeds is 'a'; expected numbers" in capsys.readouterr().err
