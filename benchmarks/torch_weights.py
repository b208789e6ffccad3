"""Give a PyTorch network the weights of ours, array by array; needs neither JAX nor flax.

A layer of ours at `res1/conv2` meets the twin's at `res1.conv2`; a `names` table says where the two
differ, as in `{"conv1": "features.0"}`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

# Names of a layer's arrays; a convolution's or dense layer's kernel is also transposed.
ARRAYS = {
    "kernel": "weight", "scale": "weight", "bias": "bias",
    "mean": "running_mean", "var": "running_var",
}


def load(
    variables: Mapping[str, Any], twin: torch.nn.Module, *, names: Mapping[str, str] | None = None,
    flattened: Mapping[str, tuple[int, int, int]] | None = None,
) -> torch.nn.Module:
    """Give the twin our variables, by `to_state_dict`; no array of either may be left over."""
    state = to_state_dict(variables, names=names, flattened=flattened)
    seen = {name: count for name, count in twin.state_dict().items() if "num_batches" in name}
    twin.load_state_dict({**state, **seen}, strict=True)
    return twin


def to_state_dict(
    variables: Mapping[str, Any], *, names: Mapping[str, str] | None = None,
    flattened: Mapping[str, tuple[int, int, int]] | None = None,
) -> dict[str, torch.Tensor]:
    """Turn flax variables into a PyTorch state dict.

    Args:
      names: our layer's path to the twin's, where they differ other than by "/" and ".".
      flattened: dense layers that read a flattened map, as `{"fc1": (h, w, c)}`: we flatten it with
        the channels last, PyTorch with the channels first.
    """
    names, flattened = names or {}, flattened or {}
    state = {}
    # A path is (collection, layer, ..., kind); the collections are "params" and "batch_stats".
    for (_, *layer, kind), array in _leaves(variables):
        layer, array = "/".join(layer), np.asarray(array, np.float32)
        if kind == "kernel":
            array = _transpose(array, flattened.get(layer))
        where = names.get(layer, layer.replace("/", "."))
        state[f"{where}.{ARRAYS[kind]}"] = torch.from_numpy(array.copy())
    return state


def to_nchw(images: np.ndarray) -> torch.Tensor:
    """Turn images `[b, h, w, c]` into a tensor `[b, c, h, w]`."""
    return torch.from_numpy(np.moveaxis(np.asarray(images), -1, 1).copy())


def _leaves(tree: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*path, name))
        else:
            yield (*path, name), value


def _transpose(kernel: np.ndarray, flattened: tuple[int, int, int] | None) -> np.ndarray:
    if kernel.ndim == 4:  # HWIO to OIHW; a depthwise one, [h, w, 1, c], to [c, 1, h, w]
        return kernel.transpose(3, 2, 0, 1)
    if flattened:
        outputs = kernel.shape[-1]
        kernel = kernel.reshape(*flattened, outputs).transpose(2, 0, 1, 3).reshape(-1, outputs)
    return kernel.T
