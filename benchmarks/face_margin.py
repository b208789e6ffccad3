"""Measure how large the face detector's boxes are in FER2013's own faces: the margin of our cuts.

    python -m benchmarks.face_margin --json=results/face_margin.json    # 1 minute on two cores

Each face is enlarged to 144 pixels on a grey ground of twice that side. A detector that finds it
gives a box; the face's side over the box's is the margin that cuts a photo as FER2013 was cut. It
also says what share of the faces is found, and how noisy clean and distorted faces are estimated to
be. FER2013 was itself cut by OpenCV's detector, so that its faces are easier to find than others.
"""

import json
from functools import partial
from pathlib import Path

import jax
import numpy as np
from PIL import Image

from fer_jax import provenance, writers
from fer_jax.arguments import Parser
from fer_jax.data import load_splits
from fer_jax.data.find_faces import MARGIN, NEIGHBOURS, find_faces
from fer_jax.data.read_photo import as_photo
from fer_jax.errors import run_command
from fer_jax.evaluate import draw_keys
from fer_jax.ops.distortion import distort_each
from fer_jax.ops.noise_level import noise_level

SIDE, GROUND = 144, 72  # pixels of the face, and of grey around it
NOISE = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5)  # strengths of random grey


@run_command
def main(argv: list[str] | None = None) -> None:
    """Find faces of FER2013's PrivateTest again, and estimate their noise."""
    parser = Parser("benchmarks.face_margin", main.__doc__)
    parser.add_argument("--data_dir", help="folder of the prepared datasets")
    parser.add_argument("--faces", type=int, default=500, metavar="N", help="default: 500")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there too")
    arguments = parser.parse_args(argv)
    split = load_splits("fer2013", protocol="official", data_dir=arguments.data_dir)["test"]
    index = np.arange(arguments.faces) * len(split.labels) // arguments.faces
    boxes = [find_faces(as_photo(on_ground(face))) for face in split.images[index, ..., 0]]
    largest = np.array([max(found[0].width, found[0].height) for found in boxes if found]) / SIDE
    quartiles = np.percentile(largest, (25, 50, 75))
    said = {
        "faces": len(boxes),
        "found": len(largest) / len(boxes),
        "box_to_face": dict(zip(("lower", "median", "upper"), map(float, quartiles))),
        "margin": {"measured": float(1 / quartiles[1]), "used": MARGIN},
        "neighbours": NEIGHBOURS,
        "noise_level": estimate_noise(split.images[index], split.keys[index]),
        **provenance.describe(),
    }
    print(json.dumps(said, indent=1))
    if arguments.json:
        writers.write_json(arguments.json, said)


def on_ground(face: np.ndarray) -> np.ndarray:
    """Enlarge a face u8 `[48, 48]` and put it on a grey ground, as RGB."""
    large = Image.fromarray(face).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    ground = Image.new("L", (SIDE + 2 * GROUND,) * 2, 128)
    ground.paste(large, (GROUND, GROUND))
    return np.asarray(ground.convert("RGB"))


def estimate_noise(images: np.ndarray, keys: np.ndarray) -> dict[str, list[float]]:
    """Give quartiles of the estimate by the probability of a random grey level."""
    quartiles = {}
    for strength in NOISE:
        noisy = jax.jit(partial(distort_each, name="random_grey"))(
            draw_keys(0, keys), images / np.float32(255), strength
        )
        levels = np.asarray(noise_level(noisy))
        quartiles[f"{strength:g}"] = np.percentile(levels, (25, 50, 75)).round(4).tolist()
    return quartiles


if __name__ == "__main__":
    raise SystemExit(main())
