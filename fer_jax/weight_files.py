"""Read files of weights: PyTorch's `.pth`, `.safetensors` and Keras' `.h5`; nothing is executed."""

import hashlib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from fer_jax.errors import UserError, suggest


def read_weights(path: Path | str) -> dict[str, np.ndarray]:
    """Read a file's arrays by name, as float32 in the layout that they have there.

    PyTorch's and safetensors' names are the file's own, `features.0.weight`. Of Keras' they are
    `LAYER/kernel` and `LAYER/bias`, whichever of its versions wrote the file.

    Raises:
      UserError: there is no such file, its ending is not known, the package that reads it is not
        installed, or it holds anything else than arrays of finite numbers.
    """
    path = Path(path).expanduser()
    if complaint := check_ending(path):
        raise UserError(f"{path}{complaint}")
    if not path.is_file():
        raise UserError(
            f"there is no file {path} of pretrained weights; the project ships none. "
            "docs/pretrained.md says where to get them"
        )
    arrays = READERS[path.suffix](path)
    if not arrays:
        raise UserError(f"{path} holds no array; expected a network's weights")
    return {name: _to_float(array, name, path) for name, array in arrays.items()}


def check_ending(path: Path | str) -> str:
    """Check that a file's ending is one that we read; give the complaint or ""."""
    suffix = Path(path).suffix
    if suffix in READERS:
        return ""
    return f" ends in {suffix!r}, which no file of weights has. {suggest(suffix, READERS)}"


def hash_file(path: Path | str) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal digits.

    Raises:
      UserError: there is no such file.
    """
    try:
        with Path(path).expanduser().open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (FileNotFoundError, IsADirectoryError):
        raise UserError(
            f"there is no file {path} of pretrained weights; the project ships none. "
            "docs/pretrained.md says where to get them"
        ) from None


def _read_torch(path: Path) -> dict[str, Any]:
    torch = _import("torch", path, get="pip install torch")
    try:
        # Only tensors and plain containers: a pickle that names any other function is refused.
        held = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a foreign or damaged file brings about
        raise _unreadable(path, error, "a state dict of tensors, saved by torch.save") from error
    if not isinstance(held, dict):
        raise UserError(f"{path} holds a {type(held).__name__}; expected a state dict of tensors")
    for name, value in held.items():
        if not isinstance(value, torch.Tensor):
            raise UserError(
                f"{path} holds a {type(value).__name__} as {name!r}; expected a state dict, in "
                "which every entry is a tensor: save that part of it alone"
            )
    return {str(name): value.detach().float().numpy() for name, value in held.items()}


def _read_safetensors(path: Path) -> dict[str, Any]:
    library = _import("safetensors.numpy", path)
    try:
        return library.load_file(path)
    except Exception as error:  # its own error's class is not the only one
        raise _unreadable(path, error, "a .safetensors file") from error


def _read_keras(path: Path) -> dict[str, Any]:
    h5py = _import("h5py", path)
    arrays = {}

    def visit(name, node):
        if isinstance(node, h5py.Dataset) and not name.startswith("optimizer"):
            layer = next((part for part in name.split("/") if part not in CONTAINERS), name)
            # A layer's arrays have many names, `block1_conv1_W_1:0`, `kernel:0` and `vars/0` among
            # them; their ranks tell them apart.
            kind = "bias" if node.ndim == 1 else "kernel"
            if f"{layer}/{kind}" in arrays:
                raise UserError(
                    f"{path} has two arrays that could be {layer}/{kind}, one of them {name!r}; "
                    "expected layers of a kernel and a bias, as VGG16's"
                )
            arrays[f"{layer}/{kind}"] = node[()]

    try:
        with h5py.File(path, "r") as file:
            file.visititems(visit)
    except UserError:
        raise
    except Exception as error:  # HDF5 raises many kinds for a damaged file
        raise _unreadable(path, error, "weights that Keras saved") from error
    return arrays


# Groups that hold the layers' own, in files of whole models and of Keras 3.
CONTAINERS = ("model_weights", "layers")

READERS: dict[str, Callable[[Path], dict[str, Any]]] = {
    ".pth": _read_torch,
    ".pt": _read_torch,
    ".safetensors": _read_safetensors,
    ".h5": _read_keras,
    ".hdf5": _read_keras,
}


def _import(name: str, path: Path, *, get: str = "pip install 'fer_jax[pretrained]'") -> Any:
    # By name, because none of them is needed for anything else.
    try:
        return import_module(name)
    except ImportError:
        package = name.partition(".")[0]
        raise UserError(f"reading {path} needs the package {package}; install it: {get}") from None


def _unreadable(path: Path, error: Exception, expected: str) -> UserError:
    said = str(error).strip().splitlines()
    reason = said[0][:200] if said else type(error).__name__
    return UserError(f"{path} cannot be read: {reason}. Expected {expected}; get the file anew")


def _to_float(array: Any, name: str, path: Path) -> np.ndarray:
    try:
        array = np.asarray(array).astype(np.float32)
    except (TypeError, ValueError):
        raise UserError(f"{path}: {name!r} holds no numbers; expected weights") from None
    if not np.isfinite(array).all():
        raise UserError(f"{path}: {name!r} has NaN or infinite values; get the file anew")
    return array
