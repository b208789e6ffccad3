"""The command draws what a run's layers give, marks dead maps, and answers what it cannot draw."""

import json
import shutil

import jax.numpy as jnp
import numpy as np
import pytest

from fer_jax import checks, feature_maps, finished, host, samples
from fer_jax.data import Split
from fer_jax.errors import UserError
from fer_jax.evaluate import draw_keys
from fer_jax.feature_maps import Wanted, choose_faces, look
from fer_jax.ops.distortion import distort_each
from tests import tiny_study
from tests.tiny import make_parts

LAYERS = ("vgg/conv1_1", "dae/encode1")


@pytest.fixture(scope="module")
def study(finished_study, tmp_path_factory):
    """Give a copy of the tiny study, of a DAE and hybrid A."""
    return shutil.copytree(finished_study[0], tmp_path_factory.mktemp("maps") / "study")


@pytest.fixture(scope="module")
def hybrid(study):
    return finished.load_run(study / "A")


@pytest.fixture
def opened(monkeypatch, hybrid, study):
    """Let the commands of a test open A without loading it anew."""
    # Its settings are for a process of its own, and would stay for the tests that follow.
    monkeypatch.setattr(host, "prepare_process", lambda: None)
    real = finished.load_run
    monkeypatch.setattr(
        finished, "load_run",
        lambda workdir, **options: (
            hybrid if workdir == study / "A" else real(workdir, **options)
        ),
    )


def read(path):
    with np.load(path) as arrays:
        return {name: arrays[name] for name in arrays.files}


@pytest.mark.usefixtures("opened")
def test_the_command_puts_maps_of_the_distorted_faces_into_the_reports(study, hybrid, capsys):
    flags = [f"--layer={name}" for name in LAYERS]
    code = feature_maps.main([
        f"--workdir={study / 'A'}", *flags, "--distortion=random_grey:0.5", "--faces=3", "--maps=3",
    ])
    assert code == 0
    assert capsys.readouterr().out.strip() == str(study / "A" / "figures" / "feature_maps.png")
    arrays, split = read(study / "A" / "feature_maps.npz"), hybrid.run.splits["validation"]
    index = choose_faces(split.labels, 3)
    seen = distort_each(
        draw_keys(0, split.keys[index]), jnp.asarray(split.images[index] / 255, jnp.float32), 0.5,
        name="random_grey",
    )
    np.testing.assert_array_equal(arrays["faces"], np.round(np.asarray(seen) * 255))
    np.testing.assert_array_equal(arrays["labels"], [0, 1, 2])
    logits = hybrid.run.model.apply(hybrid.weights, seen, train=False)[0]
    np.testing.assert_array_equal(arrays["predicted"], np.asarray(logits).argmax(-1))
    # Four filters, of which three are shown; the DAE has two.
    assert arrays["maps_0"].shape == (3, 48, 48, 3) and arrays["constant_0"].shape == (3, 4)
    assert arrays["maps_1"].shape == (3, 48, 48, 2)
    # The DAE is frozen in training; what the pixels do to the answer is asked all the same.
    assert (arrays["saliency"].max((1, 2)) == 255).all()
    for folder, name in ((study / "A", "feature_maps"), (study, "feature_maps-A")):
        page = (folder / "report.html").read_text()
        assert "What the layers see" in page and "vgg/conv1_1: the first 3 of 4 maps" in page
        assert (folder / "figures" / f"{name}.png").stat().st_size > 10_000


@pytest.mark.usefixtures("opened")
def test_a_picture_elsewhere_leaves_the_report_alone(study, tmp_path, capsys):
    page = study / "A" / "report.html"
    page.write_text("as it was")
    before = page.read_text()
    out = tmp_path / "maps.png"
    code = feature_maps.main([
        f"--workdir={study / 'A'}", f"--out={out}", "--faces=1", "--smooth=2", "--scale=layer",
        "--signed", "--of=true", "--split=test",
    ])
    assert code == 0 and capsys.readouterr().out.strip() == str(out)
    assert out.stat().st_size > 10_000 and page.read_text() == before


@pytest.mark.usefixtures("opened")
def test_the_layers_are_listed_in_80_columns(study, capsys):
    assert feature_maps.main([f"--workdir={study / 'A'}", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    listed = [line.split() for line in lines if line.startswith(("dae/", "vgg/"))]
    assert ["vgg/conv2_1", "Conv", "24x24", "8"] in listed
    assert [row[0] for row in listed][:2] == ["dae/encode1", "dae/encode2"]


@pytest.mark.usefixtures("opened")
@pytest.mark.parametrize(
    "run, flags, code, message",
    [
        ("A", ["--layer=conv1_1"], 1, "no layer 'conv1_1' that gives maps. Did you mean 'vgg/conv"),
        ("A", ["--split=private"], 1, "there is no split 'private'"),
        ("dae", [], 1, "a dae names no class"),
        ("none", [], 1, "has no results.json; train the run first"),
        (".", [], 1, "is a study's; choose one of its runs"),
        ("A", ["--split=tset"], 2, "--split=tset: unknown. Did you mean 'test'?"),
        ("A", ["--of=label"], 2, "--of=label: unknown. Known: predicted, true."),
        ("A", ["--faces=0"], 2, "--faces=0: expected at least 1"),
    ],
)
def test_what_cannot_be_drawn_is_one_message(study, capsys, run, flags, code, message):
    assert feature_maps.main([f"--workdir={study / run}", *flags]) == code
    said = capsys.readouterr().err
    assert said.startswith("error: ") and message in said


def test_dead_maps_are_black_and_counted_and_the_scales_differ(quick_compile):
    config = tiny_study.get_config("vgg")
    model, _, state = make_parts(config)
    images = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 1), np.uint8)
    split = Split(images, np.arange(4, dtype=np.int32), np.arange(4, dtype=np.uint32), np.arange(4))
    weights = {"params": state.params, "batch_stats": state.batch_stats}
    # No image lifts the second and fourth filter above 0 with such a bias.
    weights["params"]["conv1_1"]["bias"] = jnp.array([0.1, -100.0, 0.1, -100.0])
    alike, each, signed = (
        look(config, weights, split, Wanted(("conv1_1",), faces=2, **options), model=model)
        for options in ({"scale": "layer"}, {}, {"signed": True})
    )
    assert each["constant_0"].tolist() == [[False, True, False, True]] * 2
    assert each["maps_0"][..., [1, 3]].max() == 0
    assert (each["maps_0"].max((1, 2))[:, [0, 2]] == 255).all()
    # With one scale, only the brightest map of a face gets to white.
    assert sorted(alike["maps_0"].max((1, 2))[0, [0, 2]])[0] < 255
    # Before the ReLU no map is constant.
    assert not signed["constant_0"].any() and signed["maps_0"][..., 1].max() == 255
    assert json.loads(str(each["about"]))["totals"] == [4]


def test_faces_are_the_first_of_each_class_then_the_second():
    labels = np.array([3, 3, 0, 3, 0, 6])
    assert choose_faces(labels, 5).tolist() == [2, 0, 5, 4, 1]
    assert choose_faces(labels, 9).tolist() == [2, 0, 5, 4, 1, 3]


def test_the_config_asks_for_maps_at_the_end_of_training(study, hybrid, tmp_path):
    config = hybrid.run.config.copy_and_resolve_references()
    config.evaluation.feature_maps = ("vgg/conv2_1",)
    (tmp_path / "predictions").mkdir()
    shutil.copy(study / "A" / "predictions" / "test.npz", tmp_path / "predictions")
    samples.write_pictures(
        config, tmp_path, hybrid.weights, hybrid.run.splits, model=hybrid.run.model
    )
    arrays = read(tmp_path / "feature_maps.npz")
    assert json.loads(str(arrays["about"]))["layers"] == ["vgg/conv2_1"]
    assert arrays["maps_0"].shape == (4, 24, 24, 8)


def test_a_layer_that_is_not_there_is_refused_before_training(hybrid):
    config = hybrid.run.config.copy_and_resolve_references()
    config.evaluation.feature_maps = ("vgg/conv2_1",)
    checks.check_run(config)
    config.evaluation.feature_maps = ("vgg/conv9_1",)
    for check in (checks.check_run, lambda c: checks.check_faces(c, (48, 48, 1))):
        with pytest.raises(UserError, match="feature_maps: there is no layer 'vgg/conv9_1'"):
            check(config)
    dae = tiny_study.get_config("dae")
    dae.evaluation.feature_maps = ("encode1",)
    with pytest.raises(UserError, match="a dae names no class"):
        checks.check_run(dae)
