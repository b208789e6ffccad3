"""The mesh: how many devices share a batch, and what is said when they cannot."""

import jax
import numpy as np
import pytest

from fer_jax import sharding
from fer_jax.errors import UserError
from fer_jax.sharding import check_batch, make_mesh, replicated, split_batch


@pytest.mark.parametrize("devices, size", [(0, 4), (1, 1), (3, 3)])
def test_a_mesh_takes_the_first_devices(devices, size):
    mesh = make_mesh(devices)
    assert mesh.axis_names == ("data",)
    assert list(mesh.devices.flat) == jax.devices()[:size]


@pytest.mark.parametrize("devices", [-1, 5])
def test_more_devices_than_there_are_is_refused(devices):
    with pytest.raises(UserError, match=rf"mesh.data is {devices}.* 4 cpu device\(s\); choose 0"):
        make_mesh(devices)


def test_processes_have_as_many_devices_each_in_a_mesh(monkeypatch):
    class Device:
        def __init__(self, process):
            self.process_index, self.platform = process, "cpu"

    monkeypatch.setattr(jax, "process_count", lambda: 2)
    made = [Device(process) for process in (0, 0, 0, 1, 1, 1)]
    monkeypatch.setattr(jax, "devices", lambda: made)
    with pytest.raises(UserError, match="mesh.data is 3, which 2 processes cannot share; choose 0"):
        make_mesh(3)
    with pytest.raises(UserError, match="the 2 processes have 6 cpu device"):
        make_mesh(8)
    monkeypatch.setattr(sharding, "_mesh", lambda chosen: chosen)
    assert [made.index(device) for device in make_mesh(4)] == [0, 1, 3, 4]
    assert make_mesh(0) == made


@pytest.mark.parametrize("axis, shard", [(0, (2, 4)), (1, (8, 1))])
def test_a_batch_is_split_along_its_axis(axis, shard):
    mesh = make_mesh(4)
    array = jax.device_put(np.zeros((8, 4)), split_batch(mesh, axis=axis))
    assert array.addressable_shards[0].data.shape == shard
    whole = jax.device_put(np.zeros((8, 4)), replicated(mesh))
    assert whole.addressable_shards[3].data.shape == (8, 4)


@pytest.mark.parametrize(
    "batch_size, choices", [(10, "choose 8 or 12"), (3, "choose 4,"), (0, "choose 4,")]
)
def test_a_batch_that_does_not_split_evenly_is_answered_with_sizes_that_do(batch_size, choices):
    with pytest.raises(UserError, match=f"batch_size is {batch_size}.*{choices}"):
        check_batch(batch_size, make_mesh(4))


def test_a_batch_that_splits_evenly_passes():
    check_batch(8, make_mesh(4))
