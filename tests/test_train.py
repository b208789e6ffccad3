"""The loop: its dispatches and memory, the best epoch, stopping early, alarms, what it refuses."""

import jax
import numpy as np
import psutil
import pytest

from fer_jax import checkpoint, losses, results, train, writers
from fer_jax.dispatch import Dispatch
from fer_jax.errors import UserError
from fer_jax.state import init_state
from tests import running, tiny_study
from tests.linear_run import STEPS, make_config


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
