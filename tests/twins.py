"""PyTorch twins of our networks: the same weights in both, and the same numbers out of both.

A twin is a `torch.nn.Module` that a test, or benchmarks/torch_networks.py, writes with PyTorch's
own layers. A file that imports this one begins with

    torch = pytest.importorskip("torch", reason="needs PyTorch: the extra `reference`")
"""

import flax.linen as nn
import jax
import numpy as np
import torch

from benchmarks.draws import draw_images, draw_variables
from benchmarks.torch_weights import load, to_nchw, to_state_dict

__all__ = [
    "check_logits", "check_training", "draw_images", "draw_variables", "load", "to_nchw",
    "to_state_dict",
]


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
