"""Grids: which runs a config stands for, by which names, and what is refused."""

import json

import pytest
from ml_collections import ConfigDict

from fer_jax import checks, grid, study
from fer_jax.arguments import set_fields
from fer_jax.configuring import config_hash
from fer_jax.errors import UsageError, UserError
from tests import tiny_study


def make_grid(axes, *, run="vgg") -> ConfigDict:
    config = tiny_study.get_config(run)
    config.grid = ConfigDict(axes)
    return config


def test_a_grid_is_the_product_of_its_axes_in_a_stable_order():
    runs = grid.runs_of(make_grid({"seed": (0, 7), "model": {"dropout": (0.0, 0.25, 0.5)}}))
    assert list(runs) == [
        "dropout=0,seed=0", "dropout=0,seed=7", "dropout=0.25,seed=0", "dropout=0.25,seed=7",
        "dropout=0.5,seed=0", "dropout=0.5,seed=7",
    ]
    run = runs["dropout=0.25,seed=7"]
    assert (run.model.dropout, run.seed) == (0.25, 7) and "grid" not in run
    # A point is the run that its config describes, also to the folder that holds it.
    alone = tiny_study.get_config("vgg")
    alone.update({"model": {"dropout": 0.25}, "seed": 7})
    assert config_hash(run) == config_hash(alone)


def test_names_are_short_unique_and_hold_nothing_a_shell_takes_apart():
    axes = {
        "early_stopping": {"patience": (1, 2)}, "optim": {"plateau": {"patience": (3, 4)}},
        "model": {"dense": ((8,), (8, 4))}, "epochs": (5,),
        "augmentation": {"flip": (True, False)}, "init_dir": ("a b/$c", "a b/ c"),
    }
    names = list(grid.points_of(make_grid(axes)))
    assert len(set(names)) == 2**5
    assert "epochs" not in names[0], "one value is no axis"
    assert names[0] == (
        "flip=true,early_stopping.patience=1,init_dir=a_b_c,dense=8,optim.plateau.patience=3"
    )
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz_0123456789=,.-") for name in names)
    long = grid.points_of(make_grid({"init_dir": ("x" * 200, "y")}))
    assert list(long) == ["point-000", "init_dir=y"]


def test_points_that_are_chosen_between_see_no_test_face():
    chosen = grid.runs_of(make_grid({"seed": (0, 1), "optim": {"learning_rate": (1e-3, 1e-2)}}))
    assert {run.evaluation.splits for run in chosen.values()} == {("validation",)}
    # Seeds choose nothing; and a config may say otherwise.
    seeds = grid.runs_of(make_grid({"seed": (0, 1)}))
    assert {run.evaluation.splits for run in seeds.values()} == {("validation", "test")}
    said = {"epochs": (1, 2), "evaluation": {"splits": (("validation", "private"),)}}
    asked = grid.runs_of(make_grid(said))
    assert {run.evaluation.splits for run in asked.values()} == {("validation", "private")}


def test_flags_make_any_run_a_grid_and_change_an_axis():
    config = set_fields(tiny_study.get_config("vgg"), [
        "--config.grid.optim.learning_rate=1,0.1", "--config.grid.seed=3",
        "--config.grid.optim.schedule=cosine,constant", "--config.epochs=2",
        "--config.grid.model.dense=(8,4),", "--config.grid.seed=3,4",
    ])
    assert grid.axes_of(config) == {
        "optim.learning_rate": (1, 0.1), "seed": (3, 4), "model.dense": ((8, 4),),
        "optim.schedule": ("cosine", "constant"),
    }
    rates = [run.optim.learning_rate for run in grid.runs_of(config).values()]
    assert rates == [1.0] * 4 + [0.1] * 4 and isinstance(rates[0], float)
    with pytest.raises(UsageError, match="no field 'optim.lr'"):
        set_fields(tiny_study.get_config("vgg"), ["--config.grid.optim.lr=1,2"])
    with pytest.raises(UsageError, match="a grid is of a single run"):
        set_fields(tiny_study.get_config(), ["--config.grid.seed=1,2"])


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({}, "config.grid has no axis"),
        ({"optim": {"l_rate": (1.0,)}}, "reads the field config.grid.optim.l_rate. Did you mean"),
        ({"seed": ()}, r"config.grid.seed is \(\), a tuple of 0; expected at least 1"),
        ({"seed": 3}, "config.grid.seed is 3; expected a tuple"),
        ({"seed": (1, 0.5)}, r"config.grid.seed\[1\] is 0.5; expected a whole number"),
        ({"seed": (1, 2, 1)}, "config.grid.seed has 1 twice"),
        ({"task": ("classify", "denoise")}, r"config\[task=denoise\].task is 'denoise', and"),
    ],
)
def test_axes_that_fit_no_field_are_refused(axes, message):
    with pytest.raises(UserError, match=message):
        checks.check_config(make_grid(axes))


def test_a_grid_in_a_study_is_refused():
    config = tiny_study.get_config()
    config.runs.dae.grid = ConfigDict({"seed": (0, 1)})
    with pytest.raises(UserError, match="config.runs.dae.grid stands in a study's run"):
        checks.check_config(config)


def test_a_grids_points_share_an_upstream_run_where_it_is_the_same(tmp_path):
    config = make_grid({"seed": (0, 1), "model": {"dropout": (0.0, 0.5)}}, run="A")
    config.init = {"dae": "tests/tiny_study.py:dae"}
    runs = {name: (run, tmp_path / name) for name, run in grid.runs_of(config).items()}
    shared = study.share_upstream(runs, tmp_path)
    # The DAE takes over the seed, and has no dropout.
    assert [found.seed for found, _ in shared.values()] == [0, 1]
    places = {name: folder for name, (_, folder) in shared.items()}
    for run, folder in runs.values():
        reference = run.init["dae"]
        _, found = study.find_upstream(reference, "dae", run, folder, siblings=runs | shared)
        assert found == list(places.values())[run.seed]
    assert list(places.values())[0] == tmp_path / "upstream" / "dae"


def test_a_grid_is_trained_as_a_study_of_its_points(tmp_path, monkeypatch):
    called = []
    monkeypatch.setattr(
        study, "run_one", lambda config, workdir, **options: called.append(workdir) or {"run": "x"}
    )
    monkeypatch.setattr(study, "write_report", lambda workdir: None)
    monkeypatch.setattr(study, "write_csv", lambda workdir: None)
    study.run(make_grid({"seed": (0, 1)}, run="linear"), tmp_path)
    assert called == [tmp_path / "seed=0", tmp_path / "seed=1"]
    held = json.loads((tmp_path / "grid.json").read_text())
    assert held == {"points": {"seed=0": {"seed": 0}, "seed=1": {"seed": 1}}}
    assert len(json.loads((tmp_path / "results.json").read_text())) == 2


def test_several_seeds_are_the_runs_that_each_is_alone():
    config = set_fields(tiny_study.get_config("vgg"), ["--config.seeds=3", "--config.seed=7"])
    checks.check_config(config)
    runs = grid.runs_of(config)
    assert list(runs) == ["seed0", "seed1", "seed2"]
    assert [run.seed for run in runs.values()] == [7, 8, 9]
    alone = tiny_study.get_config("vgg")
    alone.seed = 8
    assert config_hash(runs["seed1"]) == config_hash(alone) and runs["seed1"].seeds == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: set_fields(tiny_study.get_config("vgg"), ["--config.seeds=0"]), "seeds is 0;"),
        (
            lambda: set_fields(
                tiny_study.get_config("vgg"), ["--config.seeds=2", "--config.grid.epochs=1,2"]
            ),
            "seeds is 2 beside config.grid; make the seed an axis",
        ),
        (
            lambda: set_fields(tiny_study.get_config(), ["--config.runs.dae.seeds=2"]),
            "config.runs.dae.seeds is 2, and a study's run is one",
        ),
        (
            lambda: set_fields(
                tiny_study.get_config("vgg"), ["--config.seeds=2", "--config.seed=4294967295"]
            ),
            "config.seed is 4294967296;",
        ),
    ],
)
def test_seeds_that_cannot_be_are_refused(make, message):
    with pytest.raises(UserError, match=message):
        checks.check_config(make())
