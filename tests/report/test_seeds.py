"""Several seeds of one run: their mean, spread and interval, on the page and in the terminal."""

import json

import pytest
from rich.console import Console

from fer_jax.report import print_tables, write_report
from fer_jax.report.results import read_study
from fer_jax.report.seeds import over_seeds, seeds
from tests.report.fakes import write_run

ACCURACIES = (0.60, 0.62, 0.67)


@pytest.fixture
def workdir(tmp_path):
    """Write three seeds of one run, which the clean test faces tell apart."""
    folder, listed = tmp_path / "three", []
    for i, accuracy in enumerate(ACCURACIES):
        held = write_run(folder / f"seed{i}", "vgg", dataset="fer2013")
        held |= {"run": f"seed{i}", "seed": i, "config": {**held["config"], "seed": i}}
        for entry in held["evaluations"]:
            if (entry["split"], entry["distortion"]) == ("test", "clean"):
                entry["accuracy"] = accuracy
        (folder / f"seed{i}" / "results.json").write_text(json.dumps(held))
        listed.append(held)
    (folder / "results.json").write_text(json.dumps(listed))
    return folder


def test_a_row_is_an_evaluation_over_the_seeds(workdir):
    table = seeds(read_study(workdir))
    rows = {row[:2]: row[2:] for row in table.rows}
    # The mean of .60, .62, .67 is .63; sd = sqrt((.0009 + .0001 + .0016) / 2) = .036056; Student's
    # t of two degrees is 4.30265, and 4.30265 * .036056 / sqrt(3) = .089567.
    assert rows["test", "clean"] == ("63.00", "3.61", "54.04–71.96", "3")
    assert rows["validation", "clean"][1] == "0.00"
    spread = over_seeds([0.5])
    assert spread.mean == 0.5 and spread.sd is spread.low is spread.high is None


def test_the_table_is_printed_and_on_the_page(workdir, capsys):
    write_report(workdir)
    print_tables(workdir, console=Console(width=80))
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80 and "54.04–71.96" in out
    assert "Over the seeds" in (workdir / "report.html").read_text()


def test_runs_that_differ_in_more_are_no_seeds_of_one_run(workdir):
    held = json.loads((workdir / "results.json").read_text())
    held[1]["config"]["epochs"] = 1
    (workdir / "results.json").write_text(json.dumps(held))
    assert seeds(read_study(workdir)) is None
