"""Figures of faces and bars of classes show what they are given: read from what was drawn."""

import json

import numpy as np
import pytest

from fer_jax.report import bars, pictures, write_feature_maps, write_report
from fer_jax.report.results import EMOTIONS
from tests.report import fakes
from tests.report.test_html import Page


def texts(figure) -> list[str]:
    """Give all the text that stands in a figure and its axes."""
    found = [*figure.texts]
    for axes in figure.axes:
        found += [axes.title, axes._left_title, *axes.texts, *axes.get_xticklabels()]
    return [text.get_text() for text in found if text.get_text()]


def images(figure) -> list[np.ndarray]:
    return [np.asarray(image.get_array()) for axes in figure.axes for image in axes.images]


def test_a_row_has_the_face_its_saliency_and_its_maps():
    arrays = fakes.feature_maps()
    figure = pictures.feature_maps(arrays, title="T", classes=EMOTIONS)
    said, drawn = texts(figure), images(figure)
    assert len(drawn) == 2 * 4
    np.testing.assert_array_equal(drawn[0], arrays["faces"][0, ..., 0])
    np.testing.assert_array_equal(drawn[5], arrays["saliency"][1])
    # Twelve pixels are drawn four times as large, with two between: the second map begins at 50.
    np.testing.assert_array_equal(drawn[2][:48:4, :48:4, 0], arrays["maps_0"][0, ..., 0])
    assert drawn[2][0, 50, 3] == 255 and not drawn[2][:48, 48:50].any()
    for text in (
        "T", "labelled\nangry", "named right:\nangry, 75 %", "labelled\ndisgust",
        "named wrong:\nsurprise, 50 %", "saliency of “surprise”", "a: the first 2 of 3 maps",
        "b/c: all 5 maps", "1 of 3 maps is constant", "1 of 5 maps is constant",
    ):
        assert text in said, text


def test_constant_maps_are_crossed_out_and_no_others():
    figure = pictures.feature_maps(fakes.feature_maps(), title="T", classes=EMOTIONS)
    crossed = [len(axes.lines) // 2 for axes in figure.axes if axes.images]
    # Of each face: the face, its saliency, layer a (its second map), layer b/c (first, second).
    assert crossed == [0, 0, 1, 1, 0, 0, 1, 1]
    starts = [axes.lines[0].get_xydata()[0].tolist() for axes in figure.axes if axes.lines]
    assert starts == [[50, 0], [0, 0], [50, 0], [50, 0]]


@pytest.mark.parametrize(
    "count, ratio, expected",
    [(32, 2.1, (4, 8)), (16, 2.0, (3, 6)), (1, 2.0, (1, 1)), (4, 1.0, (2, 2)), (5, 9.0, (1, 5))],
)
def test_maps_stand_in_the_grid_that_shows_them_largest(count, ratio, expected):
    # 16 in 2 x 1: six columns leave a side of 1/3, eight or five only 1/4.
    assert pictures.grid_shape(count, ratio) == expected


def test_examples_show_each_class_right_above_wrong():
    arrays = fakes.examples()
    figure = pictures.examples(arrays, title="T", classes=EMOTIONS)
    said, drawn = texts(figure), images(figure)
    # Six faces that were named right, then the one that was not; five classes lack the latter.
    assert len(drawn) == 7 and said.count("none") == 5
    np.testing.assert_array_equal(drawn[-1], arrays["faces"][-1, ..., 0])
    assert "happy, 88 %" in said and "40 %" in said and "disgust" not in said


def test_bars_are_the_classes_shares_with_wilsons_intervals():
    counts = np.zeros((7, 7), int)
    counts[0, :2], counts[3, 3], counts[6, 0] = (30, 10), 40, 5
    figure = bars.class_accuracy(
        {"clean": counts, "noisy": counts[::-1]}, classes=EMOTIONS, title="T", colour="#0067a5"
    )
    axes = figure.axes[0]
    clean, noisy = axes.containers[0], axes.containers[2]
    # Three classes have faces; of angry 30 of 40 are right, of happy all, of neutral none.
    assert [bar.get_height() for bar in clean] == [0.75, 1.0, 0.0]
    # Upside down, all of angry are right and none of neutral.
    assert [bar.get_height() for bar in noisy] == [1.0, 1.0, 0.0]
    low, high = axes.containers[1].lines[2][0].get_segments()[0][:, 1]
    assert (low, high) == pytest.approx(fakes.wilson(30, 40))
    ticks = [label.get_text() for label in axes.get_xticklabels()]
    assert ticks[0] == "angry\n40" and ticks[1] == "disgust\n0"


def test_the_histogram_has_every_split_and_class_with_its_count():
    counts = {"train": [3995, 436, 4097, 7215, 4830, 3171, 4965], "test": [1, 0, 0, 3, 0, 0]}
    figure = bars.class_counts(counts, classes=EMOTIONS, title="T")
    train, test = figure.axes
    assert [bar.get_width() for bar in train.patches] == counts["train"]
    assert [bar.get_width() for bar in test.patches] == [1, 0, 0, 3, 0, 0, 0]
    said = texts(figure)
    assert "7,215 (25.1 %)" in said and "3 (75.0 %)" in said and "train: 28,709 faces" in said


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Give a run's workdir with all its pictures, and its report."""
    workdir = tmp_path_factory.mktemp("pictures") / "vgg"
    found = fakes.write_run(workdir, "vgg", epochs=1)
    found["split_classes"] = {"train": [9] * 7, "test": [40] * 7}
    (workdir / "results.json").write_text(json.dumps(found))
    np.savez(workdir / "examples.npz", **fakes.examples())
    np.savez(workdir / "feature_maps.npz", **fakes.feature_maps())
    return workdir, write_report(workdir).read_text(encoding="utf-8")


def test_the_report_shows_the_pictures_that_the_run_has(run):
    workdir, text = run
    page = Page(text)
    said = " ".join(page.text)
    names = {path.stem for path in (workdir / "figures").glob("*.png")}
    assert {"class-sizes", "class-accuracy-vgg", "examples", "feature_maps"} <= names
    for part in (
        "Plain VGG: a, b/c (synthetic validation faces, Gaussian blur, σ = 2)",
        "Constant for every face shown: a: 1 of 3 maps; b/c: 0 of 5 maps.",
        "train: 63 faces", "Examples of answers", "black is 0 and below, as a ReLU leaves it",
    ):
        assert part in said, part
    labels = " ".join(attrs.get("aria-label", "") for _, attrs in page.tags)
    assert "fear called happy" in labels and "angry 9, disgust 9" in labels


def test_a_study_shows_its_runs_pictures_and_compares_by_points(tmp_path, run):
    workdir = tmp_path / "s"
    fakes.write_study(workdir, ("vgg", "linear"), epochs=1)
    for name in ("examples", "feature_maps"):
        np.savez(workdir / "vgg" / f"{name}.npz", **getattr(fakes, name)())
    Page(write_report(workdir).read_text(encoding="utf-8"))
    names = {path.stem for path in (workdir / "figures").glob("*.png")}
    assert {"examples-vgg", "feature_maps-vgg", "recall-clean"} <= names
    assert not {"class-accuracy-vgg", "class-sizes", "feature_maps-linear"} & names


def test_feature_maps_can_be_drawn_into_a_file_of_their_own(run, tmp_path):
    write_feature_maps(run[0], fakes.feature_maps(), tmp_path / "deep" / "maps.png")
    assert (tmp_path / "deep" / "maps.png").stat().st_size > 10_000
