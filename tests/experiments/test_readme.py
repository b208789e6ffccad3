"""The README's tables come from results files, and only from them."""

import json
import re
from pathlib import Path

import pytest

from experiments import headline, readme
from fer_jax.configuring import REPOSITORY
from fer_jax.errors import UserError
from fer_jax.report.results import read_study
from tests.report.fakes import write_study


@pytest.fixture
def study(tmp_path):
    folder = tmp_path / "vgg_dae-small"
    write_study(folder, ("dae", "vgg", "A", "B"), dataset="fer2013")
    return read_study(folder)


def test_the_table_shows_what_the_results_hold(study):
    table = headline.table(headline.gather(headline.Sources(study, None, None)))
    vgg = study.run_of("vgg")
    private = {e["strength"]: e for e in vgg.by_strength("random_grey", split="private")}
    row = next(row for row in table.rows if row[0] == vgg.label)
    assert private, "without PrivateTest evaluations of the fake study this shows nothing"
    for name, cell in zip(table.columns[2:], row[2:], strict=True):
        strength = 0.0 if name == "clean" else float(name.removeprefix("p = "))
        assert cell.startswith(f"{100 * private[strength]['accuracy']:.1f} (")


def test_the_blocks_name_scale_and_commands(study):
    # The fake runs have 12 epochs of the paper's 150 and a width of 0.25.
    sources = headline.Sources(study, None, study.run_of("A"))
    assert "Scale: reduced.** VGG at 0.25" in (block := readme.headline_block(sources))
    assert f"12 epochs, seed 0, {study.run_of('A').result['device']}" in block
    block = readme.results_block(study, study, study, None)
    for run in study.finished:
        assert run.result["command"] in block
        assert f"{run.name} {run.result['epochs']}" in block


def test_the_sentence_tells_how_far_each_network_falls(study):
    shipped = study.run_of("A")
    said = headline.sentence(headline.Sources(study, None, shipped))
    shares = [
        f"{100 * shipped.evaluation(*at, split='private')['accuracy']:.1f} %"
        for at in (("clean", None), ("random_grey", 0.1), ("random_grey", 0.2))
    ]
    assert f"goes from {shares[0]} to {shares[1]} and {shares[2]}" in said
    assert "PyPI" not in said  # of which there is no run here


def test_only_the_text_between_the_markers_is_replaced():
    text = "before\n<!-- x:begin -->\nold\n<!-- x:end -->\nafter\n"
    new = readme.replace_block(text, "new", name="x")
    assert new == "before\n<!-- x:begin -->\nnew\n<!-- x:end -->\nafter\n"
    assert readme.replace_block(new, "new", name="x") == new


def test_a_readme_without_markers_is_refused():
    with pytest.raises(UserError, match="put the two lines back"):
        readme.replace_block("no markers", "new", name="x")


def test_collect_takes_only_the_small_files(tmp_path):
    run = tmp_path / "work" / "vgg"
    (run / "checkpoints").mkdir(parents=True)
    (run / "results.json").write_text(json.dumps({"run": "vgg", "command": "python -m x"}))
    (run / "metrics.jsonl").write_text("")
    (run / "predictions").mkdir()
    for name, size in {"private": 200_000, "validation": 200_001, "test": 9}.items():
        (run / f"predictions/{name}.npz").write_bytes(bytes(size))
    readme.collect(tmp_path / "work", tmp_path / "kept")
    found = sorted(path.name for path in (tmp_path / "kept").rglob("*") if path.is_file())
    assert found == ["metrics.jsonl", "private.npz", "results.json"]


def test_collect_takes_a_single_run_and_the_ensembles_too(tmp_path):
    run = tmp_path / "work"
    (run / "ensemble").mkdir(parents=True)
    (run / "results.json").write_text(json.dumps({"run": "x", "command": "python -m x"}))
    held = {"members": [{"name": "a", "workdir": "/big/disk/a"}], "command": "c --data_dir=/d"}
    (run / "ensemble/ensemble.json").write_text(json.dumps(held))
    readme.collect(run, tmp_path / "kept")
    assert json.loads((tmp_path / "kept/results.json").read_text())["run"] == "x"
    kept = json.loads((tmp_path / "kept/ensemble/ensemble.json").read_text())
    assert kept == {"members": [{"name": "a", "workdir": "a"}], "command": "c"}


def test_a_kept_command_does_not_say_where_things_lay():
    given = "python -m fer_jax.main --config=c.py:small --workdir=/big/disk --data_dir=/d --x='a b'"
    assert readme.portable(given) == "python -m fer_jax.main --config=c.py:small '--x=a b'"
    assert readme.portable("python -m m --workdir=runs/x") == "python -m m --workdir=runs/x"
    # Workdirs beside the collected one are named as a repository has them.
    given = "m --workdir=/big/disk/s/A --reference=/big/disk/s/vgg --data_dir=/d"
    wanted = "m --workdir=runs/s/A --reference=runs/s/vgg"
    assert readme.portable(given, Path("/big/disk")) == wanted
    given = "m /big/disk/A --config.init_dir=/big/disk --out=/elsewhere/a.json"
    assert readme.portable(given, Path("/big/disk")) == "m runs/A --config.init_dir=runs"


def test_no_kept_result_says_where_things_lay():
    kept = {path: path.read_text() for path in (REPOSITORY / "results").rglob("*.json")}
    assert kept
    absolute = re.compile(r"[\"\s=]/\w+/")
    assert [str(path) for path, text in kept.items() if absolute.search(text)] == []


def test_commands_deep_in_results_are_cleaned_too(tmp_path):
    run = tmp_path / "work/vgg"
    run.mkdir(parents=True)
    suite = {"added": {"command": f"m --workdir={run} --reference={tmp_path}/work/A"}}
    held = {"run": "vgg", "command": "m", "suites": [suite]}
    (run / "results.json").write_text(json.dumps(held))
    readme.collect(tmp_path / "work", tmp_path / "kept")
    kept = json.loads((tmp_path / "kept/vgg/results.json").read_text())
    command = kept["suites"][0]["added"]["command"]
    assert command == "m --workdir=runs/work/vgg --reference=runs/work/A"


def test_the_rates_are_compared_on_validation_faces_as_each_network_sees_them(study):
    rows = {row[0]: row[1:] for row in readme.rates_table(study).rows}
    # The fake's DAE has a loss of 0.551 + 0.02 p and no accuracy.
    assert rows["dae, random grey, p = 0.3"][2:] == ("0.5570", "—")
    clean = study.run_of("vgg").evaluation(split="validation")
    assert rows["vgg, clean"][2] == f"{clean['loss']:.4f}"


def test_what_became_of_the_paper_s_settings_is_said_with_the_alarms(study):
    # The fake B calls every face happy, and has an alarm for it; the others have none.
    line = readme.printed_line(study)
    assert "Hybrid B, 12 epochs at a learning rate of" in line
    assert "collapse: every validation face is called happy" in line and "no alarm" in line
