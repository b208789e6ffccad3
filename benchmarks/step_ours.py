"""Our side of `benchmarks.step`: the training step that runs take, or inference, on command.

Started as `python -m benchmarks.step_ours SPEC.json WEIGHTS.npz`.
"""

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

from fer_jax import host

host.prepare_process()  # as every command of ours does, before the first array is made

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from flax.traverse_util import flatten_dict, unflatten_dict  # noqa: E402
from ml_collections import ConfigDict  # noqa: E402

from benchmarks.workers import peak_memory, serve, time_calls  # noqa: E402
from fer_jax import models  # noqa: E402
from fer_jax.optim import make_tx  # noqa: E402
from fer_jax.state import TrainState, variables  # noqa: E402
from fer_jax.steps import Batch, Inputs, classify_step, denoise_step, to_unit  # noqa: E402


def main(spec_path: str, arrays_path: str) -> None:
    """Build the network and serve."""
    spec = json.loads(Path(spec_path).read_text())
    with np.load(arrays_path) as arrays:
        arrays = dict(arrays)
    side = Side(spec, arrays)
    serve({"check": side.check, "run": side.run, "peak": peak_memory})


class Side:
    """The network, its state and the batch."""

    def __init__(self, spec: dict[str, Any], arrays: dict[str, np.ndarray]):
        self.spec, self.arrays = spec, arrays
        self.batch = Batch(jnp.asarray(arrays["images"]), jnp.asarray(arrays["labels"], jnp.int32))
        self.scale = jnp.ones(())
        self.prepare(spec["model"], spec["optim"])

    def prepare(self, model, optim):
        """Build network and state anew, from the weights as they were drawn."""
        self.model = models.build(ConfigDict(model))
        tx = make_tx(ConfigDict(optim), steps_per_epoch=100, epochs=100)
        step = denoise_step if self.spec["task"] == "denoise" else classify_step
        self.step = jax.jit(
            partial(step, model=self.model, tx=tx, inputs=Inputs()), donate_argnums=0
        )
        self.apply = jax.jit(
            lambda weights, images: self.model.apply(weights, to_unit(images), train=False)[0]
        )
        weights = unflatten_dict(
            {tuple(k.split("/")): jnp.asarray(v) for k, v in self.arrays.items() if "/" in k}
        )
        params = weights["params"]
        self.state = TrainState(
            jnp.zeros((), jnp.int32), params, weights.get("batch_stats", {}),
            jax.jit(tx.init)(params), jax.random.key(0),
        )

    def check(self, out: str) -> None:
        """Write what a comparison needs to `out`: loss and weights after a step, or logits."""
        self.prepare(self.spec["check"]["model"], self.spec["check"]["optim"])
        if self.spec["mode"] == "infer":
            np.savez(out, logits=self.infer())
        else:
            confusion = self.train()
            loss = confusion.loss / confusion.n
            after = flatten_dict({"params": self.state.params}, sep="/")
            np.savez(out, loss=loss, **after)
        self.prepare(self.spec["model"], self.spec["optim"])

    def run(self, count: int) -> list[tuple[float, float]]:
        """Return the seconds of each of `count` steps, and those of processor time."""
        work = self.infer if self.spec["mode"] == "infer" else self.train
        return time_calls(lambda: jax.block_until_ready(work()), count=count)

    def train(self):
        """Take one step; return the batch's confusion when the new state is there too."""
        self.state, confusion = self.step(self.state, self.batch, self.scale)
        jax.block_until_ready(self.state.params)
        return confusion

    def infer(self) -> jax.Array:
        """Return the logits in testing."""
        return self.apply(variables(self.state), self.batch.images)


if __name__ == "__main__":
    main(*sys.argv[1:])
