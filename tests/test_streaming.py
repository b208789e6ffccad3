"""Faces that stay in the prepared file: the same batches and results as resident ones."""

import signal
import threading

import numpy as np
import pytest

from fer_jax import results, train
from fer_jax.data.faces import Faces, load_faces, save_faces
from fer_jax.data.lazy import Rows, map_array
from fer_jax.sharding import make_mesh
from fer_jax.streaming import put_batches, streamed, streams
from tests import running, tiny_study

pytestmark = pytest.mark.usefixtures("quick_compile")


@pytest.fixture
def data_dir(tmp_path):
    """Write 20 training and 4 test faces of each emotion, coloured noise of 10x10, as RAF-DB."""
    generator = np.random.default_rng(0)
    usage = np.repeat(["Training", "Test"], [140, 28])
    n = len(usage)
    images = generator.integers(0, 256, (n, 10, 10, 3), np.uint8)
    faces = Faces(images, np.arange(n, dtype=np.uint8) % 7, usage, np.full(n, ""), np.arange(n))
    (tmp_path / "data").mkdir()
    save_faces(tmp_path / "data" / "raf_db.npz", faces)
    return tmp_path / "data"


def make_config(*, budget):
    config = tiny_study.get_config("linear")
    config.update({
        "epochs": 2, "evaluation": {"strengths": (), "splits": ("validation",)},
        "data": {
            "dataset": "raf_db", "protocol": "holdout:10", "sizes": (0, 0, 0),
            "device_budget_mb": budget,
        },
    })
    return config


def load(data_dir, *, budget):
    config = make_config(budget=budget)
    split = results.load_data(config, str(data_dir))["train"]
    assert streams(config, split) == isinstance(split.images, Rows) == bool(budget)
    return split


def test_batches_are_those_of_the_resident_faces_bit_for_bit(data_dir):
    # 140 faces, of which two of each emotion validate: 126 of 300 bytes are .0378 megabytes.
    split, resident = load(data_dir, budget=0.0377), load(data_dir, budget=0)
    assert split.images.shape == resident.images.shape == (126, 10, 10, 3)
    np.testing.assert_array_equal(split.keys, resident.keys)
    np.testing.assert_array_equal(split.images, resident.images)
    assert not isinstance(load_faces(data_dir / "raf_db.npz").images, np.memmap)
    indices = np.random.default_rng(0).permutation(126)[:120].reshape(15, 8)
    mesh = make_mesh(2)
    taken = []
    # From the third step on, four at a time: three dispatches, and one step is left.
    with streamed(split, indices, mesh, start=2, steps=4) as take:
        for first in (2, 6, 10, 14):
            batch = take(first, min(first + 4, 15))
            assert batch.images.sharding.shard_shape(batch.images.shape)[1] == 8 // 2
            taken.append(batch)
    np.testing.assert_array_equal(
        np.concatenate([batch.images for batch in taken]), resident.images[indices[2:]]
    )
    np.testing.assert_array_equal(
        np.concatenate([batch.labels for batch in taken]), resident.labels[indices[2:]]
    )


def test_distributions_come_along(data_dir):
    split = load(data_dir, budget=0.01)
    targets = np.random.default_rng(0).dirichlet(np.ones(7), 126).astype(np.float32)
    indices = np.arange(8).reshape(2, 4)
    batches = put_batches(split._replace(targets=targets), indices, make_mesh(1))
    np.testing.assert_array_equal(batches.targets, targets[indices])


def test_a_run_that_streams_is_the_resident_one_also_when_it_was_stopped(
    data_dir, tmp_path, monkeypatch
):
    # Seven steps an epoch: 126 // 16.
    resident, streaming = make_config(budget=0), make_config(budget=0.01)
    train.train_and_evaluate(resident, tmp_path / "resident", data_dir=data_dir)
    train.train_and_evaluate(streaming, tmp_path / "streaming", data_dir=data_dir)
    with monkeypatch.context() as patch:
        running.send(patch, signal.SIGTERM, step=10)
        with pytest.raises(train.Stopped, match="saved at step 10"):
            train.train_and_evaluate(streaming, tmp_path / "stopped", data_dir=data_dir)
    assert "streaming" not in [thread.name for thread in threading.enumerate()]
    train.train_and_evaluate(streaming, tmp_path / "stopped", data_dir=data_dir)
    names = ("resident", "streaming", "stopped")
    rows = {name: running.read_rows(tmp_path / name) for name in names}
    assert rows["stopped"] == rows["streaming"]
    for row, other in zip(rows["streaming"], rows["resident"], strict=True):
        for name in ("train_loss", "validation_loss"):
            # XLA may fuse a gather in another way than an argument, which moves the last bits.
            assert row[name] == pytest.approx(other[name], rel=1e-6)
    held = [running.read_results(tmp_path / name) for name in rows]
    assert held[0]["config_hash"] == held[1]["config_hash"] == held[2]["config_hash"]
    assert held[1]["evaluations"] == held[2]["evaluations"]


def test_the_thread_ends_with_the_block_and_its_error_is_the_loops(data_dir):
    split, mesh = load(data_dir, budget=0.01), make_mesh(1)
    indices = np.arange(100).reshape(50, 2)
    with pytest.raises(KeyboardInterrupt), streamed(split, indices, mesh, start=0, steps=1) as take:
        take(0, 1)
        raise KeyboardInterrupt
    assert "streaming" not in [thread.name for thread in threading.enumerate()]
    broken = split._replace(labels=split.labels[:60])
    with pytest.raises(IndexError), streamed(broken, indices, mesh, start=0, steps=1) as take:
        for i in range(50):
            take(i, i + 1)


def test_an_array_in_a_compressed_file_cannot_be_mapped(tmp_path):
    images = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    np.savez(tmp_path / "plain.npz", images=images)
    np.savez_compressed(tmp_path / "small.npz", images=images)
    np.testing.assert_array_equal(map_array(tmp_path / "plain.npz", "images"), images)
    assert map_array(tmp_path / "small.npz", "images") is None
    rows = Rows(images, [1, 0])
    assert rows.shape == (2, 3, 4, 1) and rows[0].shape == (3, 4, 1)
    np.testing.assert_array_equal(rows[:1], images[[1], ..., None])
