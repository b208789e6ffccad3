"""The device mesh: batches are split over its one axis, everything else is on every device."""

import jax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from fer_jax.errors import UserError


def make_mesh(devices: int = 0, *, name: str = "config") -> Mesh:
    """Make a mesh of the first `devices` local devices (0: all) with the one axis "data".

    `name` is what an error calls the config.

    Raises:
      UserError: more devices than there are.
    """
    available = jax.devices()
    if not 0 <= devices <= len(available):
        raise UserError(
            f"{name}.mesh.data is {devices}, and this machine has {len(available)} "
            f"{available[0].platform} device(s); choose 0 (all) to {len(available)}"
        )
    chosen = available[: devices or None]
    return Mesh(chosen, ("data",), axis_types=(AxisType.Auto,))


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
