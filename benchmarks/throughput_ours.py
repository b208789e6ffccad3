"""Time a trained network of ours on command: our side of `benchmarks.throughput`.

Started as `python -m benchmarks.throughput_ours FACES.npz MODEL`; the file holds `faces`, u8
`[n, 48, 48]`, and MODEL is a finished run's workdir or an exported .safetensors.
"""

import sys

from fer_jax import host

host.prepare_process()  # as every command of ours does, before the first array is made

import jax  # noqa: E402
import numpy as np  # noqa: E402

from benchmarks.workers import peak_memory, serve, time_calls  # noqa: E402
from fer_jax.trained import Trained, answer_of, load_trained  # noqa: E402


def main(path: str, model: str) -> None:
    """Load the network and serve."""
    with np.load(path) as held:
        side = Side(held["faces"], load_trained(model))
    serve({"run": side.run, "classify": side.classify, "peak": peak_memory})


class Side:
    """The network, jitted, and the faces."""

    def __init__(self, faces: np.ndarray, trained: Trained):
        self.faces = faces[..., None]
        self.jitted, self.variables = jax.jit(answer_of(trained)), jax.device_put(trained.variables)

    def run(self, batch: int, chunk: int, count: int) -> list[tuple[float, float]]:
        """Return the seconds of classifying the first faces `count` times."""
        faces = self.faces[:batch]
        return time_calls(lambda: self.answer(faces, chunk=chunk), count=count)

    def classify(self, chunk: int) -> list[int]:
        """Return the class of each face."""
        return self.answer(self.faces, chunk=chunk).argmax(1).tolist()

    def answer(self, faces: np.ndarray, *, chunk: int) -> np.ndarray:
        """Return the probabilities `[n, 7]` of faces u8 `[n, 48, 48, 1]`, taken `chunk` at a time.

        All are dispatched before the first is waited for.
        """
        starts = range(0, len(faces), chunk)
        under_way = [self.jitted(self.variables, faces[i : i + chunk]) for i in starts]
        return np.concatenate([np.asarray(each) for each in under_way])


if __name__ == "__main__":
    main(*sys.argv[1:])
