"""PyTorch twins of our networks: the same weights in both, and the same numbers out of both.

A twin is a `torch.nn.Module` that a test writes with PyTorch's own layers. A layer of ours at
`res1/conv2` meets the twin's at `res1.conv2`; a `names` table says where the two differ, as in
`{"conv1": "features.0"}`. A file that imports this one begins with

    torch = pytest.importorskip("torch", reason="needs PyTorch: the extra `reference`")
"""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import numpy as np
import torch
from flax.traverse_util import flatten_dict

# Names of a layer's arrays; a convolution's or dense layer's kernel is also transposed.
ARRAYS = {
    "kernel": "weight", "scale": "weight", "bias": "bias",
    "mean": "running_mean", "var": "running_var",
}


def check_logits(model: nn.Module, variables, twin: torch.nn.Module, images, *, atol=1e-4):
    """Check that both give the same logits in testing, for images `[b, h, w, c]` in 0..1."""
    logits, _ = jax.jit(lambda v, x: model.apply(v, x, train=False))(variables, images)
    with torch.no_grad():
        expected = twin.eval()(to_nchw(images))
    # Equal constants would pass too.
    spread = np.ptp(logits, axis=0).max()
    assert spread > 100 * atol, f"the logits of different images differ by {spread} only"
    np.testing.assert_allclose(logits, expected.numpy(), atol=atol, rtol=1e-4)


def check_training(
    model: nn.Module, variables, twin: torch.nn.Module, images, *, names=None, atol=1e-4
):
    """Check logits and running statistics of one forward pass in training, without dropout.

    The twin's BatchNorms must have the momentum of ours, which is one minus PyTorch's. PyTorch
    averages the unbiased variance and flax the biased one, so ours is taken times n / (n - 1).
    """
    (logits, _), mutated = jax.jit(
        lambda v, x: model.apply(v, x, train=True, mutable=["batch_stats"])
    )(variables, images)
    counts = {}
    layers = {
        name: layer for name, layer in twin.named_modules()
        if isinstance(layer, torch.nn.modules.batchnorm._BatchNorm)
    }
    hooks = [
        layer.register_forward_pre_hook(
            # n: how many numbers each channel's variance is of.
            lambda _, inputs, name=name: counts.update(
                {name: inputs[0].numel() // inputs[0].shape[1]}
            )
        )
        for name, layer in layers.items()
    ]
    with torch.no_grad():
        expected = twin.train()(to_nchw(images))
    for hook in hooks:
        hook.remove()
    np.testing.assert_allclose(logits, expected.numpy(), atol=atol, rtol=1e-4)
    before = to_state_dict({"batch_stats": variables.get("batch_stats", {})}, names=names)
    after = to_state_dict({"batch_stats": mutated.get("batch_stats", {})}, names=names)
    assert set(counts) == {name.rpartition(".")[0] for name in after}
    for name, moved in after.items():
        layer, _, array = name.rpartition(".")
        if array == "running_var":
            n, momentum = counts[layer], 1 - layers[layer].momentum
            moved = momentum * before[name] + (moved - momentum * before[name]) * n / (n - 1)
        np.testing.assert_allclose(
            moved, twin.state_dict()[name], atol=atol, rtol=1e-4, err_msg=name
        )


def load(
    variables, twin: torch.nn.Module, *, names: Mapping[str, str] | None = None,
    flattened: Mapping[str, tuple[int, int, int]] | None = None,
) -> torch.nn.Module:
    """Give the twin our variables, by `to_state_dict`; no array of either may be left over."""
    state = to_state_dict(variables, names=names, flattened=flattened)
    seen = {name: count for name, count in twin.state_dict().items() if "num_batches" in name}
    twin.load_state_dict({**state, **seen}, strict=True)
    return twin


def to_state_dict(
    variables, *, names: Mapping[str, str] | None = None,
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
    for (_, *layer, kind), array in flatten_dict(variables).items():
        layer, array = "/".join(layer), np.asarray(array, np.float32)
        if kind == "kernel":
            array = _transpose(array, flattened.get(layer))
        where = names.get(layer, layer.replace("/", "."))
        state[f"{where}.{ARRAYS[kind]}"] = torch.from_numpy(array.copy())
    return state


def draw_variables(model: nn.Module, shape: tuple[int, ...], *, seed: int = 0) -> dict[str, Any]:
    """Draw all variables for images of a shape: statistics, scales and biases are not trivial."""
    abstract = jax.eval_shape(
        lambda x: model.init(jax.random.key(0), x, train=False),
        jax.ShapeDtypeStruct(shape, np.float32),
    )
    generator = np.random.default_rng(seed)

    def draw(path, leaf):
        kind = path[-1].key
        if kind == "kernel":
            spread = np.sqrt(2 / np.prod(leaf.shape[:-1]))
            array = generator.normal(0, spread, leaf.shape)
        elif kind in ("scale", "var"):
            array = generator.uniform(0.5, 1.5, leaf.shape)
        else:
            array = generator.normal(0, 0.1, leaf.shape)
        return array.astype(np.float32)

    return jax.tree_util.tree_map_with_path(draw, dict(abstract))


def draw_images(shape: tuple[int, ...], *, seed: int = 0) -> np.ndarray:
    """Draw stripes `[b, h, w, c]` in 0..1, in each image and channel of another width and angle.

    Noise would not do: the mean over a map of it is the same for every image.
    """
    b, height, width, c = shape
    generator = np.random.default_rng(seed)
    waves_y, waves_x, phase = generator.uniform(-2, 2, (3, b, 1, 1, c)) * np.pi
    rows, columns = np.mgrid[:height, :width].reshape(2, 1, height, width, 1) / 8
    return (0.5 + 0.5 * np.sin(waves_y * rows + waves_x * columns + phase)).astype(np.float32)


def to_nchw(images) -> torch.Tensor:
    """Turn images `[b, h, w, c]` into a tensor `[b, c, h, w]`."""
    return torch.from_numpy(np.moveaxis(np.asarray(images), -1, 1).copy())


def _transpose(kernel: np.ndarray, flattened: tuple[int, int, int] | None) -> np.ndarray:
    if kernel.ndim == 4:  # HWIO to OIHW; a depthwise one, [h, w, 1, c], to [c, 1, h, w]
        return kernel.transpose(3, 2, 0, 1)
    if flattened:
        outputs = kernel.shape[-1]
        kernel = kernel.reshape(*flattened, outputs).transpose(2, 0, 1, 3).reshape(-1, outputs)
    return kernel.T
