"""Workdirs of the right shape whose numbers come from formulas."""

import json
import math
from pathlib import Path

import numpy as np

CLASSES, PER_CLASS = 7, 40
STRENGTHS = (0.05, 0.1, 0.2, 0.3, 0.5)
KINDS = {
    "dae": ("dae", None),
    "vgg": ("vgg", None),
    "A": ("hybrid", "A"),
    "B": ("hybrid", "B"),
    "finetune": ("hybrid", "finetune"),
    "multitask": ("hybrid", "multitask"),
    "linear": ("linear", None),
}
# name: (clean accuracy, what is left of it at strength 0.5)
SKILL = {
    "vgg": (0.72, 0.25), "A": (0.70, 0.85), "B": (0.0, 0.0),
    "finetune": (0.74, 0.93), "multitask": (0.71, 0.9), "linear": (0.33, 0.6),
}


def confusion(accuracy: float) -> list[list[int]]:
    """Give a 7x7 matrix with 40 faces a row; accuracy 0 means that all are called happy."""
    counts = np.zeros((CLASSES, CLASSES), int)
    if accuracy == 0:
        counts[:, 3] = PER_CLASS
        return counts.tolist()
    for row in range(CLASSES):
        right = round(PER_CLASS * min(1.0, accuracy * (0.85 + 0.05 * row)))
        counts[row, row] = right
        for i in range(PER_CLASS - right):
            counts[row, (row + 1 + i % (CLASSES - 1)) % CLASSES] += 1
    return counts.tolist()


def wilson(k: int, n: int) -> tuple[float, float]:
    """Compute the 95 % Wilson interval."""
    z, p = 1.959964, k / n
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


def evaluation(name: str, split: str, distortion: str, strength: float) -> dict:
    """Give one evaluation of the results' schema."""
    base = {"split": split, "views": "plain", "distortion": distortion, "strength": strength}
    base |= {"draws": 1, "n": CLASSES * PER_CLASS}
    scores = ("accuracy", "accuracy_low", "accuracy_high", "balanced_accuracy", "macro_f1")
    if name == "dae":
        empty = dict.fromkeys((*scores, "weighted_f1", "per_class", "confusion"))
        return base | {"loss": 0.551 + 0.02 * strength} | empty
    clean, left = SKILL[name]
    counts = np.asarray(confusion(clean * (1 - (1 - left) * strength / 0.5)))
    right, n = int(np.trace(counts)), int(counts.sum())
    recall = (np.diag(counts) / counts.sum(1)).tolist()
    predicted = counts.sum(0)
    precision = [float(counts[i, i] / predicted[i]) if predicted[i] else None for i in range(7)]
    low, high = wilson(right, n)
    return base | {
        "loss": 0.4 + 2 * (1 - right / n), "accuracy": right / n,
        "accuracy_low": low, "accuracy_high": high,
        "balanced_accuracy": float(np.mean(recall)), "macro_f1": 0.98 * right / n,
        "weighted_f1": 0.99 * right / n, "confusion": counts.tolist(),
        "per_class": {"precision": precision, "recall": recall, "f1": recall},
    }


def result(name: str, *, dataset: str = "synthetic", epochs: int = 12) -> dict:
    """Give a run's results."""
    model, variant = KINDS[name]
    conditions = [("clean", 0.0)] + [("random_grey", s) for s in STRENGTHS]
    collapsed = "collapse: every validation face is called happy (epochs 1-12)"
    protocol = "synthetic" if dataset == "synthetic" else "keras80"
    splits = ("validation", "test") + (("private",) if dataset == "fer2013" else ())
    return {
        "schema": 1, "run": name, "model": model, "variant": variant, "dataset": dataset,
        "protocol": protocol, "seed": 0, "config_hash": "abc123",
        "config": {
            "model": {
                "name": model, "width": 0.25, "dropout": 0.0, "kernel_init": "he_normal",
            },
            "optim": {"learning_rate": 1e-3, "schedule": "cosine"},
            "epochs": epochs, "batch_size": 64,
            "distortion": {"name": "random_grey", "strength": 0.3},
        },
        "versions": {"python": "3.11.2", "jax": "0.10.2"}, "commit": "0123abc",
        "device": "2 CPU cores (x86_64)",
        "command": "python -m fer_jax.main --config=configs/quickstart.py",
        "parameters": {"trainable": 33_644_103, "frozen": 12_465, "non_trainable": 19_328},
        "epochs": epochs, "best_epoch": max(1, epochs - 2), "weights": "best",
        "alarms": [collapsed] if name == "B" else [],
        "evaluations": [
            evaluation(name, split, *condition)
            for split in splits for condition in conditions
        ],
        "cost": {"seconds": 61.5, "images_per_second": 812.0, "date": "2026-01-01"},
    }


def history(name: str, *, epochs: int = 12) -> list[dict]:
    """Give a run's epochs, as in metrics.jsonl."""
    rows = []
    for epoch in range(1, epochs + 1):
        fall = math.exp(-epoch / 5) if name != "B" else 1.0
        accuracy = None if name == "dae" else SKILL[name][0] * (1 - fall) or 0.143
        rows.append({
            "epoch": epoch, "train_loss": 0.55 + 1.2 * fall, "train_accuracy": accuracy,
            "validation_loss": 0.6 + 1.2 * fall + 0.01 * (epoch % 3),
            "validation_accuracy": accuracy and accuracy * 0.96, "learning_rate": 1e-3,
            "alarms": ["collapse: every validation face is called happy"] if name == "B" else [],
            "images_per_second": 800.0 + epoch, "seconds": 5.0,
        })
    return rows


def samples() -> dict[str, np.ndarray]:
    """Give eight round faces, noisy, reconstructed (blurred) and clean."""
    generator = np.random.default_rng(0)
    y, x = np.mgrid[-1:1:48j, -1:1:48j]
    clean = np.stack([
        np.clip(220 - 160 * ((x / 0.8) ** 2 + y**2 > 0.8) - 120 * (
            (abs(y - 0.45 + 0.5 * (i - 4) / 4 * x**2) < 0.06) & (abs(x) < 0.4)
        ) - 150 * ((abs(x) - 0.3) ** 2 + (y + 0.2) ** 2 < 0.012), 0, 255)
        for i in range(8)
    ]).astype(np.uint8)[..., None]
    noise = generator.integers(0, 256, clean.shape)
    distorted = np.where(generator.random(clean.shape) < 0.3, noise, clean).astype(np.uint8)
    blurred = sum(np.roll(clean.astype(float), s, a) for s in (-1, 0, 1) for a in (1, 2)) / 6
    return {
        "clean": clean, "distorted": distorted, "recon": blurred.astype(np.uint8),
        "labels": np.arange(8, dtype=np.int32) % 7,
        "name": np.array("random_grey"), "strength": np.array(0.3),
    }


def write_run(folder: Path, name: str, *, dataset: str = "synthetic", epochs: int = 12) -> dict:
    """Write a run's workdir and return its results."""
    folder.mkdir(parents=True)
    found = result(name, dataset=dataset, epochs=epochs)
    (folder / "results.json").write_text(json.dumps(found))
    lines = [json.dumps(row) for row in history(name, epochs=epochs)]
    (folder / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    if name in ("dae", "A", "multitask"):
        drawn = samples()
        if name == "multitask":
            drawn["recon"] = 255 - drawn["recon"]
        np.savez(folder / "samples.npz", **drawn)
    return found


def write_study(
    folder: Path, names: tuple[str, ...], *, dataset: str = "synthetic", epochs: int = 12
) -> list[dict]:
    """Write a study's workdir and return its results."""
    found = [write_run(folder / n, n, dataset=dataset, epochs=epochs) for n in names]
    (folder / "results.json").write_text(json.dumps(found))
    return found


def examples() -> dict[str, np.ndarray]:
    """Give a right face of each class but disgust, then a wrong one of fear, called happy."""
    labels = np.array([0, 2, 3, 4, 5, 6, 2], np.int32)
    return {
        "faces": samples()["clean"][: len(labels)], "labels": labels,
        "predicted": np.array([0, 2, 3, 4, 5, 6, 3], np.int32),
        "confidence": np.linspace(0.4, 0.88, len(labels)).astype(np.float32),
        "split": np.array("test"),
    }


def feature_maps() -> dict[str, np.ndarray]:
    """Give two faces, two of three maps of a layer `a` and 5 of `b/c`; the last of `a` is dead."""
    generator = np.random.default_rng(0)
    maps = generator.integers(0, 256, (2, 12, 12, 2), np.uint8)
    dead = np.zeros((2, 3), bool)
    dead[:, 1], maps[..., 1] = True, 0
    about = {
        "layers": ["a", "b/c"], "totals": [3, 5], "split": "validation", "distortion": "blur",
        "strength": 2.0, "of": "predicted", "smooth": 0, "scale": "map", "signed": False,
    }
    return {
        "faces": samples()["clean"][:2], "saliency": samples()["distorted"][:2, ..., 0],
        "labels": np.array([0, 1], np.int32), "predicted": np.array([0, 5], np.int32),
        "confidence": np.array([0.75, 0.5], np.float32), "about": np.array(json.dumps(about)),
        "maps_0": maps, "constant_0": dead,
        "maps_1": generator.integers(0, 256, (2, 6, 6, 5), np.uint8),
        "constant_1": np.eye(2, 5, dtype=bool),
    }
