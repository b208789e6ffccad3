"""The table that a grid is chosen from: validation numbers alone, the best first."""

import csv
import io
import json

import pytest
from rich.console import Console

from fer_jax.report import choices, print_tables, write_csv, write_report
from fer_jax.report.results import read_study
from tests.report.fakes import write_run

# Validation loss and accuracy of the kept epoch; None is NaN.
FOUND = {"a": (0.9, 0.61), "b": (1.0, 0.64), "c": (None, None), "d": (0.8, 0.64)}


@pytest.fixture
def workdir(tmp_path):
    """Write a grid of four points in two epochs each, of which the first is kept."""
    folder = tmp_path / "grid"
    for name, (loss, accuracy) in FOUND.items():
        held = write_run(folder / name, "vgg", dataset="fer2013")
        held |= {"run": name, "best_epoch": 1, "weights": "best"}
        (folder / name / "results.json").write_text(json.dumps(held))
        rows = [
            {"epoch": 1, "validation_loss": loss, "validation_accuracy": accuracy},
            {"epoch": 2, "validation_loss": 0.1, "validation_accuracy": 0.99},
        ]
        rows = [{"alarms": [], "train_loss": 1.0, "train_accuracy": 0.5, **row} for row in rows]
        (folder / name / "metrics.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    (folder / "d" / "results.json").unlink()
    points = {
        name: {"optim.learning_rate": 10.0 ** -i, "optim.l2": 0.0, "seed": i}
        for i, name in enumerate(FOUND)
    }
    (folder / "grid.json").write_text(json.dumps({"points": points}))
    return folder


def test_points_are_ranked_by_accuracy_then_loss_and_nan_is_last(workdir):
    table = choices.choices(read_study(workdir))
    assert table.columns == ("rank", "learning_rate", "seed", "epoch", "loss", "accuracy")
    # d is not finished, so its newest epoch stands for it.
    assert [row[1] for row in table.rows] == ["0.001", "0.1", "1", "0.01"]
    assert [row[0] for row in table.rows] == ["1 unfinished", "2", "3", "4"]
    assert table.rows[1][3:] == ("1", "1.0000", "64.00 %")
    assert table.rows[3][3:] == ("1", "—", "—")


def test_what_is_shown_has_no_test_number_and_fits_80_columns(workdir, capsys):
    (workdir / "d" / "results.json").write_text((workdir / "b" / "results.json").read_text())
    write_report(workdir)
    print_tables(workdir, console=Console(width=80))
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert "1 best" in out and "No test face is looked at" in " ".join(out.split())
    page = (workdir / "report.html").read_text()
    assert "the best of 4 points is d: accuracy 64.0" in page.replace("\N{NO-BREAK SPACE}", " ")
    tested = json.loads((workdir / "a" / "results.json").read_text())["evaluations"]
    (accuracy,) = {e["accuracy"] for e in tested if (e["split"], e["strength"]) == ("test", 0.0)}
    shown = page.split("<h2>Choice</h2>")[1].split("</section>")[0]
    assert f"{100 * accuracy:.2f}" not in shown + out


def test_the_csv_has_every_field_and_empty_cells_for_what_is_undefined(workdir):
    rows = list(csv.DictReader(io.StringIO(write_csv(workdir).read_text())))
    assert [row["point"] for row in rows] == ["d", "b", "a", "c"]
    assert rows[1] == {
        "point": "b", "optim.learning_rate": "0.1", "optim.l2": "0.0", "seed": "1", "epochs": "2",
        "best_epoch": "1", "validation_loss": "1.0", "validation_accuracy": "0.64",
    }
    assert rows[3]["validation_loss"] == rows[3]["validation_accuracy"] == ""


def test_seeds_are_not_chosen_but_averaged(workdir):
    points = {name: {"seed": i} for i, name in enumerate(("a", "b"))}
    (workdir / "grid.json").write_text(json.dumps({"points": points}))
    table = choices.choices(read_study(workdir))
    assert [row[0] for row in table.rows] == ["1", "2"]
    # Of 61 and 64 %: the mean, and 3 over the root of 2.
    assert table.notes == ("Mean 62.50 %, standard deviation 2.12 %.",)
