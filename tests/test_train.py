"""The loop: stopping, resuming, the best epoch, alarms. Softmax regression: it compiles quickly."""

import logging
import os
import shutil
import signal

import jax
import numpy as np
import psutil
import pytest

from fer_jax import checkpoint, finished, losses, results, train, writers
from fer_jax.dispatch import Dispatch
from fer_jax.errors import UserError
from fer_jax.state import init_state
from tests import running, tiny_study

STEPS = 64 // 16  # of an epoch


def make_config(**changes):
    config = tiny_study.get_config("linear")
    config.evaluation.strengths = ()
    config.update(changes)
    return config


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """Train three epochs without interruption."""
    workdir = tmp_path_factory.mktemp("straight") / "w"
    return workdir, train.train_and_evaluate(make_config(), workdir)


def without_cost(workdir):
    held = running.read_results(workdir)
    return {name: value for name, value in held.items() if name != "command"}


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


def test_memory_stays_flat_over_thirty_epochs(tmp_path, monkeypatch):
    resident, live = [], []
    real = writers.MetricsLog.append

    def append(self, row):
        real(self, row)
        arrays = jax.live_arrays()
        live.append((len(arrays), sum(array.nbytes for array in arrays)))
        resident.append(psutil.Process().memory_info().rss)

    monkeypatch.setattr(writers.MetricsLog, "append", append)
    save = checkpoint.save
    # Else a save under way holds copies of the state, or not, as the threads happen to run.
    monkeypatch.setattr(
        checkpoint, "save", lambda opened, saved: save(opened, saved) or opened.wait()
    )
    train.train_and_evaluate(
        make_config(epochs=30, early_stopping={"patience": 30}), tmp_path
    )
    # From the tenth epoch on everything is compiled.
    assert len(set(live[9:])) == 1, live
    # The median epoch, for the allocator grows by one large piece now and then. A state is 0.4 MB
    # and a program compiled anew at each epoch 2 MB; a flat run moves by less than 0.1 MB.
    assert np.median(np.diff(resident[9:])) < 0.25 * 2**20


def test_nothing_goes_to_or_from_the_devices_unasked_in_the_loop(tmp_path, monkeypatch):
    real, epochs = train.run_epoch, []

    def run_epoch(*args, **options):
        # Compiling is in it too, which must not carry constants over.
        with jax.transfer_guard("disallow"):
            epochs.append(None)
            return real(*args, **options)

    monkeypatch.setattr(train, "run_epoch", run_epoch)
    train.train_and_evaluate(make_config(epochs=2), tmp_path)
    assert len(epochs) == 2
    # The guard is awake: the slice that `take_batches` is instead of sends its numbers unasked.
    with jax.transfer_guard("disallow"), pytest.raises(Exception, match="Disallowed"):
        jax.device_put(np.arange(3))[1:2]


def test_one_dispatch_is_under_way_while_the_one_before_is_waited_for(tmp_path, monkeypatch):
    events, numbers = [], {}
    make_dispatch, copy, wait = train.make_dispatch, train._copy, jax.block_until_ready

    def counted(*args, **kwargs):
        made = make_dispatch(*args, **kwargs)
        return Dispatch(lambda *a: (events.append("run"), made.train(*a))[1], made.steps)

    def copied(totals):
        made = copy(totals)
        numbers[id(made)] = made, events.count("run")  # kept, so that its id is not used again
        return made

    def waited(tree):
        if id(tree) in numbers:
            events.append(numbers[id(tree)][1])
        return wait(tree)

    monkeypatch.setattr(train, "make_dispatch", counted)
    monkeypatch.setattr(train, "_copy", copied)
    monkeypatch.setattr(train.jax, "block_until_ready", waited)
    train.train_and_evaluate(make_config(epochs=1), tmp_path)
    # Four steps: each but the first goes out before its predecessor is waited for, and the epoch
    # ends with the last one.
    assert events == ["run", "run", 1, "run", 2, "run", 4]


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


def script(monkeypatch, losses):
    """Let the validation loss after each epoch be what the test says."""
    given = iter(losses)
    real = train.Watch.validate

    def validate(self, variables):
        summary, facts = real(self, variables)
        return summary | {"loss": next(given)}, facts

    monkeypatch.setattr(train.Watch, "validate", validate)


@pytest.mark.parametrize("restore_best", [True, False])
def test_the_weights_evaluated_are_the_best_epochs_or_the_last(tmp_path, monkeypatch, restore_best):
    # The second and the fourth are equally good: the earlier is the best. Five epochs, so that it
    # is no longer among the two newest.
    script(monkeypatch, [2.0, 1.0, 3.0, 1.0, 1.5])
    held = train.train_and_evaluate(make_config(epochs=5, restore_best=restore_best), tmp_path)
    assert (held["best_epoch"], held["best_step"]) == (2, 2 * STEPS)
    assert held["weights"] == ("best" if restore_best else "last")
    assert held["weights_step"] == (2 * STEPS if restore_best else 5 * STEPS)
    # The results' own validation loss is that of those weights: their cross-entropy by hand.
    _, tree = running.read_checkpoint(tmp_path, step=held["weights_step"])
    head = tree["state"]["params"]["head"]
    split = results.load_data(make_config(), None)["validation"]
    x = split.images.reshape(32, -1) / 255 - 0.5
    logits = x @ np.asarray(head["kernel"]) + np.asarray(head["bias"])
    each = np.log(np.exp(logits).sum(1)) - logits[np.arange(32), split.labels]
    assert held["evaluations"][0]["split"] == "validation"
    assert held["evaluations"][0]["loss"] == pytest.approx(each.mean(), rel=1e-4)


def test_early_stopping_stops_and_a_small_gain_is_none(tmp_path, monkeypatch):
    # Gains of less than .1 do not count, so epoch 1 stays the best although later ones are lower.
    script(monkeypatch, [2.0, 1.95, 1.92, 1.91, 0.0, 0.0])
    config = make_config(epochs=6, early_stopping={"patience": 3, "min_delta": 0.1})
    held = train.train_and_evaluate(config, tmp_path)
    assert (held["epochs"], held["best_epoch"], held["weights_step"]) == (4, 1, STEPS)


# Three batches an update, four an epoch: an accumulation runs over the end of each epoch.
AVERAGED = {
    "ema": 0.9,
    "early_stopping": {"metric": "raw_accuracy"},
    "optim": {
        "name": "sgd", "nesterov": True, "learning_rate": 0.05, "accumulate": 3, "clip_norm": 1.0,
        "l2": 1e-4,
    },
}


@pytest.fixture(scope="module")
def averaged(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("averaged") / "w"
    return workdir, train.train_and_evaluate(make_config(**AVERAGED), workdir)


def test_a_run_goes_on_inside_an_accumulation(averaged, tmp_path, monkeypatch):
    workdir, step = tmp_path / "w", STEPS + 1  # one update, and two batches of the next
    with monkeypatch.context() as patch:
        running.send(patch, signal.SIGTERM, step=step)
        with pytest.raises(train.Stopped):
            train.train_and_evaluate(make_config(**AVERAGED), workdir)
    assert running.read_checkpoint(workdir)[0] == step
    train.train_and_evaluate(make_config(**AVERAGED), workdir)
    assert without_cost(workdir) == without_cost(averaged[0])
    assert running.read_rows(workdir) == running.read_rows(averaged[0])
    jax.tree.map(
        np.testing.assert_array_equal,
        running.read_checkpoint(workdir), running.read_checkpoint(averaged[0]),
    )


def test_an_average_is_evaluated_beside_the_weights_as_trained(averaged):
    workdir, held = averaged
    assert held["weights"] == "ema"
    rows = running.read_rows(workdir)
    best = max(rows, key=lambda row: (row["validation_raw_accuracy"], -row["epoch"]))
    assert held["best_epoch"] == best["epoch"]
    # Each evaluation of the best epoch's checkpoint by hand, with the weights that it names.
    _, tree = running.read_checkpoint(workdir, step=held["weights_step"])
    split = results.load_data(make_config(), None)["validation"]
    x = split.images.reshape(32, -1) / 255 - 0.5
    found = {}
    for name, state in ((None, tree["state"]["ema"]), ("raw", tree["state"])):
        head = state["params"]["head"]
        logits = x @ np.asarray(head["kernel"]) + np.asarray(head["bias"])
        each = np.log(np.exp(logits).sum(1)) - logits[np.arange(32), split.labels]
        (found[name],) = (
            e["loss"] for e in held["evaluations"]
            if e.get("weights") == name and (e["split"], e["strength"]) == ("validation", 0.0)
        )
        assert found[name] == pytest.approx(each.mean(), rel=1e-4)
    assert best["validation_loss"] == pytest.approx(found[None], rel=1e-6)
    assert best["validation_raw_loss"] == pytest.approx(found["raw"], rel=1e-6)
    assert abs(found["raw"] - found[None]) > 1e-3
    # What others build on, from an ensemble to a hybrid, is by the average.
    loaded = finished.load_run(workdir)
    ema = tree["state"]["ema"]["params"]["head"]["kernel"]
    np.testing.assert_array_equal(np.asarray(loaded.weights["params"]["head"]["kernel"]), ema)
    assert sum(1 for _ in (workdir / "predictions").iterdir()) == 2  # validation, test


def test_a_new_strength_is_evaluated_with_both_weights(averaged, tmp_path):
    shutil.copytree(averaged[0], tmp_path / "w")
    config = make_config(**AVERAGED)
    config.evaluation.update({"strengths": (0.7,), "splits": ("test",)})
    held = finished.complete(config, tmp_path / "w")
    *_, average, raw = held["evaluations"]
    assert [(e["strength"], e.get("weights")) for e in (average, raw)] == [(0.7, None), (0.7, "raw")]
    assert average["loss"] != raw["loss"]
    assert held["evaluations"][:-2] == averaged[1]["evaluations"]


def test_nothing_is_averaged_where_it_is_off(straight):
    workdir, held = straight
    assert "ema" not in running.read_checkpoint(workdir)[1]["state"]
    assert not any("weights" in entry for entry in held["evaluations"])
    assert set(running.read_rows(workdir)[0]) == {
        "epoch", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy",
        "learning_rate", "alarms",
    }


def test_more_batches_an_update_than_there_are_is_refused(tmp_path):
    with pytest.raises(UserError, match="accumulate is 13, and the whole run has 12 batches"):
        train.prepare(make_config(optim={"accumulate": 13}), tmp_path)


def test_nan_stops_the_run_and_is_named(tmp_path, caplog):
    held = train.train_and_evaluate(
        make_config(epochs=9, optim={"learning_rate": 1e38}), tmp_path
    )
    assert held["epochs"] == 1
    assert held["alarms"][0] == "nan: the loss is not a finite number (epoch 1)"
    assert any("epoch 1: nan" in record.getMessage() for record in caplog.records)
    (row,) = running.read_rows(tmp_path)
    assert row["validation_loss"] is None and row["alarms"][0].startswith("nan")
    assert "NaN" not in (tmp_path / "results.json").read_text()


def test_a_collapse_is_named_in_log_metrics_and_results(tmp_path, caplog):
    # A rate of zero: the untrained network. Its head is zero, so it calls every face angry.
    config = make_config(epochs=2, optim={"learning_rate": 0.0})
    with pytest.MonkeyPatch.context() as patch:
        def zeros(*args, **kwargs):
            state = init_state(*args, **kwargs)
            return state._replace(params=jax.tree.map(lambda leaf: leaf * 0, state.params))

        patch.setattr(train, "init_state", zeros)
        held = train.train_and_evaluate(config, tmp_path)
    alarm = "collapse: every validation face is called angry"
    assert f"{alarm} (epochs 1-2)" in held["alarms"]
    assert all(alarm in row["alarms"] for row in running.read_rows(tmp_path))
    assert any(f"epoch 2: {alarm}" in record.getMessage() for record in caplog.records)


def test_bfloat16_trains_and_keeps_its_parameters_in_float32(tmp_path):
    config = tiny_study.get_config("dae")
    config.update({"epochs": 1, "model": {"dtype": "bfloat16"}})
    config.evaluation.strengths = ()
    held = train.train_and_evaluate(config, tmp_path)
    assert 0.5 < held["evaluations"][0]["loss"] < 0.7  # nats a pixel; a grey picture is .693
    _, tree = running.read_checkpoint(tmp_path)
    assert {leaf.dtype.name for leaf in jax.tree.leaves(tree["state"]["params"])} == {"float32"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 65}, "more than the 64 training faces"),
        ({"epochs": -1}, "config.epochs is -1"),
        ({"task": "clasify"}, "Did you mean 'classify'?"),
        ({"distortion": {"name": "gausian"}}, "Did you mean 'gaussian'?"),
        ({"evaluation": {"views": "fip"}}, "Did you mean 'flip'?"),
    ],
)
def test_what_cannot_run_is_refused_at_once(tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        train.prepare(make_config(**changes), tmp_path)


@pytest.mark.parametrize(
    ("protocol", "loss"),
    [
        ("official", losses.soft_cross_entropy),  # has no targets
        ("ferplus:majority", losses.soft_cross_entropy),  # nor has this
        ("ferplus:crossentropy:no-nf", losses.soft_cross_entropy),
        ("ferplus:multi-label", losses.any_label_cross_entropy),
    ],
)
def test_the_protocol_says_how_targets_are_learned(protocol, loss):
    config = make_config()
    config.data.protocol = protocol
    assert train.make_step(config, None, None).keywords["loss"].target_loss is loss


def test_signals_are_handed_back(straight):
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


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
