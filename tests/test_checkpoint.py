"""Checkpoints: what is kept, what a damaged one costs, and that they hold what they were given."""

import gc
import json
import logging
import os
import pathlib
import shutil
import threading
import time

import jax
import jax.numpy as jnp
import numpy as np
import psutil
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


def test_the_loop_goes_on_while_a_checkpoint_is_written(tmp_path, monkeypatch):
    written, threads = threading.Event(), []

    def hold(real):
        def rename(*args, **options):
            threads.append(threading.current_thread())
            if threading.current_thread() is not threading.main_thread():
                assert written.wait(60)
            return real(*args, **options)

        return rename

    # What a save ends with: its folder gets its name.
    for name in ("rename", "replace"):
        monkeypatch.setattr(os, name, hold(getattr(os, name)))
    with checkpoint.open_checkpoints(tmp_path) as checkpointer:
        checkpoint.save(checkpointer, make_saved(1))
        assert not (tmp_path / checkpoint.NAME / "1").exists()
        written.set()
        checkpointer.wait()
        assert (tmp_path / checkpoint.NAME / "1").exists()
    assert threads and threading.main_thread() not in threads


def test_the_checksum_is_the_sum_of_all_bytes_whatever_the_pieces(monkeypatch):
    generator = np.random.default_rng(0)
    tree = {
        "weights": generator.normal(size=(33, 7)).astype(np.float32),
        "step": np.int32(-5),
        "key": np.array([1, 2**32 - 1], np.uint32),
        "half": jnp.asarray(generator.normal(size=9), jnp.bfloat16),
    }
    expected = sum(int(np.asarray(x).reshape(-1).view(np.uint8).sum()) for x in tree.values())
    tree = jax.tree.map(jnp.asarray, tree)
    for piece in (checkpoint.PIECE, 1):
        monkeypatch.setattr(checkpoint, "PIECE", piece)
        assert checkpoint._checksum(tree) == expected % 2**32


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


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_middle(path):
    held = bytearray(path.read_bytes())
    if held:
        held[len(held) // 2] ^= 0x40
    path.write_bytes(held)


# Where one read fails, Orbax drops the others under way, and they complain when they are collected.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_whatever_file_is_damaged_a_whole_state_comes_back(tmp_path, caplog):
    save_all(tmp_path, [make_saved(step, best_step=10, best_epoch=1) for step in (10, 20, 30)])
    newest = tmp_path / "checkpoints" / "30"
    files = [path.relative_to(newest) for path in newest.rglob("*") if path.is_file()]
    # All of the files flipped; the two other damages on those that hold the arrays and their index.
    kept = [name for name in files if name.name != "_sharding" and "commit" not in name.name]
    seen = set()
    for damage, names in ((flip_middle, files), (cut, kept[::2]), (pathlib.Path.unlink, kept)):
        for name in names:
            folder = tmp_path / "copy"
            shutil.copytree(tmp_path / "checkpoints", folder / "checkpoints")
            damage(folder / "checkpoints" / "30" / name)
            caplog.clear()
            with checkpoint.open_checkpoints(folder) as checkpointer:
                restored = checkpoint.restore(checkpointer, make_saved(0))
            # Some files are not needed: then the newest is whole. Else the one before is read, and
            # a warning, ours or Orbax's, names the damaged one.
            step = int(restored.state.step)
            warned = any("checkpoints/30" in m or "checkpoint 30 of" in m for m in caplog.messages)
            assert step == 30 or (step == 20 and warned), (name, damage, caplog.messages)
            expected = make_saved(step, best_step=10, best_epoch=1)
            jax.tree.map(
                np.testing.assert_array_equal,
                (restored.state.params, restored.state.opt_state, restored.loop),
                (expected.state.params, expected.state.opt_state, expected.loop),
            )
            seen.add(step)
            shutil.rmtree(folder)
    assert seen == {20, 30}
    gc.collect()  # here, and not within a test that comes later


def test_another_schema_is_refused_by_name_and_not_gone_back_from(tmp_path, monkeypatch):
    save_all(tmp_path, [make_saved(10)])
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "SCHEMA", 0)
        save_all(tmp_path, [make_saved(20)])
    told = "checkpoint 20 of .* has schema 0, and this code reads schema 1; go on with the code"
    with (
        checkpoint.open_checkpoints(tmp_path) as checkpointer,
        pytest.raises(UserError, match=told),
    ):
        checkpoint.restore(checkpointer, make_saved(0))
    with pytest.raises(UserError, match=told):
        checkpoint.load_variables(tmp_path, step=20, like=variables(make_saved(0).state))


def test_the_newest_is_the_greatest_step_whatever_the_clock_says(tmp_path, monkeypatch):
    now = [2e9]
    monkeypatch.setattr(time, "time", lambda: now.append(now[-1] - 1e6) or now[-1])
    steps = [10, 20, 30]
    save_all(tmp_path, [make_saved(step, best_step=10, best_epoch=1) for step in steps])
    for i, path in enumerate(sorted(tmp_path.rglob("*"), reverse=True)):
        os.utime(path, (i * 1e6, i * 1e6))
    save_all(tmp_path, [make_saved(40, best_step=10, best_epoch=1)])
    with checkpoint.open_checkpoints(tmp_path) as checkpointer:
        assert [held.step for held in checkpointer.checkpoints] == [10, 30, 40]
        assert int(checkpoint.restore(checkpointer, make_saved(0)).state.step) == 40


def test_a_save_leaves_no_thread_and_no_open_file(tmp_path):
    process, counts = psutil.Process(), []
    with checkpoint.open_checkpoints(tmp_path) as checkpointer:
        for step in range(1, 7):
            checkpoint.save(checkpointer, make_saved(step))
            checkpointer.wait()
            counts.append((process.num_fds(), threading.active_count()))
    # The first open what they keep: a third file or a second thread a save would add up.
    (files, threads), (last_files, last_threads) = counts[2], counts[-1]
    assert last_files - files < 3 and last_threads - threads < 3, counts


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
    path = tmp_path / "checkpoints" / "10" / "_CHECKPOINT_METADATA"
    held = json.loads(path.read_text())
    # Most bytes are the optimizer's, so that a flipped one would seldom be a weight's.
    held["custom_metadata"]["weights_checksum"] += 1
    path.write_text(json.dumps(held))
    with pytest.raises(UserError, match="10 of .* cannot be read .its bytes have changed.* again"):
        checkpoint.load_variables(tmp_path, step=10, like=variables(saved.state))
    truncate(tmp_path / "checkpoints" / "10")
    with pytest.raises(UserError, match="10 of .* cannot be read .* run it again"):
        checkpoint.load_variables(tmp_path, step=10, like=variables(saved.state))
