"""Faces that a run keeps for its report: denoised ones, ones named right and wrong, and maps."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from fer_jax import feature_maps, predictions, processes, writers
from fer_jax.data import Split
from fer_jax.evaluate import draw_keys, reconstruct
from fer_jax.ops.distortion import distort_each
from fer_jax.preprocess import prepare, read_preprocess
from fer_jax.steps import to_unit

SAMPLES, EXAMPLES = "samples.npz", "examples.npz"
DENOISING = ("dae", "hybrid")  # networks whose output dict has `recon`


def write_pictures(
    config: ConfigDict, workdir: Path, weights: dict[str, Any], splits: dict[str, Split], *,
    model: Any,
) -> None:
    """Write the faces that the report shows: denoised ones, named ones, and maps if asked for."""
    if not processes.writes():
        return
    if processes.several():
        weights = jax.device_get(weights)  # the others do not take part in this
    if config.model.name in DENOISING:
        write_samples(config, workdir, weights, splits["test"], model=model)
    if config.task == "classify":
        write_examples(config, workdir, splits)
    if config.evaluation.feature_maps:
        feature_maps.write(config, workdir, weights, splits, model=model)


def write_examples(config: ConfigDict, workdir: Path, splits: dict[str, Split]) -> None:
    """Write the first face of each class that was named right, and the first named wrong, as u8.

    They are clean faces of the test, or of the last split that the run is evaluated on. First in
    the split's order, which nobody chose by how they look.
    """
    known = [name for name in config.evaluation.splits if name in splits]
    if not known:
        return
    split = "test" if "test" in known else known[-1]
    entry = predictions.name_entry(
        split, "clean", 0.0, views=config.evaluation.views, average=config.evaluation.average
    )
    path = predictions.place(workdir, entry)
    if not path.exists():
        return  # a run of code that kept no predictions
    said = predictions.load(path)
    chosen = [
        place
        for right in (True, False)
        for label in range(config.model.classes)
        for place in np.flatnonzero((said.labels == label) & (said.right == right))[:1]
    ]
    writers.write_npz(
        Path(workdir) / EXAMPLES,
        faces=splits[split].images[chosen],
        labels=said.labels[chosen],
        predicted=said.answers[chosen],
        confidence=said.probabilities.max(1)[chosen],
        split=np.str_(split),
    )


def write_samples(
    config: ConfigDict, workdir: Path, weights: dict[str, Any], split: Split, *, model: Any
) -> None:
    """Write one face of each class: clean, distorted as in testing, and reconstructed, as u8."""
    classes = range(config.model.classes)
    firsts = [np.flatnonzero(split.labels == label)[:1] for label in classes]
    index = np.concatenate(firsts)
    clean = to_unit(split.images[index])
    name, strength = config.distortion.name, config.distortion.strength
    distorted = distort_each(
        draw_keys(config.seed, split.keys[index]), clean, strength, name=name
    )
    preprocess = read_preprocess(config)
    recon = reconstruct(weights, distorted, model=model, preprocess=preprocess)
    clean, distorted = (prepare(faces, preprocess=preprocess) for faces in (clean, distorted))
    pictures = {"clean": clean, "distorted": distorted, "recon": recon}
    writers.write_npz(
        Path(workdir) / SAMPLES,
        **{key: _to_bytes(picture) for key, picture in pictures.items()},
        labels=split.labels[index],
        name=np.str_(name),
        strength=np.float32(strength),
    )


def _to_bytes(picture: jax.Array) -> np.ndarray:
    # A DAE that broke gives NaN, drawn as black.
    return np.round(np.nan_to_num(np.asarray(picture)) * 255).astype(np.uint8)
