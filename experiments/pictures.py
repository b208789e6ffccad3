"""Pictures that an experiment's page shows and the report does not draw: of seeds and of faces."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.paper_figures import PaperFigure
from experiments.seed_tables import AS_PRINTED, noise_lines
from experiments.seeds import by_spec
from fer_jax import results
from fer_jax.configuring import from_json
from fer_jax.data.duplicates import find_constant, group_identical
from fer_jax.errors import UserError
from fer_jax.feature_maps import choose_faces
from fer_jax.report import bars, gallery, plots, seed_plots, wording
from fer_jax.report.results import Run, Study

FACES = 8  # in a row


class Made(NamedTuple):
    """What a picture is made from, and where it goes."""

    study: Study
    path: Path
    data_dir: str | None


def draw(
    figures: tuple[PaperFigure, ...], study: Study, workdir: Path, *, data_dir: str | None
) -> dict[str, str]:
    """Draw those of the figures' pictures that the report does not.

    Returns why a picture could not be drawn, by its path as the figures have it.
    """
    reasons = {}
    for picture in dict.fromkeys(p for figure in figures for p in figure.pictures):
        if picture in DRAWN:
            reasons[picture] = DRAWN[picture](Made(study, workdir / picture, data_dir))
    return {picture: reason for picture, reason in reasons.items() if reason}


def _noise(made: Made) -> str:
    """Draw accuracy against noise, the runs as printed in a panel of their own."""
    lines = noise_lines(made.study)
    if not lines:
        return "no run was tested under noise"
    panels = {
        "settings that train": {n: p for n, p in lines.items() if not n.endswith(AS_PRINTED)},
        "settings as printed": {
            n.removesuffix(AS_PRINTED): p for n, p in lines.items() if n.endswith(AS_PRINTED)
        },
    }
    name = made.study.distortion[0]
    figure = seed_plots.noise(
        {title: held for title, held in panels.items() if held},
        title="Test accuracy: mean over the seeds, band from least to most"
        + wording.tag(made.study),
        strength=f"{wording.distortion_name(name)}, {wording.strength_symbol(name)} (0: clean)",
    )
    plots.save_png(figure, made.path)
    return ""


def _class_accuracy(made: Made, *, spec: str) -> str:
    """Draw the report's bars of one run, which a study's report has not."""
    runs = by_spec(made.study).get(spec, [])
    for run in runs[:1]:
        colour = plots.looks(made.study)[run.name][0]
        gallery.accuracy_bars(made.study, run, made.path.parent, colour=colour)
    return "" if runs else f"{spec} is not among the finished runs"


def _all_classes(made: Made) -> str:
    """Draw how many faces of each class the whole dataset has, and each split."""
    run = _widest(made.study)
    counts = (run.result.get("split_classes") or {}) if run else {}
    splits = {name: counts[name] for name in ("train", "validation", "test") if name in counts}
    if not splits:
        return "no run knows its faces by class"
    whole = np.sum([*splits.values()], axis=0).tolist()
    figure = bars.class_counts(
        {"all": whole, **splits}, classes=made.study.classes,
        title=f"Faces of each class: {wording.dataset_text(made.study)}, {run.result['protocol']}",
    )
    plots.save_png(figure, made.path)
    return ""


def _faces(made: Made) -> str:
    """Draw the first training faces of each class."""
    try:
        faces = _load(made)["train"]
    except UserError as error:
        return str(error)
    labels = np.asarray(faces.labels)
    chosen = choose_faces(labels, FACES * len(np.unique(labels)))
    rows = [
        (made.study.classes[label], faces.images[chosen[labels[chosen] == label]])
        for label in np.unique(labels)
    ]
    plots.save_png(plots.samples([(n, _filled(row)) for n, row in rows]), made.path)
    return ""


def _odd_faces(made: Made) -> str:
    """Draw images of one grey level, and images that stand there under several labels."""
    try:
        splits = _load(made)
    except UserError as error:
        return str(error)
    images = np.concatenate([splits[name].images for name in ("train", "validation", "test")])
    labels = np.concatenate([splits[name].labels for name in ("train", "validation", "test")])
    constant, rows = find_constant(images), []
    if constant.any():
        rows.append((f"one grey level\n({constant.sum():,} images)", images[constant][:FACES]))
    pairs = conflicting(images, labels, constant)
    for first in range(0, min(len(pairs), 2 * FACES), FACES):
        rows.append((f"two labels\n({len(pairs):,} pictures)" if not first else "",
                     images[pairs[first : first + FACES]]))
    if not rows:
        return "none of these faces has such an error"
    plots.save_png(plots.samples([(name, _filled(row)) for name, row in rows]), made.path)
    return ""


def conflicting(images: np.ndarray, labels: np.ndarray, constant: np.ndarray) -> np.ndarray:
    """Give the first place of each picture whose pixels stand there under several labels."""
    group = group_identical(images)
    known = np.zeros((group.max(initial=-1) + 1, labels.max(initial=0) + 1), bool)
    known[group, labels] = True
    firsts = np.unique(group, return_index=True)[1]
    return np.sort(firsts[(known.sum(1) > 1) & ~constant[firsts]])


def _load(made: Made) -> dict:
    """Load the faces of the run whose splits hold most of the dataset."""
    run = _widest(made.study)
    if run is None:
        raise UserError("no run is finished")
    return results.load_data(from_json(run.result["config"]), made.data_dir)


def _widest(study: Study) -> Run | None:
    def faces(run: Run) -> int:
        sizes = run.result.get("split_sizes") or {}
        return sum(sizes.get(name, 0) for name in ("train", "validation", "test"))

    return max(study.finished, key=faces, default=None)


def _filled(images: np.ndarray) -> np.ndarray:
    """Bring a row of grey or colour images to `FACES` grey ones, white where there are fewer."""
    grey = np.asarray(images).mean(-1, keepdims=True).astype(np.uint8)
    return np.pad(grey, ((0, FACES - len(grey)), *((0, 0),) * 3), constant_values=255)


DRAWN: dict[str, Callable[[Made], str]] = {
    "figures/noise.png": _noise,
    "figures/all-classes.png": _all_classes,
    "figures/faces.png": _faces,
    "figures/odd-faces.png": _odd_faces,
    "figures/class-accuracy-{resnet9}.png": partial(_class_accuracy, spec="resnet9"),
}
