"""Model files: a trained network in one .safetensors, without pickles and fully described."""

import hashlib
import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
import safetensors
import safetensors.numpy
from flax.traverse_util import flatten_dict, unflatten_dict

from fer_jax import files
from fer_jax.checks import check_run
from fer_jax.configuring import from_json, to_json
from fer_jax.errors import UserError
from fer_jax.trained import Trained, expected_variables

# Raise it when this code can no longer read what it wrote before.
VERSION = 1
DTYPES = {"float32": np.float32, "float16": np.float16}
LARGEST = 1 << 30  # bytes: four times the largest network here in float32


def save(path: Path | str, trained: Trained, *, dtype: str = "float32") -> None:
    """Write a trained network as safetensors, whole or not at all.

    Arrays are named `params/...` and `batch_stats/...`; `dtype` is that of the parameters, the
    running statistics stay float32. The header's metadata hold `format`, `version` and, as JSON,
    `config`, `labels`, `image_shape`, `card` and `sha256` of the arrays.

    Raises:
      UserError: a parameter does not fit into float16.
      OSError: the file cannot be written.
    """
    arrays = {
        name: np.asarray(array, np.float32)
        for name, array in flatten_dict(_host(trained.variables), sep="/").items()
    }
    for name, array in arrays.items():
        if name.startswith("params/"):
            arrays[name] = _narrow(array, name, dtype)
    described = {
        "config": to_json(trained.config),
        "labels": list(trained.labels),
        "image_shape": list(trained.image_shape),
        "card": trained.card,
        "sha256": _hash(arrays),
    }
    metadata = {name: json.dumps(value, allow_nan=False) for name, value in described.items()}
    metadata |= {"format": "fer_jax", "version": str(VERSION)}
    with files.replacing(Path(path)) as file:
        file.write(safetensors.numpy.save(arrays, metadata=metadata))


def load(path: Path | str) -> Trained:
    """Read a network that `save` wrote; parameters in float16 become float32.

    Raises:
      UserError: the file is no safetensors, damaged, cut off, not one of ours, or of a version
        that this code does not read.
    """
    path = Path(path)
    arrays, metadata = _read(path)
    if metadata.get("format") != "fer_jax":
        raise UserError(
            f"{path} is a safetensors file, but no model of fer_jax: its header says nothing of "
            "the network. Expected what python -m fer_jax.export --format=safetensors writes"
        )
    if metadata.get("version") != str(VERSION):
        raise UserError(
            f"{path} is a model file of version {metadata.get('version')!r}, and this code reads "
            f"version {VERSION}; export it anew with this code, or use the fer_jax that wrote it"
        )
    try:
        config, labels, shape, card, digest = (
            json.loads(metadata[name])
            for name in ("config", "labels", "image_shape", "card", "sha256")
        )
        config = from_json(config)
        described = Trained(config, {}, tuple(map(str, labels)), tuple(map(int, shape)), dict(card))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _damaged(path, f"its header does not describe a network ({error!r:.100})") from error
    if digest != _hash(arrays):
        raise _damaged(path, "its arrays are not those that were written")
    check_run(config)
    return described._replace(variables=_fit(path, arrays, described))


def _read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    try:
        size = path.stat().st_size
        if not path.is_file() or not size:
            raise UserError(f"{path} is {'empty' if path.is_file() else 'no file'}; get it anew")
        if size > LARGEST:
            raise UserError(
                f"{path} has {size:,} bytes, more than the {LARGEST:,} that a network here may "
                "have; expected an exported .safetensors"
            )
        with safetensors.safe_open(path, framework="numpy") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}
    except safetensors.SafetensorError as error:
        raise _damaged(path, str(error)[:200]) from error
    except FileNotFoundError:
        raise UserError(f"there is no model file {path}") from None


def _fit(path: Path, arrays: dict[str, np.ndarray], trained: Trained) -> dict[str, Any]:
    """Check that the arrays are exactly the network's, and nest them."""
    expected = expected_variables(trained.config, image_shape=trained.image_shape)
    shapes = {name: leaf.shape for name, leaf in flatten_dict(expected, sep="/").items()}
    held = {name: array.shape for name, array in arrays.items()}
    if wrong := sorted(name for name in shapes | held if shapes.get(name) != held.get(name)):
        name = wrong[0]
        raise UserError(
            f"{path}: {len(wrong)} arrays do not fit the network that its header describes; "
            f"{name!r} is {held.get(name, 'missing')}, expected {shapes.get(name, 'none')}"
        )
    floats = {name: np.asarray(array, np.float32) for name, array in arrays.items()}
    if broken := [name for name, array in floats.items() if not np.isfinite(array).all()]:
        raise UserError(f"{path}: {broken[0]!r} has NaN or infinite values; export another run")
    if len(trained.labels) != trained.config.model.get("classes", len(trained.labels)):
        raise UserError(
            f"{path}: {len(trained.labels)} labels for {trained.config.model.classes} classes"
        )
    nested = unflatten_dict(floats, sep="/")
    return {"params": nested["params"], "batch_stats": nested.get("batch_stats", {})}


def _narrow(array: np.ndarray, name: str, dtype: str) -> np.ndarray:
    # An overflow is what is looked for below.
    with np.errstate(over="ignore"):
        narrow = array.astype(DTYPES[dtype])
    if np.isfinite(narrow).all() or not np.isfinite(array).all():
        return narrow
    raise UserError(
        f"{name!r} holds {np.abs(array).max():g}, more than {dtype} can; keep float32"
    )


def _hash(arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype} {array.shape} ".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _damaged(path: Path, reason: str) -> UserError:
    return UserError(
        f"{path} cannot be read as a model: {reason}. Expected a .safetensors that "
        "python -m fer_jax.export wrote; it is another kind of file, damaged or cut off"
    )


def _host(variables: dict[str, Any]) -> dict[str, Any]:
    return jax.tree.map(np.asarray, variables)


