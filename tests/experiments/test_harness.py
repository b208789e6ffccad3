"""Experiments: their lists of runs, what each stands on, and their states."""

import argparse
import importlib
import json
from pathlib import Path

import pytest

from experiments import harness, launch
from experiments.harness import Experiment, Spec, build
from experiments.scales import SCALES
from fer_jax.checks import check_config
from fer_jax.errors import UsageError, UserError

NAMES = sorted(
    path.stem for path in (Path(__file__).parents[2] / "experiments").glob("*.py")
    if "EXPERIMENT = " in path.read_text()
)
EXPERIMENTS = {name: importlib.import_module(f"experiments.{name}").EXPERIMENT for name in NAMES}


def experiment_of(*specs: Spec) -> Experiment:
    return Experiment("made", "Made for a test", "", {"cpu": specs, "full": specs})


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", NAMES)
def test_every_list_is_a_study_that_can_be_run(name, scale, tmp_path):
    config = build(EXPERIMENTS[name], scale, data_dir=tmp_path)
    check_config(config)
    ordered = launch.waves(config, tmp_path)
    # Every run is in one wave, and only there.
    assert sorted(sum(ordered, [])) == sorted(config.runs)
    datasets = {run.data.dataset for run in config.runs.values()}
    assert datasets == {"synthetic" if scale == "smoke" else "fer2013"}


@pytest.mark.parametrize("name", NAMES)
def test_an_experiment_knows_its_own_name(name):
    # The worker's command line and the default folder are made from it.
    assert EXPERIMENTS[name].name == name


def test_seeds_are_runs_that_stand_on_runs_of_the_same_seed(tmp_path):
    seeds = (0, 1)
    made = experiment_of(
        Spec("dae", "configs/dae.py:small", seeds=seeds),
        Spec("A", "configs/vgg_dae.py:A,small", init={"dae": "runs.dae"}, seeds=seeds),
    )
    runs = build(made, "cpu").runs
    assert list(runs) == ["dae-0", "dae-1", "A-0", "A-1"]
    assert [run.seed for run in runs.values()] == [0, 1, 0, 1]
    assert runs["A-1"].init.to_dict() == {"dae": "runs.dae-1"}
    assert launch.waves(build(made, "cpu"), tmp_path) == [["dae-0", "dae-1"], ["A-0", "A-1"]]
    assert list(build(made, "smoke").runs) == ["dae", "A"]


def test_a_spec_changes_fields_that_there_are():
    made = experiment_of(Spec("vgg", "configs/vgg.py", {"optim.learning_rate": 0.5}))
    assert build(made, "cpu").runs.vgg.optim.learning_rate == 0.5
    with pytest.raises(UsageError, match="no field 'optim.rate'"):
        build(experiment_of(Spec("vgg", "configs/vgg.py", {"optim.rate": 0.5})), "cpu")


def test_a_dataset_that_not_everybody_has_is_left_out_where_it_is_absent(tmp_path):
    made = experiment_of(Spec("vgg", "configs/vgg.py"), Spec("raf", "configs/vgg.py",
                                                            dataset="raf_db"))
    assert list(build(made, "full", data_dir=tmp_path).runs) == ["vgg"]
    (tmp_path / "raf_db.npz").touch()
    assert list(build(made, "full", data_dir=tmp_path).runs) == ["vgg", "raf"]


def test_states_tell_finished_from_begun_from_missing(tmp_path):
    config = build(experiment_of(*(Spec(n, "configs/vgg.py:small") for n in "abc")), "cpu")
    for name in "ab":
        (tmp_path / name).mkdir()
    (tmp_path / "a" / "results.json").write_text(json.dumps({"schema": 1}))
    (tmp_path / "b" / "metrics.jsonl").write_text('{"epoch": 1}\n{"epoch": 2}\n')
    assert harness.states(config, tmp_path) == [
        ("a", "finished"), ("b", "begun, epoch 2 of 7"), ("c", "missing"),
    ]


def test_a_wave_needs_gpus_that_are_there(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,2")
    assert launch.visible_gpus(0) == ["0", "2"]
    assert launch.visible_gpus(1) == ["0"]
    with pytest.raises(UserError, match="found 2 GPUs here and needs 3"):
        launch.visible_gpus(3)


def test_a_run_of_one_seed_stands_on_the_run_of_its_seed(tmp_path):
    made = experiment_of(
        Spec("dae", "configs/dae.py:small", seeds=(0, 1)),
        Spec("A", "configs/vgg_dae.py:A,small", init={"dae": "runs.dae"}),
    )
    assert build(made, "cpu").runs["A"].init.to_dict() == {"dae": "runs.dae-0"}


def test_there_are_no_more_jobs_than_cores(tmp_path, monkeypatch):
    config = build(experiment_of(Spec("vgg", "configs/vgg.py:small")), "cpu")
    monkeypatch.setattr(launch.os, "sched_getaffinity", lambda _: {0, 1})
    with pytest.raises(UserError, match="--jobs=3: there are 2 cores here"):
        launch.on_cores(config, tmp_path, [], argparse.Namespace(jobs=3))


@pytest.mark.parametrize("jobs, alone", [(2, True), (1, False)])
def test_a_run_on_one_core_computes_without_a_second_thread(tmp_path, monkeypatch, jobs, alone):
    given = []
    monkeypatch.setattr(launch, "_side_by_side", lambda *arguments: given.extend(arguments[-1]))
    monkeypatch.setattr(launch.os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setenv("XLA_FLAGS", "--given")
    config = build(experiment_of(Spec("vgg", "configs/vgg.py:small")), "cpu")
    launch.on_cores(config, tmp_path, [], argparse.Namespace(jobs=jobs))
    flags = {place.environment.get("XLA_FLAGS") for place in given}
    assert flags == {"--given --xla_cpu_multi_thread_eigen=false" if alone else None}


def test_what_stands_on_a_run_starts_after_it_and_a_failure_stops_the_rest(tmp_path, monkeypatch):
    made = experiment_of(
        Spec("dae", "configs/dae.py:small"), Spec("vgg", "configs/vgg.py:small"),
        Spec("A", "configs/vgg_dae.py:A,small", init={"dae": "runs.dae"}),
        Spec("B", "configs/vgg_dae.py:B,small"),
    )
    config, started = build(made, "cpu"), []

    def train(run, place, workdir, worker, children):
        started.append((run, place.flags))
        return 3 if run == "B" else 0

    monkeypatch.setattr(launch, "_train_there", train)
    monkeypatch.setattr(launch.os, "sched_getaffinity", lambda _: {4})
    with pytest.raises(UserError, match="B ended with exit code 3"):
        launch.on_cores(config, tmp_path, [], argparse.Namespace(jobs=0))
    core = ("--cores=4",)
    assert started == [("dae", core), ("vgg", core), ("A", core), ("B", core)]
