"""The suite on a finished run: its cells, going on after a kill, its reference, what it refuses."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from fer_jax import corrupting, finished, results, robustness, train
from fer_jax.corrupting import corrupt_split
from fer_jax.data import Split, synthetic
from fer_jax.errors import UserError
from fer_jax.evaluate import draw_keys
from fer_jax.filters import parse_filter
from fer_jax.ops.corruptions import CORRUPTIONS
from fer_jax.ops.distortion import distort_each
from fer_jax.robustness import Asked, add_suite, trained_on
from tests import running, tiny_study

pytestmark = pytest.mark.usefixtures("quick_compile")

KEPT = ("random_grey", "jpeg", "contrast")  # quick to compile
ASKED = Asked("test", "plain", parse_filter(""), draws=2, faces=20)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("trained") / "study" / "linear"
    config = tiny_study.get_config("linear")
    config.epochs = 1
    train.train_and_evaluate(config, workdir)
    return workdir


@pytest.fixture
def run(trained, tmp_path, monkeypatch):
    """Give a finished run in a folder of its own; the suite has three corruptions, no report."""
    monkeypatch.setattr(robustness, "CORRUPTIONS", {name: CORRUPTIONS[name] for name in KEPT})
    monkeypatch.setattr(robustness, "write_report", lambda workdir: None)
    return Path(shutil.copytree(trained, tmp_path / "study" / "linear"))


def change_results(workdir, **changes):
    path = workdir / "results.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_the_cells_are_the_evaluations_of_the_corrupted_faces(run):
    before = running.read_results(run)
    entry = add_suite(run, ASKED)
    held = running.read_results(run)
    assert held["suites"] == [json.loads(json.dumps(entry))]
    assert {name: held[name] for name in before} == before
    assert (entry["n"], entry["of"], entry["filter"]) == (20, 32, "")
    assert list(entry["cells"]) == list(KEPT)
    loaded = finished.load_run(run)
    faces = Split(*(
        array if array is None else array[np.arange(20) * 32 // 20]
        for array in loaded.run.splits["test"]
    ))
    wanted = {"split": "test", "views": "plain", "distortion": "clean", "strength": 0.0}
    for name, severity, draw in (("random_grey", 5, 0), ("random_grey", 5, 1), ("jpeg", 3, 0)):
        images = corrupt_split(faces, name=name, severity=severity, draw=draw)
        expected, _ = results.evaluate_once(
            loaded.run.config, loaded.weights, faces._replace(images=images),
            wanted | {"draws": 1}, model=loaded.run.model, mesh=loaded.run.mesh,
        )
        assert entry["cells"][name][severity - 1]["accuracies"][draw] == expected["accuracy"]
    cell = entry["cells"]["random_grey"][4]
    assert (cell["severity"], cell["level"], len(cell["accuracies"])) == (5, 0.5, 2)
    assert cell["accuracy"] == pytest.approx(np.mean(cell["accuracies"]))
    assert cell["sd"] == pytest.approx(np.std(cell["accuracies"], ddof=1))
    once = entry["cells"]["contrast"][0]
    assert len(once["accuracies"]) == 1 and once["sd"] is None
    # The linear baseline trains on clean faces; alone it has no plain VGG beside it.
    assert (entry["trained_on"], entry["reference"], entry["errors"]) == ([], None, None)
    assert entry["mean_accuracy_untrained"] == pytest.approx(entry["mean_accuracy"])
    means = [np.mean([c["accuracy"] for c in cells]) for cells in entry["cells"].values()]
    assert entry["mean_accuracy"] == pytest.approx(np.mean(means))


def test_a_killed_suite_goes_on_with_the_next_cell_and_ends_the_same(run, tmp_path, monkeypatch):
    other = Path(shutil.copytree(run, tmp_path / "other" / "linear"))
    whole = add_suite(other, ASKED)
    real, done = robustness._evaluate, []

    def evaluate(*arguments):
        if len(done) == 8:
            raise KeyboardInterrupt
        done.append(1)
        return real(*arguments)

    monkeypatch.setattr(robustness, "_evaluate", evaluate)
    with pytest.raises(KeyboardInterrupt):
        add_suite(run, ASKED)
    assert len(list((run / "suites").iterdir())) == 1
    done.clear()
    monkeypatch.setattr(robustness, "_evaluate", lambda *a: (done.append(1), real(*a))[1])
    again = add_suite(run, ASKED)
    # Clean, one corruption of 2 draws and two of one: 1 + 5 * (2 + 1 + 1) = 21. Of the 8 that
    # were done the clean one and three cells were whole, 7.
    assert len(done) == 21 - 7
    assert {k: v for k, v in again.items() if k != "added"} == {
        k: v for k, v in whole.items() if k != "added"
    }
    assert not (run / "suites").exists()
    done.clear()
    assert add_suite(run, ASKED) == again and not done


def test_what_it_is_measured_with_tells_suites_apart(run):
    add_suite(run, ASKED)
    behind = add_suite(run, ASKED._replace(filter=parse_filter("median:3"), draws=1))
    assert behind["filter"] == "median:3"
    suites = running.read_results(run)["suites"]
    assert [entry["filter"] for entry in suites] == ["", "median:3"]
    assert suites[0]["cells"]["random_grey"] != suites[1]["cells"]["random_grey"]


def test_the_reference_against_itself_is_a_hundred_percent(run, tmp_path):
    entry = add_suite(run, ASKED, reference=run)
    assert entry["errors"]["mce"] == 1.0
    assert set(entry["errors"]["ce"].values()) == {1.0}
    other = Path(shutil.copytree(run, tmp_path / "other" / "linear"))
    entry = add_suite(other, ASKED, reference=run)
    assert (entry["errors"]["mce"], entry["reference"]["run"]) == (1.0, "linear")


def test_the_plain_vgg_of_the_study_is_the_reference(run):
    plain = Path(shutil.copytree(run, run.parent / "vgg"))
    change_results(plain, model="vgg", run="vgg")
    add_suite(plain, ASKED)
    assert running.read_results(plain)["suites"][0]["reference"]["run"] == "vgg"
    assert add_suite(run, ASKED)["reference"]["run"] == "vgg"
    config = running.read_results(plain)["config"] | {"train_distortion": 0.5}
    change_results(plain, config=config)
    assert add_suite(run, ASKED)["reference"] is None  # it is no plain one any more


def test_a_reference_without_the_same_suite_is_refused_with_its_command(run, tmp_path):
    other = Path(shutil.copytree(run, tmp_path / "other" / "linear"))
    add_suite(other, ASKED._replace(faces=10))
    with pytest.raises(UserError, match=r"linear --suite=fer2013-c --split=test --faces=20"):
        add_suite(run, ASKED, reference=other)


def test_a_dae_other_sizes_and_other_splits_are_refused(run, monkeypatch):
    with pytest.raises(UserError, match="no split 'private'"):
        add_suite(run, ASKED._replace(split="private"))
    real = robustness.load_run

    def load(workdir, **options):
        loaded = real(workdir, **options)
        small = loaded.run.splits["test"]._replace(images=np.zeros((32, 40, 48, 1), np.uint8))
        return loaded._replace(run=loaded.run._replace(splits={"test": small}))

    monkeypatch.setattr(robustness, "load_run", load)
    with pytest.raises(UserError, match="for faces of 48x48; these are 40x48"):
        add_suite(run, ASKED)
    monkeypatch.setattr(robustness, "load_run", lambda *a, **k: _as_denoiser(real(*a, **k)))
    with pytest.raises(UserError, match="is a DAE's, which names no emotion"):
        add_suite(run, ASKED)


def _as_denoiser(loaded):
    loaded.run.config.task = "denoise"
    return loaded


def test_what_a_run_or_the_dae_in_front_of_it_trained_on(tmp_path):
    def write(folder, *, name, share, upstream=None, hash_="h"):
        folder.mkdir(parents=True)
        config = {
            "distortion": {"name": name}, "train_distortion": share, "init_dir": "",
        }
        held = {"config": config, "config_hash": hash_, "upstream": upstream or {}}
        (folder / "results.json").write_text(json.dumps(held))
        return held

    dae = {"dae": {"run": "dae", "config_hash": "d"}}
    write(tmp_path / "dae", name="gaussian", share=1.0, hash_="d")
    plain = write(tmp_path / "vgg", name="random_grey", share=0.0)
    assert trained_on(tmp_path / "vgg", plain) == set()
    hybrid = write(tmp_path / "A", name="random_grey", share=0.0, upstream=dae)
    assert trained_on(tmp_path / "A", hybrid) == {"gaussian"}
    both = write(tmp_path / "both", name="random_grey", share=0.5, upstream=dae)
    assert trained_on(tmp_path / "both", both) == {"gaussian", "random_grey"}
    shutil.rmtree(tmp_path / "dae")
    assert trained_on(tmp_path / "A", hybrid) == {"random_grey"}


def test_a_face_is_corrupted_alike_in_any_batch_and_order(monkeypatch):
    split = synthetic.load(seed=0, sizes=(7, 7, 7))["test"]
    monkeypatch.setattr(corrupting, "BATCH", 4)
    backwards = Split(*(array if array is None else array[::-1] for array in split))
    for name in ("random_grey", "contrast"):
        seen = corrupt_split(split, name=name, severity=3)
        assert seen.dtype == np.uint8 and seen.shape == split.images.shape
        np.testing.assert_array_equal(corrupt_split(backwards, name=name, severity=3)[::-1], seen)
        monkeypatch.setattr(corrupting, "BATCH", 7)
        np.testing.assert_array_equal(corrupt_split(split, name=name, severity=3), seen)
        monkeypatch.setattr(corrupting, "BATCH", 4)


def test_the_first_draw_is_every_evaluations_own():
    split = synthetic.load(seed=0, sizes=(7, 7, 7))["test"]
    unit = np.asarray(split.images / 255, np.float32)
    expected = distort_each(draw_keys(3, split.keys), unit, 0.2, name="random_grey")
    draws = [
        corrupt_split(split, name="random_grey", severity=3, draw=i, seed=3) for i in range(3)
    ]
    np.testing.assert_array_equal(draws[0], np.round(np.asarray(expected) * 255))
    shares = [[(a != b).mean() for b in draws] for a in draws]
    # Of two draws at p = .2 a pixel differs where either replaced it: 1 - .8 * .8 = .36, or at
    # most 1/256 less where levels agree by chance; 16,128 pixels have an sd of .004.
    off = np.array(shares)[~np.eye(3, dtype=bool)]
    np.testing.assert_allclose(off, 0.36, atol=0.02)
