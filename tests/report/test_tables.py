"""The tables hold the results' numbers, beside the paper's, and fit a terminal."""

import io
import json

import numpy as np
import pytest
from rich.console import Console

from fer_jax import data
from fer_jax.data import ferplus
from fer_jax.errors import UserError
from fer_jax.report import html, print_tables, tables, wording, write_report
from fer_jax.report.paper import LI_TABLES
from fer_jax.report.results import EMOTIONS, read_study
from tests.report.fakes import KINDS, STRENGTHS, evaluation, write_run, write_study


def test_emotions_are_in_the_order_of_the_data():
    assert EMOTIONS == data.EMOTIONS


@pytest.mark.parametrize(
    ("protocol", "eighth"), [("ferplus:majority:no-nf", "contempt"), ("official", "class 7")]
)
def test_an_eighth_class_is_contempt_only_with_ferplus(tmp_path, protocol, eighth):
    found = write_run(tmp_path / "vgg", "vgg", dataset="fer2013")
    for entry in found["evaluations"]:
        counts = np.zeros((8, 8), int)
        counts[:7, :7] = entry["confusion"]
        counts[7, 7] = 9
        scores = {name: [*values, 1.0] for name, values in entry["per_class"].items()}
        entry |= {"confusion": counts.tolist(), "per_class": scores}
    found["protocol"] = protocol
    (tmp_path / "vgg" / "results.json").write_text(json.dumps(found))
    study = read_study(tmp_path / "vgg")
    rows = tables.recalls(study, distorted=False).rows
    assert [row[0] for row in rows] == [*data.EMOTIONS, eighth]
    assert rows[7][1] == "100.0 %"
    page = write_report(tmp_path / "vgg").read_text()
    # In the figures, which are pictures of text, and in the words that stand for them.
    assert page.count(eighth) >= 2 and f"{eighth} 100 % right" in page
    said = "the test those that anybody gave an emotion (3,573 in the whole dataset)" in page
    assert said == (eighth == "contempt")


@pytest.mark.parametrize("protocol", [*ferplus.TRAINED, *(f"majority:{r}" for r in ferplus.RULES)])
def test_every_rule_of_ferplus_has_a_meaning(tmp_path, protocol):
    found = write_run(tmp_path / "vgg", "vgg", dataset="fer2013")
    found["protocol"] = f"ferplus:{protocol}"
    (tmp_path / "vgg" / "results.json").write_text(json.dumps(found))
    notes = wording.notes(read_study(tmp_path / "vgg"))
    assert any(f"Protocol ferplus:{protocol}: as official, by FER+'s votes" in n for n in notes)


PLACES = {"vgg": "Table 2", "A": "Table 3", "B": "Table 4"}


@pytest.mark.parametrize(("kind", "place"), PLACES.items())
def test_li_tables_set_the_paper_beside_the_results(tmp_path, kind, place):
    write_study(tmp_path / "s", ("dae", "vgg", "A", "B"), dataset="fer2013")
    table = next(t for t in tables.li_tables(read_study(tmp_path / "s")) if place in t.title)
    for row, name, distortion, strength in (
        (table.rows[0], "clean", "clean", 0.0),
        (table.rows[1], "distorted", "random_grey", 0.3),
    ):
        ours = evaluation(kind, "test", distortion, strength)
        loss, accuracy = LI_TABLES[kind][name]
        assert row[:4] == (name, f"{loss:.4f}", f"{ours['loss']:.4f}", f"{100 * accuracy:.2f} %")
        assert row[4].removesuffix(" collapsed") == f"{100 * ours['accuracy']:.2f} %"
        ends = (100 * ours["accuracy_low"], 100 * ours["accuracy_high"])
        assert row[5] == "{:.1f}–{:.1f}".format(*ends)


def test_a_run_evaluated_by_several_views_alone_has_its_numbers_and_says_so(tmp_path):
    found = write_run(tmp_path / "vgg", "vgg", dataset="fer2013")
    plain = tables.accuracies(read_study(tmp_path / "vgg"))
    for entry in found["evaluations"]:
        entry["views"] = "flip"
    (tmp_path / "vgg" / "results.json").write_text(json.dumps(found))
    flipped = tables.accuracies(read_study(tmp_path / "vgg"))
    assert flipped.rows == plain.rows and "%" in flipped.rows[0][3]
    assert flipped.notes == (*plain.notes, "By flip views, averaged: Plain VGG.")
    # Where there are plain ones, they stand for the run.
    found["evaluations"] += [entry | {"views": None} for entry in found["evaluations"]]
    (tmp_path / "vgg" / "results.json").write_text(json.dumps(found))
    assert tables.accuracies(read_study(tmp_path / "vgg")).notes == plain.notes


def test_a_collapsed_run_is_marked_in_its_table_and_no_other(tmp_path):
    write_study(tmp_path / "s", ("vgg", "A", "B"))
    marked = [
        any("collapsed" in cell for row in table.rows for cell in row)
        for table in tables.li_tables(read_study(tmp_path / "s"))
    ]
    assert marked == [False, False, True]


def test_a_run_that_is_missing_keeps_its_table_with_dashes(tmp_path):
    write_study(tmp_path / "s", ("vgg",))
    table = tables.li_tables(read_study(tmp_path / "s"))[1]
    assert table.rows[0] == ("clean", "1.0838", "—", "58.74 %", "—", "—")
    assert table.notes == ("Not run here.",)


def test_reconstruction_has_every_strength_and_the_papers_number(tmp_path):
    write_study(tmp_path / "s", ("dae",), dataset="fer2013")
    table = tables.reconstruction(read_study(tmp_path / "s"))
    # The fake's loss at strength s is 0.551 + 0.02 s; clean is s = 0.
    expected = [f"{0.551 + 0.02 * s:.4f}" for s in (0.0, *STRENGTHS)]
    assert [row[-1] for row in table.rows] == [*expected, "0.5528"]
    assert [row[0] for row in table.rows if "chosen" in row[0]] == ["p = 0.3 (chosen)"]
    assert "0.5442" in table.notes[-1]


def test_the_entropy_of_real_training_faces_is_not_named_for_synthetic_ones(tmp_path):
    write_study(tmp_path / "s", ("dae",))
    assert "0.5442" not in str(tables.reconstruction(read_study(tmp_path / "s")))


def test_every_table_of_synthetic_numbers_says_so(tmp_path):
    write_study(tmp_path / "s", tuple(KINDS))
    study = read_study(tmp_path / "s")
    found = [
        *tables.li_tables(study), tables.ours_only(study), tables.classifiers(study),
        tables.reconstruction(study), tables.recalls(study, distorted=True),
        tables.all_evaluations(study),
    ]
    assert all("synthetic" in t.title or "synthetic" in " ".join(t.columns) for t in found)


def test_the_private_half_has_a_table_only_where_the_test_is_more(tmp_path):
    found = write_run(tmp_path / "vgg", "vgg", dataset="fer2013")
    assert tables.private_half(read_study(tmp_path / "vgg")) is None
    half = evaluation("vgg", "private", "clean", 0.0) | {"n": 140, "accuracy": 0.625}
    others = [e for e in found["evaluations"] if e["split"] != "private"]
    found["evaluations"] = [*others, half]
    (tmp_path / "vgg" / "results.json").write_text(json.dumps(found))
    assert tables.private_half(read_study(tmp_path / "vgg")).rows[0][1] == "62.50 %"


def test_markdown_has_a_line_a_row_and_escapes_bars():
    table = tables.Table("T", ("a", "b"), [("x|y", "1"), ("<z>", "2")], ("Note.",))
    assert tables.markdown(table).splitlines() == [
        "**T**", "", "| a | b |", "|---|---:|", "| x\\|y | 1 |", "| &lt;z> | 2 |", "", "Note.",
    ]


@pytest.mark.parametrize("dataset", ["synthetic", "fer2013"])
def test_printed_tables_fit_80_columns_without_a_terminal(tmp_path, capsys, dataset):
    write_study(tmp_path / "s", tuple(KINDS), dataset=dataset)
    print_tables(tmp_path / "s")
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 80
    for text in ("Table 2", "Table 3", "Table 4", "Linear baseline", "58.78 %", "33.21 %"):
        assert text in printed
    assert ("synthetic" in printed) == (dataset == "synthetic")
    assert "…" not in printed


def test_tables_can_be_printed_in_ascii(tmp_path):
    write_run(tmp_path / "linear", "linear")
    with (tmp_path / "out.txt").open("w", encoding="ascii") as file:
        print_tables(tmp_path / "linear", console=Console(file=file, width=200))
    printed = (tmp_path / "out.txt").read_text(encoding="ascii")
    assert "Linear baseline" in printed and max(map(len, printed.splitlines())) <= 80


def test_a_folder_without_results_is_refused_with_what_to_do(tmp_path):
    with pytest.raises(UserError, match="Nothing to report in .*Train first"):
        print_tables(tmp_path)


@pytest.mark.parametrize(
    ("dataset", "protocol"), [("raf_db", "holdout:10"), ("fer2013", "ferplus:majority")]
)
def test_li_numbers_stand_only_beside_the_papers_own_labels(tmp_path, dataset, protocol):
    study = tmp_path / "s"
    write_study(study, ("dae", "vgg", "A", "linear"), dataset="fer2013")
    listed = json.loads((study / "results.json").read_text())
    for item in listed:
        item |= {"dataset": dataset, "protocol": protocol}
    (study / "results.json").write_text(json.dumps(listed))
    read = read_study(study)
    assert tables.li_tables(read) == [] and tables.ours_only(read) is None
    console = Console(width=80, record=True, file=io.StringIO())
    print_tables(study, console=console)
    printed = console.export_text() + write_report(study).read_text()
    assert "Test split" in printed and "All classifiers" in printed
    for number in ("58.78", "1.0838", "0.5528"):
        assert (number in printed) == (number == "0.5528" and dataset == "fer2013")


def test_an_average_stands_beside_the_weights_as_trained_and_nowhere_else(tmp_path):
    found = write_run(tmp_path / "vgg", "vgg", dataset="fer2013")
    raw = [
        entry | {"weights": "raw", "accuracy": 0.1234, "loss": 9.8765}
        for entry in found["evaluations"]
    ]
    # In front, so that whoever takes the first one takes a wrong one.
    found |= {"weights": "ema", "evaluations": [*raw, *found["evaluations"]]}
    (tmp_path / "vgg" / "results.json").write_text(json.dumps(found))
    study = read_study(tmp_path / "vgg")
    table = tables.averages(study)
    assert [row[1] for row in table.rows] == ["clean", "distorted"]
    for row in table.rows:
        assert row[3] == "9.8765" and row[5].startswith("12.3") and "12.3" not in row[4]
    others = [tables.classifiers(study), tables.accuracies(study), tables.private_half(study)]
    assert "12.3" not in str(others) and "9.8765" not in str(others)
    every = tables.all_evaluations(study).rows
    assert sum("raw weights" in row[3] for row in every) == len(raw) == len(every) / 2
    (run,) = study.runs
    assert not any("weights" in e for e in run.by_strength("random_grey"))
    assert "Average of the weights, and the weights as trained" in html._averages(study)
    assert any("ema (the average over training" in note for note in wording.notes(study))
    write_run(tmp_path / "plain", "vgg", dataset="fer2013")
    assert tables.averages(read_study(tmp_path / "plain")) is None
