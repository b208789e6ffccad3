"""Checkpoints: what is kept, what a damaged one costs, and that they hold what they were given."""

import logging
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fer_jax import checkpoint, metrics
from fer_jax.checkpoint import Saved
from fer_jax.errors import UserError
from fer_jax.sharding import make_mesh, replicated
from fer_jax.state import TrainState, variables


def make_saved(step: int, *, best_step: int = 0, best_epoch: int = 0, value: float = 0.0) -> Saved:
    """Make a state of one kernel, full of the step's number, as a run saves it."""

    @jax.jit
    def make(key):
        return (
            TrainState(
                step=jnp.int32(step),
                params={"head": {"kernel": jnp.full((64, 64), step + value)}},
                batch_stats={"bn1": {"mean": jnp.full((4,), step / 2)}},
                # Noise, which does not compress: most of the checkpoint's bytes.
                opt_state={"momentum": jax.random.normal(key, (64, 64))},
                key=key,
            ),
            {"scale": jnp.float32(0.5)},
            metrics.empty(7),
        )

    # Inside jit and over all devices, as the loop makes it.
    make = jax.jit(make, out_shardings=replicated(make_mesh()))
    loop = {"epoch": step, "best": 0.1, "best_epoch": best_epoch, "best_step": best_step}
    return Saved(*make(jax.random.key(3)), loop)


def save_all(folder, saved_ones) -> list[int]:
    with checkpoint.open_checkpoints(folder) as checkpointer:
        for saved in saved_ones:
            checkpoint.save(checkpointer, saved)
        checkpointer.wait()
        return [held.step for held in checkpointer.checkpoints]


@pytest.mark.parametrize(
    ("best_epochs", "kept"),
    [
        # The best epoch after each of five epochs, as the loop sees it -> steps that stay.
        ((1, 2, 2, 2, 2), [20, 40, 50]),
        ((1, 1, 1, 1, 1), [10, 40, 50]),  # equal later ones, or all NaN: the first stays
        ((1, 2, 3, 4, 5), [40, 50]),
        ((1, 1, 1, 4, 4), [40, 50]),
    ],
)
def test_the_two_newest_and_the_best_are_kept(tmp_path, best_epochs, kept):
    steps = save_all(tmp_path, [
        make_saved(10 * epoch, best_step=10 * best, best_epoch=best)
        for epoch, best in enumerate(best_epochs, start=1)
    ])
    assert steps == kept
    assert sorted(int(path.name) for path in (tmp_path / "checkpoints").glob("[0-9]*")) == kept


def test_a_save_inside_an_epoch_does_not_push_out_the_best(tmp_path):
    states = [make_saved(10, best_step=10, best_epoch=1)]
    states += [make_saved(step, best_step=10, best_epoch=1) for step in (13, 16, 19)]
    assert save_all(tmp_path, states) == [10, 16, 19]


def test_everything_comes_back_as_it_was(tmp_path):
    saved = make_saved(10, best_step=10, best_epoch=1)
    save_all(tmp_path, [saved])
    with checkpoint.open_checkpoints(tmp_path) as checkpointer:
        restored = checkpoint.restore(checkpointer, make_saved(0))
    assert restored.loop == saved.loop
    assert jax.dtypes.issubdtype(restored.state.key.dtype, jax.dtypes.prng_key)
    assert jnp.array_equal(
        jax.random.key_data(restored.state.key), jax.random.key_data(saved.state.key)
    )

    def check(new, old):
        assert (new.dtype, new.sharding) == (old.dtype, old.sharding)
        np.testing.assert_array_equal(np.asarray(new), np.asarray(old))

    for part in ("params", "batch_stats", "opt_state", "step"):
        jax.tree.map(check, getattr(restored.state, part), getattr(saved.state, part))
    jax.tree.map(check, (restored.plateau, restored.totals), (saved.plateau, saved.totals))


def test_nothing_saved_is_nothing_restored(tmp_path):
    with checkpoint.open_checkpoints(tmp_path) as checkpointer:
        assert checkpoint.restore(checkpointer, make_saved(0)) is None


def test_a_state_that_is_donated_while_it_is_saved_is_saved_unharmed(tmp_path):
    step = jax.jit(lambda state: jax.tree.map(lambda a: a * 0 - 7, state), donate_argnums=0)
    with checkpoint.open_checkpoints(tmp_path) as checkpointer:
        for number in range(1, 6):
            saved = make_saved(number)
            checkpoint.save(checkpointer, saved)
            # Overwrites the buffers at once, while the save is under way.
            jax.block_until_ready(step(saved.state._replace(key=jnp.zeros(2))))
            checkpointer.wait()
            restored = checkpoint.restore(checkpointer, make_saved(0), step=number)
            kernel = np.asarray(restored.state.params["head"]["kernel"])
            assert (kernel == number).all()


def truncate(folder):
    largest = max(folder.rglob("*"), key=lambda path: path.is_file() and path.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:50])


def flip(folder):
    largest = max(folder.rglob("*"), key=lambda path: path.is_file() and path.stat().st_size)
    held = bytearray(largest.read_bytes())
    held[len(held) // 2] ^= 0xFF
    largest.write_bytes(held)


def lose_data(folder):
    shutil.rmtree(folder / "state")


def lose_loop(folder):
    (folder / "_CHECKPOINT_METADATA").write_text("{")


@pytest.mark.parametrize("damage", [truncate, flip, lose_data, lose_loop])
def test_a_damaged_newest_checkpoint_is_named_and_the_one_before_is_read(tmp_path, caplog, damage):
    save_all(tmp_path, [make_saved(step, best_step=10, best_epoch=1) for step in (10, 20, 30)])
    damage(tmp_path / "checkpoints" / "30")
    with checkpoint.open_checkpoints(tmp_path) as checkpointer, caplog.at_level(logging.WARNING):
        restored = checkpoint.restore(checkpointer, make_saved(0))
        assert int(restored.state.step) == 20
        assert restored.loop["epoch"] == 20
        (record,) = [r for r in caplog.records if r.name == "root"]
        assert "checkpoint 30 of" in record.getMessage()
        # Coming by again, the run replaces it.
        checkpoint.save(checkpointer, make_saved(30, best_step=10, best_epoch=1, value=0.25))
        checkpointer.wait()
        restored = checkpoint.restore(checkpointer, make_saved(0))
        assert float(restored.state.params["head"]["kernel"][0, 0]) == 30.25


def test_all_damaged_is_an_error_that_says_what_to_do(tmp_path):
    save_all(tmp_path, [make_saved(10), make_saved(20)])
    for step in (10, 20):
        lose_data(tmp_path / "checkpoints" / str(step))
    with (
        checkpoint.open_checkpoints(tmp_path) as checkpointer,
        pytest.raises(UserError, match="none of the checkpoints .* remove that folder"),
    ):
        checkpoint.restore(checkpointer, make_saved(0))


def test_variables_are_read_without_the_optimizers_memory(tmp_path):
    saved = make_saved(10)
    save_all(tmp_path, [saved])
    weights = checkpoint.load_variables(tmp_path, step=10, like=variables(make_saved(0).state))
    assert weights.keys() == {"params", "batch_stats"}
    assert (np.asarray(weights["params"]["head"]["kernel"]) == 10).all()
    assert (np.asarray(weights["batch_stats"]["bn1"]["mean"]) == 5).all()
    with pytest.raises(UserError, match="no checkpoint of step 11"):
        checkpoint.load_variables(tmp_path, step=11, like=variables(saved.state))
