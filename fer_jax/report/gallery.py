"""The report's sections of faces: the classes' sizes, examples of answers, and feature maps."""

from pathlib import Path

import numpy as np

from fer_jax.report import bars, pictures, plots, wording
from fer_jax.report.elements import details, figure_html, section
from fer_jax.report.results import Run, Study, read_study


def class_sizes(study: Study, folder: Path) -> str:
    """Show how many faces of each class the splits have, or nothing where it is not known."""
    counts = class_counts(study)
    if not counts:
        return ""
    figure = bars.class_counts(
        counts, classes=study.classes,
        title=f"Faces of each class: {wording.dataset_text(study)}",
    )
    alt = "Bars of the faces of each class. " + " ".join(
        f"{split}: " + ", ".join(
            f"{name} {number:,}" for name, number in zip(study.classes, numbers, strict=False)
        ) + "."
        for split, numbers in counts.items()
    )
    caption = "Each panel has its own scale; in brackets the share of the split."
    return section(
        "The faces", figure_html(figure, "class-sizes", folder, alt=alt, caption=caption,
                                 kind="full")
    )


def class_counts(study: Study) -> dict[str, list[int]]:
    """Give the faces of each class by split, of the first run whose results know them."""
    for run in study.finished:
        if counts := run.result.get("split_classes"):
            return counts
    return {}


def accuracy_bars(study: Study, run: Run, folder: Path, *, colour: str) -> str:
    """Show the share of each class' faces that a run names right, clean and distorted."""
    found = {"clean": run.evaluation()}
    if study.distortion:
        found[wording.distortion_text(study.distortion)] = study.distorted(run)
    found = {name: e["confusion"] for name, e in found.items() if e and e.get("confusion")}
    if not found:
        return ""
    word = ", synthetic" if study.synthetic else ""
    figure = bars.class_accuracy(
        found, classes=run.classes, colour=colour,
        title=f"{run.label}: test faces of each class named right{word}",
    )
    said = "; ".join(
        f"{name}: " + ", ".join(
            f"{emotion} {wording.percent(row[i] / sum(row), 0) if sum(row) else wording.MISSING}"
            for i, (emotion, row) in enumerate(zip(run.classes, counts, strict=False))
        )
        for name, counts in found.items()
    )
    caption = (
        "Under each class its number of test faces; whiskers are 95 % Wilson intervals, the dotted "
        f"line is the accuracy over all {'clean ' if 'clean' in found else ''}faces."
    )
    return figure_html(
        figure, f"class-accuracy-{run.name}", folder, alt=f"Bars of class accuracy. {said}",
        caption=caption, kind="wide",
    )


def examples(study: Study, folder: Path) -> str:
    """Show faces that each run named right and wrong."""
    found = [_example(study, run, folder) for run in study.runs if run.examples]
    if not found:
        return ""
    body = "".join(found)
    return section(
        "Examples of answers", details("Of each network", body) if len(found) > 1 else body
    )


def _example(study: Study, run: Run, folder: Path) -> str:
    arrays = run.examples
    split = str(arrays["split"])
    word = "synthetic " if study.synthetic else ""
    title = f"{run.label}: {word}{split} faces by their label"
    figure = pictures.examples(arrays, title=title, classes=run.classes)
    pairs = zip(arrays["labels"], arrays["predicted"], strict=True)
    said = ", ".join(f"{_name(run, label)} called {_name(run, answer)}" for label, answer in pairs)
    caption = (
        f"Of each class the first clean {split} face that was named right, and the first that was "
        "not, in the order of the data: nobody chose them by their looks. Beneath: the answer "
        "where it is wrong, and its probability."
    )
    return figure_html(
        figure, _title(study, run, "examples"), folder, alt=f"Faces: {said}.", caption=caption,
        kind="full",
    )


def feature_maps(study: Study, folder: Path) -> str:
    """Show the maps of a run's layers, and saliency, where the run has kept them."""
    found = [_maps(study, run, folder) for run in study.runs if run.feature_maps]
    return section("What the layers see", "".join(found)) if found else ""


def write_feature_maps(workdir: Path, arrays: pictures.Arrays, path: Path) -> None:
    """Draw feature maps of a run, as `feature_maps.npz` would hold them, as a PNG of its own."""
    study = read_study(workdir)
    run = study.runs[0]._replace(feature_maps=dict(arrays))
    figure = pictures.feature_maps(arrays, title=maps_title(study, run), classes=run.classes)
    plots.save_png(figure, Path(path))


def _maps(study: Study, run: Run, folder: Path) -> str:
    figure = pictures.feature_maps(
        run.feature_maps, title=maps_title(study, run), classes=run.classes
    )
    about = pictures.read_about(run.feature_maps)
    alt = "; ".join(
        f"{name}: {_dead_text(run.feature_maps[f'constant_{i}'])}"
        for i, name in enumerate(about["layers"])
    )
    return figure_html(
        figure, _title(study, run, "feature_maps"), folder,
        alt=f"Faces, their saliency and feature maps. {alt}".strip(),
        caption=_maps_caption(about, run), kind="full",
    )


def maps_title(study: Study, run: Run) -> str:
    """Give the title of a run's feature maps."""
    about = pictures.read_about(run.feature_maps)
    layers = ", ".join(about["layers"])
    word = "synthetic " if study.synthetic else ""
    seen = "clean"
    if about["distortion"] != "clean":
        seen = wording.distortion_text((about["distortion"], about["strength"]))
    return f"{run.label}: {layers or 'saliency'} ({word}{about['split']} faces, {seen})"


def _maps_caption(about: dict, run: Run) -> str:
    whose = "the class it named" if about["of"] == "predicted" else "the labelled class"
    how = "SmoothGrad, the mean over {} noisy copies".format(about["smooth"])
    text = (
        f"Saliency is the size of the gradient of the logit of {whose} by each pixel"
        f"{f' ({how})' if about['smooth'] else ''}; its brightest hundredth is drawn white."
    )
    if not about["layers"]:
        return text
    scale = (
        "Each map is scaled to its own range"
        if about["scale"] == "map"
        else "The maps of one layer and face have one scale"
    )
    low = (
        "black is the lowest value" if about["signed"]
        else "black is 0 and below, as a ReLU leaves it"
    )
    dead = "; ".join(
        f"{name}: {_dead_text(run.feature_maps[f'constant_{i}'])}"
        for i, name in enumerate(about["layers"])
    )
    return (
        f"{text} {scale}; {low}. The range is that without the outer eighth, where the padding "
        "shows. A crossed-out map is constant there, whatever the pixel: it tells nothing of the "
        f"face. Constant for every face shown: {dead}."
    )


def _dead_text(constant: np.ndarray) -> str:
    everywhere = constant.all(0)
    return f"{int(everywhere.sum())} of {len(everywhere)} maps"


def _title(study: Study, run: Run, name: str) -> str:
    return f"{name}-{run.name}" if study.is_study else name


def _name(run: Run, number: int) -> str:
    return run.classes[number] if number < len(run.classes) else f"class {number}"
