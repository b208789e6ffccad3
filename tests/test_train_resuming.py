"""A run that is stopped, killed or damaged: what is saved, and that the same call goes on."""

import logging
import os
import shutil
import signal

import jax
import numpy as np
import pytest

from fer_jax import checkpoint, results, train
from fer_jax.dispatch import Dispatch
from tests import running
from tests.linear_run import STEPS, make_config, without_cost


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """Train three epochs without interruption."""
    workdir = tmp_path_factory.mktemp("straight") / "w"
    return workdir, train.train_and_evaluate(make_config(), workdir)


@pytest.mark.parametrize(
    ("number", "code", "step"),
    [
        (signal.SIGTERM, 143, STEPS + 2),  # inside the second epoch
        (signal.SIGINT, 130, 2 * STEPS),  # with its last step
        (signal.SIGTERM, 143, 3 * STEPS),  # with the run's last step
    ],
)
def test_a_signal_saves_and_the_same_call_goes_on(
    straight, tmp_path, monkeypatch, number, code, step
):
    workdir = tmp_path / "w"
    with monkeypatch.context() as patch:
        running.send(patch, number, step=step)
        with pytest.raises(train.Stopped, match=f"saved at step {step}; the same command") as stop:
            train.train_and_evaluate(make_config(), workdir)
    assert stop.value.exit_code == code
    assert running.read_checkpoint(workdir)[0] == step
    assert not (workdir / "results.json").exists()

    train.train_and_evaluate(make_config(), workdir)

    assert without_cost(workdir) == without_cost(straight[0])
    assert running.read_rows(workdir) == running.read_rows(straight[0])
    jax.tree.map(
        np.testing.assert_array_equal,
        running.read_checkpoint(workdir), running.read_checkpoint(straight[0]),
    )


def test_a_second_ctrl_c_saves_nothing_more(tmp_path, monkeypatch):
    real = train.make_dispatch

    def make_dispatch(*args, **kwargs):
        made, calls = real(*args, **kwargs), []

        def once(*args):
            calls.append(None)
            for _ in range(2 if len(calls) == STEPS + 2 else 0):
                os.kill(os.getpid(), signal.SIGINT)
            return made.train(*args)

        return Dispatch(once, made.steps)

    monkeypatch.setattr(train, "make_dispatch", make_dispatch)
    with pytest.raises(KeyboardInterrupt):
        train.train_and_evaluate(make_config(), tmp_path)
    assert running.read_checkpoint(tmp_path)[0] == STEPS


def test_signals_are_handed_back(straight):
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_damaged_newest_checkpoint_costs_an_epoch_not_the_run(straight, tmp_path, caplog):
    workdir = tmp_path / "w"
    train.train_and_evaluate(make_config(), workdir)
    (workdir / "results.json").unlink()
    for path in (workdir / "checkpoints" / str(3 * STEPS)).rglob("d/*"):
        path.write_bytes(b"")
    with caplog.at_level(logging.INFO):
        train.train_and_evaluate(make_config(), workdir)
    said = [record.getMessage() for record in caplog.records if record.name == "root"]
    assert any(f"checkpoint {3 * STEPS} of" in line for line in said)
    assert f"w goes on from step {2 * STEPS}" in said
    assert without_cost(workdir) == without_cost(straight[0])
    jax.tree.map(
        np.testing.assert_array_equal,
        running.read_checkpoint(workdir), running.read_checkpoint(straight[0]),
    )


def test_a_slow_epoch_is_saved_inside(tmp_path, monkeypatch):
    steps = []
    real = checkpoint.save

    def save(checkpointer, saved):
        steps.append(int(saved.state.step))
        real(checkpointer, saved)

    monkeypatch.setattr(checkpoint, "save", save)
    train.train_and_evaluate(make_config(checkpoint_minutes=0.0, epochs=1), tmp_path)
    assert steps == [1, 2, 3, 4]


def test_a_label_is_still_until_its_epoch_also_where_a_killed_run_goes_on(tmp_path):
    config = make_config(epochs=2)
    config.optim.update({
        "rules": (("bias$", "bias"), (".*", "train")),
        "rate_factors": {"bias": 1.0}, "thaw_epochs": {"bias": 1.0},
    })
    train.train_and_evaluate(config, tmp_path / "w")
    begun, ended = (
        running.read_checkpoint(tmp_path / "w", step=step)[1]["state"]["params"]["head"]
        for step in (STEPS, 2 * STEPS)
    )
    # A bias starts at zero; Adam's first four steps move it by about the rate of .005 each.
    assert not np.any(begun["bias"]) and np.abs(begun["kernel"]).max() > 0
    assert np.abs(ended["bias"]).max() > 0.005
    # As if killed between the epochs: what the second left is gone.
    straight = without_cost(tmp_path / "w")
    shutil.rmtree(tmp_path / "w" / "checkpoints" / str(2 * STEPS))
    (tmp_path / "w" / results.RESULTS).unlink()
    train.train_and_evaluate(config, tmp_path / "w")
    assert without_cost(tmp_path / "w") == straight
    _, again = running.read_checkpoint(tmp_path / "w")
    jax.tree.map(np.testing.assert_array_equal, again["state"]["params"]["head"], ended)
