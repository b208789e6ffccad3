"""Points that train as one program: each comes out as if it had been trained alone."""

import os
import signal

import jax
import numpy as np
import pytest
from ml_collections import ConfigDict

from fer_jax import results, stacked, stacks, study, train
from fer_jax.errors import UserError
from fer_jax.finished import load_run
from fer_jax.grid import expand
from tests import running, tiny_study

STEPS = 64 // 16  # of an epoch

pytestmark = pytest.mark.usefixtures("quick_compile")


def make_points(workdir, network, points, **changes):
    """Make a point of each (learning rate, dropout, seed, patience)."""
    made = []
    for i, (rate, dropout, seed, patience) in enumerate(points):
        config = tiny_study.get_config(network)
        config.update({"evaluation": {"strengths": ()}, **changes})
        config.update({
            "optim": {"learning_rate": rate}, "seed": seed,
            "model": {"dropout": dropout, "blocks": ((4, 1),)},
            "early_stopping": {"patience": patience},
        })
        made.append(stacked.Point(config, workdir / f"p{i}", {}, {}))
    return made


def compare_trees(ours, theirs, **tolerance):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **tolerance), ours, theirs)


def without(results, *names):
    return {name: value for name, value in results.items() if name not in names}


def test_points_together_are_runs_alone(tmp_path):
    # The network has BatchNorm and dropout; synthetic faces are drawn by the seed. With a patience
    # of 0 the second point stops after its first epoch while the other goes on.
    values = [(1e-3, 0.2, 0, 20), (1e-2, 0.5, 1, 0)]
    together = make_points(tmp_path / "together", "vgg", values, epochs=2)
    assert len({stacked.form(point.config) for point in together}) == 1
    stacked.train_stack(together, tmp_path / "stack")
    for point, alone in zip(
        together, make_points(tmp_path / "alone", "vgg", values, epochs=2), strict=True
    ):
        train.train_and_evaluate(alone.config, alone.workdir)
        ours, theirs = (running.read_rows(one.workdir) for one in (point, alone))
        assert [row["epoch"] for row in ours] == [row["epoch"] for row in theirs]
        for row, expected in zip(ours, theirs, strict=True):
            assert row["alarms"] == expected["alarms"]
            for name in ("train_loss", "validation_loss", "learning_rate"):
                assert row[name] == pytest.approx(expected[name], rel=1e-4)
        ours, theirs = (running.read_results(one.workdir) for one in (point, alone))
        measured = ("evaluations", "command", "versions")
        assert without(ours, *measured) == without(theirs, *measured)
        for e, f in zip(ours["evaluations"], theirs["evaluations"], strict=True):
            assert e["loss"] == pytest.approx(f["loss"], rel=1e-4)
            assert e["confusion"] == f["confusion"]
        step = ours["weights_step"]
        ours, theirs = (
            running.read_checkpoint(one.workdir, step=step)[1]["state"]
            for one in (point, alone)
        )
        # Adam divides by the root of the second moment: where a gradient is rounding alone, a
        # step of the rate may go either way, and there are 8 of at most 0.01.
        compare_trees(ours["params"], theirs["params"], rtol=1e-3, atol=2e-3)
        compare_trees(ours["batch_stats"], theirs["batch_stats"], rtol=1e-3, atol=1e-3)
    stopped = running.read_results(together[1].workdir)
    assert (stopped["epochs"], stopped["best_epoch"]) == (1, 1)
    # What opens a finished run opens this one.
    assert load_run(together[1].workdir).results["weights_step"] == STEPS


def test_seeds_in_one_program_are_runs_of_these_seeds(tmp_path, monkeypatch):
    monkeypatch.setattr(study, "write_report", lambda workdir: None)  # of pictures alone
    # Of BatchNorm and dropout; two seeds on two devices, so that each trains one.
    changes = {
        "epochs": 2, "model": {"blocks": ((4, 1),), "dropout": 0.3}, "optim": {"learning_rate": 1e-3},
        "evaluation": {"strengths": (), "splits": ("test",)},
    }
    config = tiny_study.get_config("vgg")
    config.update({"seed": 3, "seeds": 2, "points_per_program": 2, "mesh": {"data": 2}, **changes})
    study.run(config, tmp_path / "together")
    held = results.read(tmp_path / "together")
    assert [(one["run"], one["seed"]) for one in held] == [("seed0", 3), ("seed1", 4)]
    assert all(one["cost"]["points_in_program"] == 2 for one in held)
    for i, seed in enumerate((3, 4)):
        alone = tiny_study.get_config("vgg")
        alone.update({"seed": seed, **changes})
        theirs = train.train_and_evaluate(alone, tmp_path / f"alone{i}")
        assert held[i]["config_hash"] == theirs["config_hash"]
        rows, expected = (
            running.read_rows(tmp_path / name) for name in (f"together/seed{i}", f"alone{i}")
        )
        for row, other in zip(rows, expected, strict=True):
            for name in ("train_loss", "validation_loss"):
                assert row[name] == pytest.approx(other[name], rel=1e-4)
        for entry, other in zip(held[i]["evaluations"], theirs["evaluations"], strict=True):
            assert entry["loss"] == pytest.approx(other["loss"], rel=1e-4)
            assert entry["confusion"] == other["confusion"]


def grid_of_two(**changes):
    config = tiny_study.get_config("linear")
    config.update({"evaluation": {"strengths": ()}, "points_per_program": 2, **changes})
    config.grid = ConfigDict({"optim": {"learning_rate": (1e-3, 1e-2)}})
    return config


def send(monkeypatch, *, dispatch):
    """Let a SIGTERM come while the dispatch of that number is computed."""
    real, calls = stacked.make_program, []

    def make_program(runs):
        program = real(runs)

        def once(*args):
            calls.append(None)
            if len(calls) == dispatch:
                os.kill(os.getpid(), signal.SIGTERM)
            return program(*args)

        return once

    monkeypatch.setattr(stacked, "make_program", make_program)


def test_a_killed_grid_goes_on_in_the_middle_of_a_stack(tmp_path, monkeypatch):
    # Two points on two devices, so that each has one; killed in the second epoch.
    monkeypatch.setattr(study, "write_report", lambda workdir: None)  # of pictures alone
    config = grid_of_two(mesh={"data": 2}, epochs=2)
    study.run(config, tmp_path / "straight")
    with monkeypatch.context() as patch:
        send(patch, dispatch=STEPS + 2)
        with pytest.raises(train.Stopped, match=f"saved at step {STEPS + 2}; the same command"):
            study.run(config, tmp_path / "killed")
    assert len(list((tmp_path / "killed" / ".stacks").iterdir())) == 1
    # It goes on as it began, also where points now train in turn.
    config.points_per_program = 1
    study.run(config, tmp_path / "killed")
    assert not (tmp_path / "killed" / ".stacks").exists()
    for name in expand(config):
        straight, killed = (tmp_path / way / name for way in ("straight", "killed"))
        assert running.read_rows(killed) == running.read_rows(straight)
        ours, theirs = (running.read_results(folder) for folder in (killed, straight))
        assert without(ours, "config", "command") == without(theirs, "config", "command")
        compare_trees(
            running.read_checkpoint(killed)[1], running.read_checkpoint(straight)[1], rtol=0
        )
    said = (tmp_path / "straight" / "points.csv").read_text().splitlines()
    assert len(said) == 3 and said[0].startswith("point,optim.learning_rate,epochs,best_epoch,")


def test_the_plan_shares_programs_where_forms_allow(tmp_path):
    config = grid_of_two(points_per_program=4)
    config.grid = ConfigDict({
        "seed": (0, 1, 2), "optim": {"learning_rate": (1e-3, 1e-2)}, "batch_size": (16, 32),
    })
    runs = {name: (run, tmp_path / name) for name, run in expand(config).items()}
    # Six points of each batch size: with at most four in a program, twice three.
    planned = stacks.plan(runs, tmp_path)
    assert [len(names) for names, _ in planned] == [3] * 4
    assert all(len({stacked.form(runs[n][0]) for n in names}) == 1 for names, _ in planned)
    for one, _ in runs.values():
        one.points_per_program = 0
    assert stacks.plan(runs, tmp_path) == [], "on CPU each trains by itself"


def test_a_stack_under_way_keeps_its_points_and_refuses_others(tmp_path):
    config = grid_of_two()
    runs = {name: (run, tmp_path / name) for name, run in expand(config).items()}
    ((names, folder),) = stacks.plan(runs, tmp_path)
    stacks.mark(names, runs, folder)
    (folder / "checkpoints" / "4").mkdir(parents=True)
    assert stacks.plan(runs, tmp_path) == [(names, folder)]
    runs[names[0]][0].epochs = 9
    with pytest.raises(UserError, match=r"grid under way whose [^\n]*\n  epochs: 3 -> 9"):
        stacks.plan(runs, tmp_path)
    stacks.remove(folder)
    assert not (tmp_path / ".stacks").exists()


def test_a_switch_and_a_number_are_of_two_forms():
    one, other = tiny_study.get_config("vgg"), tiny_study.get_config("vgg")
    other.update({"model": {"dropout": 0.0}, "seed": 3, "optim": {"beta1": 0.5}})
    assert stacked.form(one) == stacked.form(other)
    other.model.dense = (9,)
    assert stacked.form(one) != stacked.form(other)
