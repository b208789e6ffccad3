"""Which upstream run a run stands on, and whose folder is whose; nothing is trained here."""

import json
from pathlib import Path

import pytest

from fer_jax import results, study, writers
from fer_jax.configuring import config_hash, load_config, to_json
from fer_jax.errors import UserError
from fer_jax.finished import Finished
from tests import running, tiny_study

DAE = f"{running.STUDY}:dae"


@pytest.fixture
def trained(monkeypatch):
    """Record the runs that would be trained or completed instead of doing it."""
    called = []
    monkeypatch.setattr(
        study, "run_one", lambda config, workdir, **options: called.append(workdir) or {"run": "x"}
    )
    return called


def find(reference, workdir, *, siblings=(), init_dir=""):
    """Find the upstream run, train it if it is missing, and return its folder."""
    config = tiny_study.get_config("A")
    config.init_dir = str(init_dir)
    pairs = {name: (tiny_study.get_config(name), workdir.parent / name) for name in siblings}
    upstream, folder = study.find_upstream(reference, "dae", config, workdir, siblings=pairs)
    study.train_missing(upstream, folder, siblings=pairs)
    return folder


def finish(workdir: Path, config) -> Path:
    """Leave what a finished run leaves, as far as it is looked at."""
    results.claim(workdir, config)
    writers.write_json(workdir / "results.json", {"run": workdir.name, "config": to_json(config)})
    return workdir


def test_a_sibling_is_named(tmp_path, trained):
    assert find("runs.dae", tmp_path / "A", siblings=("dae", "vgg")) == tmp_path / "dae"
    assert trained == [tmp_path / "dae"]


def test_an_unknown_sibling_is_refused_with_the_nearest(tmp_path):
    with pytest.raises(UserError, match="no run 'dea'. Did you mean 'dae'"):
        find("runs.dea", tmp_path / "A", siblings=("dae", "vgg"))


def test_a_config_file_is_met_by_the_sibling_of_the_same_hash(tmp_path, trained):
    finish(tmp_path / "dae", tiny_study.get_config("dae"))
    assert find(DAE, tmp_path / "A", siblings=("dae", "vgg")) == tmp_path / "dae"
    assert not trained, "it is finished"


def test_a_sibling_keeps_its_own_evaluation(tmp_path, trained):
    mine = tiny_study.get_config("dae")
    mine.evaluation.views = "flip"
    finish(tmp_path / "dae", mine)
    config = tiny_study.get_config("A")
    siblings = {"dae": (mine, tmp_path / "dae")}
    study.find_upstream(DAE, "dae", config, tmp_path / "A", siblings=siblings)
    held = json.loads((tmp_path / "dae" / "config.json").read_text())
    assert held["config"]["evaluation"]["views"] == "flip"


def test_without_a_sibling_it_is_trained_upstream(tmp_path, trained):
    expected = tmp_path / "A" / "upstream" / "dae"
    assert find(DAE, tmp_path / "A", siblings=("vgg",)) == expected
    assert trained == [expected]


def test_init_dir_gives_a_finished_run_of_that_config(tmp_path, trained):
    kept = tiny_study.get_config("dae")
    kept.evaluation.views = "flip"
    finish(tmp_path / "kept" / "dae", kept)
    assert find(DAE, tmp_path / "A", init_dir=tmp_path / "kept") == tmp_path / "kept" / "dae"
    assert not trained
    held = json.loads((tmp_path / "kept" / "dae" / "config.json").read_text())
    assert held["config"]["evaluation"]["views"] == "flip", "a run of another's is not written to"
    with pytest.raises(UserError, match="init_dir has no finished run at .*empty/dae"):
        find(DAE, tmp_path / "A", init_dir=tmp_path / "empty")
    other = tiny_study.get_config("dae")
    other.optim.learning_rate = 0.5
    finish(tmp_path / "other" / "dae", other)
    with pytest.raises(UserError, match="optim.learning_rate: 0.5 -> 0.005"):
        find(DAE, tmp_path / "A", init_dir=tmp_path / "other")


def test_an_upstream_config_takes_over_what_decides_who_has_seen_which_face(tmp_path):
    config = tiny_study.get_config("A")
    config.seed, config.distortion.strength = 3, 0.4
    config.data.sizes = (48, 16, 16)
    upstream, _ = study.find_upstream(DAE, "dae", config, tmp_path / "A", siblings={})
    assert (upstream.seed, upstream.distortion.strength) == (3, 0.4)
    assert upstream.data.sizes == (48, 16, 16)


def test_a_sibling_of_other_faces_is_refused(tmp_path):
    config = tiny_study.get_config("A")
    config.seed = 3
    siblings = {"dae": (tiny_study.get_config("dae"), tmp_path / "dae")}
    with pytest.raises(UserError, match="differ in config.seed"):
        study.find_upstream("runs.dae", "dae", config, tmp_path / "A", siblings=siblings)


def test_an_upstream_run_may_stand_on_another(tmp_path, trained):
    b, c = tiny_study.get_config("A"), tiny_study.get_config("B")
    b.init, c.init = {"dae": "runs.dae"}, {"vgg": "runs.A"}
    siblings = {
        "dae": (tiny_study.get_config("dae"), tmp_path / "dae"),
        "A": (b, tmp_path / "A"),
        "B": (c, tmp_path / "B"),
    }
    for config, folder in siblings.values():
        study.refuse_circles(config, folder, siblings=siblings)
    hashes = {"dae": config_hash(siblings["dae"][0])}
    results.claim(tmp_path / "A", b, upstream=hashes)
    writers.write_json(tmp_path / "A" / "results.json", {"run": "A", "config": to_json(b)})
    study.train_missing(b, tmp_path / "A", siblings=siblings)
    assert not trained, "it is finished, with the upstream run that it has"


def test_runs_that_start_from_each_other_are_refused_before_any_is_trained(tmp_path, trained):
    config = tiny_study.get_config()
    config.runs.dae.init = {"vgg": "runs.A"}
    config.runs.A.init = {"dae": "runs.dae"}
    siblings = {name: (config.runs[name], tmp_path / name) for name in config.runs}
    message = "in a circle: dae starts from A starts from dae; let one of them"
    with pytest.raises(UserError, match=message):
        study.refuse_circles(config.runs.dae, tmp_path / "dae", siblings=siblings)
    with pytest.raises(UserError):
        study.run(config, tmp_path)
    assert not trained


def test_a_config_file_that_starts_from_itself_is_refused(tmp_path, trained):
    (tmp_path / "configs").mkdir()
    path = tmp_path / "configs" / "snake.py"
    path.write_text(
        "from tests import tiny_study\n"
        "def get_config(variant=None):\n"
        "    config = tiny_study.get_config('vgg')\n"
        f"    config.init = {{'tail': {str(path)!r}}}\n"
        "    return config\n"
    )
    with pytest.raises(UserError, match="in a circle: w starts from tail"):
        study.run(load_config(str(path)), tmp_path / "w")
    assert not trained and not (tmp_path / "w").exists()


def test_another_upstream_run_is_another_training(tmp_path):
    config = tiny_study.get_config("A")
    results.claim(tmp_path, config, upstream={"dae": "one"})
    writers.write_json(tmp_path / "results.json", {"run": "A"})
    assert results.claim(tmp_path, config, upstream={"dae": "one"}) == {"run": "A"}
    with pytest.raises(UserError, match="upstream.dae: one -> two"):
        results.claim(tmp_path, config, upstream={"dae": "two"})


@pytest.mark.parametrize("spread", [0.0, 1e-4, float("nan")])
def test_a_dae_that_draws_one_picture_is_refused(tmp_path, monkeypatch, spread):
    config = tiny_study.get_config("dae")

    class Run:
        splits, mesh, model = {"validation": None}, None, None

    Run.config = config
    finished = Finished({"run": "dae"}, Run, {"params": {}})
    monkeypatch.setattr(study, "load_run", lambda workdir, data_dir: finished)
    monkeypatch.setattr(study, "pad_split", lambda *args, **options: None)
    monkeypatch.setattr(study, "recon_spread", lambda *args, **options: spread)
    with pytest.raises(UserError, match="the same picture for every face"):
        study.load_start(tmp_path / "dae")


def test_a_studys_results_are_its_runs_in_order(tmp_path, trained, monkeypatch):
    reported = []
    monkeypatch.setattr(study, "write_report", reported.append)
    study.run(tiny_study.get_config(), tmp_path)
    runs = [tmp_path / "dae", tmp_path / "A"]
    assert trained == runs
    assert reported == [tmp_path]
    assert json.loads((tmp_path / "results.json").read_text()) == [{"run": "x"}] * 2


def test_a_run_and_a_study_do_not_share_a_folder(tmp_path):
    finish(tmp_path / "run", tiny_study.get_config("vgg"))
    with pytest.raises(UserError, match="holds a run; choose another --workdir"):
        study.run(tiny_study.get_config(), tmp_path / "run")
    (tmp_path / "study").mkdir()
    writers.write_json(tmp_path / "study" / "results.json", [])
    with pytest.raises(UserError, match="holds a study; choose another --workdir"):
        study.run(tiny_study.get_config("vgg"), tmp_path / "study")
