"""The loop on colour faces with every option of the inputs and the loss at once."""

import signal

import jax
import numpy as np
import pytest

from fer_jax import finished, results, train
from fer_jax.configuring import load_config
from fer_jax.data.faces import Faces, save_faces
from tests import running


def made_rafdb(folder):
    """Write 8 training and 2 test faces of each emotion, coloured noise of 20x20, as RAF-DB."""
    generator = np.random.default_rng(0)
    usage = np.repeat(["Training", "Test"], [56, 14])
    n = len(usage)
    images = generator.integers(0, 256, (n, 20, 20, 3), np.uint8)
    faces = Faces(images, np.arange(n, dtype=np.uint8) % 7, usage, np.full(n, ""), np.full(n, -1))
    folder.mkdir()
    save_faces(folder / "raf_db.npz", faces)
    return folder


@pytest.mark.usefixtures("quick_compile")
def test_rafdb_with_every_option_of_the_inputs_trains_and_resumes_exactly(tmp_path, monkeypatch):
    data_dir = made_rafdb(tmp_path / "data")
    config = load_config("configs/vgg16.py:raf_db")
    config.update({
        "epochs": 2, "batch_size": 14, "balance": "oversample", "train_distortion": 0.5,
        "loss": {"class_weights": "balanced", "label_smoothing": 0.1},
        "model": {"blocks": ((2, 1), (4, 1)), "head_filters": (4, 4)},
        "preprocess": {"size": 18, "crop": 16, "normalise": "imagenet"},
        "augmentation": {
            "shift": 0.1, "crop_padding": 2, "resized_crop": (0.5, 1.0), "brightness": 0.2,
            "contrast": 0.2, "saturation": 0.2, "hue": 0.1, "erase": 0.5, "mixup": 0.2,
            "cutmix": 1.0,
        },
        "evaluation": {"average": "logits", "strengths": (), "splits": ("test",)},
        "mesh": {"data": 1},
    })
    real, made = train.make_dispatch, []

    def make_dispatch(*args, **options):  # compiled once for all three calls
        made.extend([] if made else [real(*args, **options)])
        return made[0]

    monkeypatch.setattr(train, "make_dispatch", make_dispatch)
    # Seven of each emotion are trained on, one is held out: 3 steps of 14 faces an epoch.
    held = train.train_and_evaluate(config, tmp_path / "straight", data_dir=data_dir)
    assert held["split_sizes"] == {"train": 49, "validation": 7, "test": 14}
    clean = held["evaluations"][0]
    assert [clean[name] for name in ("views", "average", "n")] == ["ten_crop", "logits", 14]

    with monkeypatch.context() as patch:
        running.send(patch, signal.SIGTERM, step=4)
        with pytest.raises(train.Stopped, match="saved at step 4"):
            train.train_and_evaluate(config, tmp_path / "w", data_dir=data_dir)
    train.train_and_evaluate(config, tmp_path / "w", data_dir=data_dir)
    assert running.read_rows(tmp_path / "w") == running.read_rows(tmp_path / "straight")
    jax.tree.map(
        np.testing.assert_array_equal,
        running.read_checkpoint(tmp_path / "w"), running.read_checkpoint(tmp_path / "straight"),
    )

    # Probabilities are another average than logits, so this entry stands beside the first.
    options = {"split": "test", "distortion": "clean", "strength": 0.0, "data_dir": data_dir}
    added = finished.add_evaluation(tmp_path / "w", views="ten_crop", **options)
    assert "average" not in added and added["loss"] != clean["loss"]
    views = [entry["views"] for entry in results.read(tmp_path / "w")["evaluations"]]
    assert views == ["ten_crop"] * 3  # clean, distorted, and what was added
