"""The smoke scale trains every run of a list, combines them and writes the pages."""

import pytest

from experiments import bokanyi2021, dick2024, dong2021, gao2021, li2023
from experiments.harness import build, command
from experiments.paper_figures import FIGURES
from fer_jax import results


@pytest.mark.usefixtures("quick_compile")
def test_a_smoke_test_writes_pages_that_say_synthetic(tmp_path, capsys):
    flags = ["--scale=smoke", f"--workdir={tmp_path}"]
    assert command(gao2021.EXPERIMENT, flags) == 0
    page, text = (tmp_path / f"experiment.{kind}" for kind in ("html", "md"))
    for path in (page, text):
        assert "SYNTHETIC" in path.read_text()
    # The paper's 65.2 % is beside no synthetic number of ours.
    assert "65.20 %" in text.read_text() and "not run" in text.read_text()
    assert all((tmp_path / line.split("](")[1][:-1]).is_file()
               for line in text.read_text().splitlines() if line.startswith("!["))
    # Each figure that is promised is there, but for errors that drawn faces do not have.
    for figure in FIGURES["gao2021"]:
        for picture in figure.pictures:
            there = picture.replace("{", "").replace("}", "") in text.read_text()
            assert there == (picture != "figures/odd-faces.png")
    assert "Missing: none of these faces has such an error." in text.read_text()
    assert page.read_text().count("<img") == text.read_text().count("![")
    assert command(gao2021.EXPERIMENT, [*flags, "--list"]) == 0
    shown = capsys.readouterr().out.splitlines()[-2:]
    assert [line.split() for line in shown] == [["se_separable", "finished"], ["drawn", "finished"]]


@pytest.mark.usefixtures("quick_compile")
@pytest.mark.parametrize("module", [li2023, dong2021, dick2024], ids=lambda m: m.EXPERIMENT.name)
def test_every_run_of_a_paper_trains_and_stands_on_its_page(tmp_path, module):
    assert command(module.EXPERIMENT, ["--scale=smoke", f"--workdir={tmp_path}"]) == 0
    page = (tmp_path / "experiment.md").read_text()
    assert "SYNTHETIC" in page
    runs = build(module.EXPERIMENT, "smoke").runs
    assert runs and all(results.read(tmp_path / name)["run"] == name for name in runs)


@pytest.mark.usefixtures("quick_compile")
def test_one_run_of_a_list_trains_alone(tmp_path):
    flags = ["--scale=smoke", f"--workdir={tmp_path}", "--only=shallow"]
    assert command(bokanyi2021.EXPERIMENT, flags) == 0
    assert results.read(tmp_path / "shallow")["seed"] == 0
    assert not (tmp_path / "deep").exists() and not (tmp_path / "results.json").exists()


def test_a_run_that_the_list_has_not_is_refused(tmp_path, capsys):
    flags = ["--scale=smoke", f"--workdir={tmp_path}", "--only=shalow"]
    assert command(bokanyi2021.EXPERIMENT, flags) == 2
    assert "shallow" in capsys.readouterr().err
