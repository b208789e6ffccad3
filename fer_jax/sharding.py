"""The device mesh: batches are split over its one axis, everything else is on every device."""

from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec, Sharding

from fer_jax.errors import UserError


def make_mesh(devices: int = 0, *, name: str = "config") -> Mesh:
    """Make a mesh of the first `devices` devices (0: all) with the one axis "data".

    Of several processes' devices, each process has as many in it. `name` is what an error calls
    the config.

    Raises:
      UserError: more devices than there are, or a number that the processes cannot share.
    """
    available, processes = jax.devices(), jax.process_count()
    if not 0 <= devices <= len(available):
        there = "this machine has" if processes == 1 else f"the {processes} processes have"
        raise UserError(
            f"{name}.mesh.data is {devices}, and {there} {len(available)} "
            f"{available[0].platform} device(s); choose 0 (all) to {len(available)}"
        )
    if devices % processes:
        raise UserError(
            f"{name}.mesh.data is {devices}, which {processes} processes cannot share; choose 0 "
            f"(all) or a multiple of {processes}"
        )
    each = devices // processes or None
    chosen = [
        device for process in range(processes)
        for device in [one for one in available if one.process_index == process][:each]
    ]
    return _mesh(chosen)


def make_local_mesh() -> Mesh:
    """Make the mesh of one device of this process, for what each process does by itself."""
    return _mesh(jax.local_devices()[:1])


def put(tree: Any, sharding: Sharding) -> Any:
    """Put arrays that every process has whole, on the host or a device of its own, on the devices.

    Each process sends its devices their shards alone.
    """
    if sharding.is_fully_addressable:
        return jax.device_put(tree, sharding)

    def place(array):
        whole = np.asarray(array)
        return jax.make_array_from_callback(whole.shape, sharding, lambda index: whole[index])

    return jax.tree.map(place, tree)


def _mesh(devices: list[jax.Device]) -> Mesh:
    return Mesh(np.array(devices), ("data",), axis_types=(AxisType.Auto,))


def replicated(mesh: Mesh) -> NamedSharding:
    """Return the sharding of state and dataset: a whole copy on each device."""
    return NamedSharding(mesh, PartitionSpec())


def split_batch(mesh: Mesh, *, axis: int = 0) -> NamedSharding:
    """Return the sharding of an array whose `axis` is the batch."""
    return NamedSharding(mesh, PartitionSpec(*[None] * axis, "data"))


def check_batch(batch_size: int, mesh: Mesh, *, name: str = "config") -> None:
    """Check that a batch splits evenly over the mesh; `name` is what an error calls the config.

    Raises:
      UserError: it does not; the nearest sizes that do are named.
    """
    if batch_size < 1 or batch_size % mesh.size:
        lower = batch_size // mesh.size * mesh.size
        sizes = [size for size in (lower, lower + mesh.size) if size > 0]
        raise UserError(
            f"{name}.batch_size is {batch_size}, which {mesh.size} device(s) cannot share; "
            f"choose {' or '.join(map(str, sizes))}, or fewer devices by --{name}.mesh.data=N"
        )
