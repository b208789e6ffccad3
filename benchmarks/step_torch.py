"""PyTorch's side of `benchmarks.step`: the twin's training step or inference, on command.

Started as `python -m benchmarks.step_torch SPEC.json WEIGHTS.npz LAYOUT`; LAYOUT is "default" or
"channels_last". JAX is not imported here, so that the memory is PyTorch's own.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks import torch_networks
from benchmarks.torch_weights import load, to_nchw
from benchmarks.workers import peak_memory, serve, time_calls


def main(spec_path: str, arrays_path: str, layout: str) -> None:
    """Build the twin and serve."""
    spec = json.loads(Path(spec_path).read_text())
    with np.load(arrays_path) as arrays:
        arrays = dict(arrays)
    side = Side(spec, arrays, layout)
    serve({"check": side.check, "run": side.run, "peak": peak_memory})


class Side:
    """The network, its optimizer and the batch."""

    def __init__(self, spec: dict[str, Any], arrays: dict[str, np.ndarray], layout: str):
        self.spec, self.arrays = spec, arrays
        self.format = getattr(torch, "channels_last" if layout == "channels_last" else
                              "contiguous_format")
        images = arrays["images"].astype(np.float32) / 255
        self.images = to_nchw(images).contiguous(memory_format=self.format)
        self.labels = torch.from_numpy(arrays["labels"].astype(np.int64))
        self.prepare(spec["model"], spec["optim"])

    def prepare(self, model, optim):
        """Build network and optimizer anew, from the weights as they were drawn."""
        variables = nest({k: v for k, v in self.arrays.items() if "/" in k})
        twin = torch_networks.build(model, tuple(self.arrays["images"].shape[1:]))
        network = load(variables, twin.network, names=twin.names, flattened=twin.flattened)
        self.twin, self.network = twin, network.to(memory_format=self.format)
        self.optimizer = torch.optim.Adam(
            self.network.parameters(), optim["learning_rate"],
            betas=(optim["beta1"], optim["beta2"]), eps=optim["epsilon"], fused=True,
        )

    def check(self, out: str) -> None:
        """Write what a comparison needs to `out`: loss and weights after a step, or logits."""
        self.prepare(self.spec["check"]["model"], self.spec["check"]["optim"])
        if self.spec["mode"] == "infer":
            np.savez(out, logits=self.infer().numpy())
        else:
            loss = self.train().item()
            after = {k: v.detach().numpy() for k, v in self.network.named_parameters()}
            np.savez(out, loss=loss, **after)
        self.prepare(self.spec["model"], self.spec["optim"])

    def run(self, count: int) -> list[tuple[float, float]]:
        """Return the seconds of each of `count` steps, and those of processor time."""
        return time_calls(self.infer if self.spec["mode"] == "infer" else self.train, count=count)

    def train(self) -> torch.Tensor:
        """Take one step; return the loss."""
        self.network.train()
        self.optimizer.zero_grad(set_to_none=True)
        logits = self.network(self.images)
        if self.spec["task"] == "denoise":
            loss = nn.functional.binary_cross_entropy_with_logits(logits, self.images)
        else:
            loss = nn.functional.cross_entropy(logits, self.labels)
        loss.backward()
        self.optimizer.step()
        return loss

    def infer(self) -> torch.Tensor:
        """Return the logits in testing."""
        self.network.eval()
        with torch.inference_mode():
            return self.network(self.images)


def nest(flat: dict[str, np.ndarray]) -> dict[str, Any]:
    """Turn arrays by path, as `params/conv1/kernel`, into nested dicts."""
    tree: dict[str, Any] = {}
    for path, array in flat.items():
        *folders, name = path.split("/")
        node = tree
        for folder in folders:
            node = node.setdefault(folder, {})
        node[name] = array
    return tree


if __name__ == "__main__":
    main(*sys.argv[1:])
