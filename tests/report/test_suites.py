"""Suites in the report and the terminal: every number, its reference, what is undefined."""

import io
import json

import numpy as np
import pytest
from rich.console import Console

from fer_jax.report import write_report
from fer_jax.report.results import read_study
from fer_jax.report.suites import comparison_table, heat_map, suite_table
from fer_jax.report.terminal import print_table
from tests.report import fakes

GROUPS = {
    "noise": ("gaussian_noise", "random_grey"), "blur": ("gaussian_blur",), "digital": ("jpeg",),
}


def suite(clean: float, *, filter_name: str = "", compared: bool = True) -> dict:
    """Give a suite of four corruptions whose accuracy falls by 4 points a severity."""
    names = [name for group in GROUPS.values() for name in group]
    cells = {
        name: [
            {"severity": s, "level": 0.1 * s, "accuracy": clean - 0.04 * s - 0.01 * i,
             "sd": 0.004 * s if "noise" in name else None, "accuracies": []}
            for s in range(1, 6)
        ]
        for i, name in enumerate(names)
    }
    errors = {
        "ce": dict.fromkeys(names, 0.875), "mce": 0.875, "undefined": [],
        "relative_ce": dict.fromkeys(names, 1.25) | {"jpeg": None}, "relative_mce": 1.25,
        "relative_undefined": ["jpeg"], "mce_untrained": 0.9, "relative_mce_untrained": 1.3,
    }
    return {
        "suite": "fer2013-c", "split": "test", "views": "plain", "filter": filter_name, "n": 100,
        "of": 3589, "draws": 10, "clean": clean, "cells": cells,
        "groups": {g: {"corruptions": [*n], "mean_accuracy": 0.5} for g, n in GROUPS.items()},
        "trained_on": ["random_grey"], "mean_accuracy": 0.512, "mean_accuracy_untrained": 0.523,
        "mean_accuracy_trained": 0.48,
        "reference": {"run": "vgg", "clean": 0.7, "draws": 10} if compared else None,
        "errors": errors if compared else None,
    }


@pytest.fixture
def workdir(tmp_path):
    for name, suites in (("vgg", [suite(0.7)]), ("A", [suite(0.6), suite(0.6, filter_name="nlm:0.1")])):
        (tmp_path / name).mkdir()
        held = fakes.result(name) | {"suites": suites}
        (tmp_path / name / "results.json").write_text(json.dumps(held))
    return tmp_path


def test_the_table_has_every_cell_and_its_marks():
    table = suite_table(suite(0.7))
    assert table.title == "FER2013-C, test, 100 of 3589 faces"
    # 70 - 4 s; mean 58; the greatest sd is .4 * 5 points.
    row = ("66.0", "62.0", "58.0", "54.0", "50.0", "58.0", "2.0", "87.5", "125.0")
    assert table.rows[0] == ("Gaussian noise", *row)
    assert [line[0] for line in table.rows[1:4]] == ["random grey*", "Gaussian blur", "JPEG"]
    assert table.rows[3][-3:] == ("—", "87.5", "—")
    assert table.rows[4][-4:] == ("51.2", "", "87.5", "125.0")
    assert table.rows[5][-4:] == ("52.3", "", "90.0", "130.0")
    notes = " ".join(table.notes)
    assert "errors in % of those of vgg (clean 70.0)" in notes
    assert "not defined where the reference loses nothing: JPEG" in notes
    assert "--reference=WORKDIR" in " ".join(suite_table(suite(0.7, compared=False)).notes)


def test_it_prints_in_eighty_columns():
    out = io.StringIO()
    print_table(suite_table(suite(0.7)), console=Console(file=out, width=200))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert any("random grey*" in line and "87.5" in line for line in lines)


def test_the_heat_map_writes_every_accuracy_and_darkens_with_it():
    figure = heat_map(suite(0.7), title="t", colour="#0067a5")
    (axes,) = figure.axes
    said = [text.get_text() for text in axes.texts]
    assert said[:6] == ["66.0", "62.0", "58.0", "54.0", "50.0", "58.0"] and len(said) == 24
    shades = [patch.get_alpha() for patch in axes.patches]
    order = np.argsort([-float(text) for text in said], kind="stable")
    assert np.all(np.diff(np.array(shades)[order]) <= 1e-9)
    assert "* trained on" in axes.get_xlabel()


def test_the_report_shows_the_suites_of_a_study(workdir):
    table = comparison_table(read_study(workdir), "fer2013-c")
    assert [row[0] for row in table.rows] == ["Plain VGG", "Hybrid A", "Hybrid A behind nlm:0.1"]
    page = write_report(workdir).read_text()
    assert "Under corruptions" in page and "Hybrid A, FER2013-C, test, behind nlm:0.1" in page
    names = {path.name for path in (workdir / "figures").iterdir()}
    assert {
        "fer2013-c-vgg-test-n100.png", "fer2013-c-A-test-n100.png",
        "fer2013-c-A-test-nlm-0-1-n100.png",
    } <= names
