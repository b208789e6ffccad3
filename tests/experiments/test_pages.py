"""An experiment's page: the papers' tables in their order, and a reason for each missing picture."""

import importlib
import json

import numpy as np
import pytest
from PIL import Image

from experiments import figures, ledger_join, paper_tables, pictures
from experiments.harness import build
from experiments.ledger import NUMBERS
from experiments.paper_figures import FIGURES, PaperFigure
from fer_jax.configuring import REPOSITORY
from fer_jax.report.results import Run, Study

EXPERIMENTS = {
    name: importlib.import_module(f"experiments.{name}").EXPERIMENT for name in FIGURES
}


def tables_of(paper):
    numbers = json.loads((REPOSITORY / NUMBERS).read_text())
    entries = ledger_join.join([n for n in numbers if n["paper"] == paper], [], {})
    return paper_tables.build(paper, entries, [])


def test_a_number_stands_in_each_table_that_prints_it():
    tables = {table.title.partition(":")[0]: table for table in tables_of("dong2021")}
    assert list(tables) == ["Table 1", "Table 2", "Table 3", "Table 4", paper_tables.IN_TEXT]
    # The paper's Tables 1 and 2 both have the final network's 86.31 %.
    for name in ("Table 1", "Table 2"):
        assert any("86.31" in row[1] for row in tables[name].rows)


@pytest.mark.parametrize("paper", ["li2023", "bokanyi", "dong2021", "dick2024", "gao"])
def test_no_number_of_a_paper_is_left_out(paper):
    numbers = json.loads((REPOSITORY / NUMBERS).read_text())
    shown = {row[0].partition(" (cited")[0] for table in tables_of(paper) for row in table.rows}
    assert shown == {n["quantity"] for n in numbers if n["paper"] == paper}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_figures_are_of_runs_that_the_experiment_lists(name):
    specs = {spec.name for specs in EXPERIMENTS[name].specs.values() for spec in specs}
    wanted = {
        part.partition("}")[0]
        for figure in FIGURES[name] for path in figure.pictures for part in path.split("{")[1:]
    }
    assert wanted <= specs
    # A figure without a picture says why.
    assert all(figure.pictures or figure.note for figure in FIGURES[name])


def test_a_figure_shows_the_first_seed_and_says_why_pictures_are_missing(tmp_path):
    (tmp_path / "figures").mkdir()
    Image.new("L", (40, 20)).save(tmp_path / "figures" / "curve-vgg-0-loss.png")
    runs = [Run(f"vgg-{s}", "vgg", "", {"seed": s}, [], None) for s in (1, 0)]
    runs.append(Run("B-0", "B", "", {}, [{"epoch": 1}], None))
    listed = PaperFigure("Figure 6", "curves", tuple(
        f"figures/curve-{{{run}}}-loss.png" for run in ("vgg", "B", "C")
    ))
    (shown,) = figures.resolve((listed,), Study("s", runs, True), tmp_path, {})
    assert [path.name for path in shown.pictures] == ["curve-vgg-0-loss.png"]
    assert shown.missing == ("B is not finished", "C is not run at this scale")
    head, text = figures.caption(shown, synthetic=False)
    assert head == "Figure 6" and "vgg, seed 0 (of 2)" in text and "Missing: B" in text
    # Drawn at two pixels to one of the screen.
    assert 'width="20" height="10"' in figures.html([shown], tmp_path, synthetic=False)


def test_the_same_pixels_under_two_labels_are_found_once_and_constant_ones_apart():
    images = np.zeros((6, 2, 2, 1), np.uint8)
    images[[1, 4], 0] = 7  # a picture that stands there twice, labelled 0 and 3
    images[[2, 3], 1] = 9  # and one that is labelled 2 both times
    labels = np.array([0, 0, 2, 2, 3, 1])
    constant = np.array([True, False, False, False, False, True])
    assert pictures.conflicting(images, labels, constant).tolist() == [1]


def test_alexnet_keeps_the_maps_that_the_page_shows():
    for scale in ("smoke", "cpu", "full"):
        runs = build(EXPERIMENTS["dick2024"], scale).runs
        assert runs["alexnet_as_printed"].evaluation.feature_maps == ("conv1", "conv2")
