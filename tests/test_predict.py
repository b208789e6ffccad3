"""The command names emotions in whatever it is given, and says what it skipped."""

import csv
import errno
import io
import json

import numpy as np
import pytest
from PIL import Image

from fer_jax import files, host, model_file, pictures, results
from fer_jax import predict as module
from fer_jax.commands.predict import RUN_FILES, split_model
from fer_jax.data import EMOTIONS
from fer_jax.data.find_faces import Box
from fer_jax.data.read_photo import as_photo
from fer_jax.errors import UserError
from fer_jax.pictures import Picture
from fer_jax.recognizer import Recognizer
from fer_jax.trained import Trained, expected_variables
from tests import tiny_study
from tests.tiny import fill_variables

SHAPE = (48, 48, 1)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Give a model file of the tiny hybrid, untrained."""
    config = tiny_study.get_config("A")
    variables = fill_variables(expected_variables(config, image_shape=SHAPE))
    path = tmp_path_factory.mktemp("model") / "m.safetensors"
    model_file.save(path, Trained(config, variables, EMOTIONS, SHAPE, {"run": "A"}))
    return path


@pytest.fixture(scope="module")
def recognizer(model):
    return Recognizer.load(model)


@pytest.fixture(autouse=True)
def in_process(monkeypatch, recognizer):
    # Its settings are for a process of its own; the model is loaded once.
    monkeypatch.setattr(host, "prepare_process", lambda: None)
    monkeypatch.setattr(Recognizer, "load", staticmethod(lambda path=None: recognizer))
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def photos(tmp_path):
    generator = np.random.default_rng(0)
    for i in range(3):
        pixels = generator.integers(0, 256, (60, 80, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
    return tmp_path


def run(capsys, *arguments):
    code = module.main([str(argument) for argument in arguments])
    return code, *capsys.readouterr()


def test_json_has_every_face_and_nothing_else_on_stdout(capsys, model, photos, recognizer):
    code, out, _ = run(capsys, model, photos, "--crop=center", "--json")
    assert code == 0
    faces = json.loads(out)["faces"]
    assert [face["file"] for face in faces] == [str(photos / f"{i}.png") for i in range(3)]
    pixels = np.asarray(Image.open(photos / "1.png"))[:, 10:70]
    said = recognizer([pixels])
    assert faces[1]["emotion"] == EMOTIONS[said.emotion[0]]
    given = [faces[1][name] for name in EMOTIONS]
    np.testing.assert_allclose(given, said.probabilities[0], atol=1e-5)
    assert [faces[1][name] for name in Box._fields] == [10, 0, 60, 60]
    assert faces[1]["noise"] == pytest.approx(float(said.noise[0]), abs=1e-5)


def test_csv_has_a_column_for_each_number(capsys, model, photos):
    code, out, _ = run(capsys, model, photos / "0.png", "--crop=none", "--csv")
    (row,) = csv.DictReader(io.StringIO(out))
    assert code == 0 and row["width"] == "80" and row["height"] == "60" and row["second"] == ""
    assert sum(float(row[name]) for name in EMOTIONS) == pytest.approx(1, abs=1e-5)


def test_the_table_fits_80_columns(capsys, model, photos):
    long = photos / f"{'long' * 20}\x1b.png"
    (photos / "0.png").rename(long)
    code, out, _ = run(capsys, model, long, photos / "1.png", "--crop=center")
    assert code == 0 and "2 faces" in out and "1.png" in out and "\x1b" not in out
    assert max(map(len, out.splitlines())) <= 80


def test_what_cannot_be_read_is_skipped_and_counted(capsys, model, photos):
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff" + bytes(50))
    (photos / "text.png").write_text("no picture")
    code, _, err = run(capsys, model, photos, "--crop=center", "--csv")
    assert code == 0 and "skipped 2 of 5:" in err
    assert "broken.jpg: " in err and "text.png: it is no picture that can be read" in err


def test_a_photo_without_a_face_is_said(capsys, model, photos, monkeypatch):
    found = {60: [], 61: [Box(5, 5, 30, 30), Box(40, 5, 20, 20)]}
    monkeypatch.setattr(module, "find_faces", lambda photo: found[photo.pixels.shape[0]])
    Image.fromarray(np.zeros((61, 80), np.uint8)).save(photos / "two.png")
    code, out, err = run(capsys, model, photos, "--json")
    faces = json.loads(out)["faces"]
    assert code == 0 and "no face was found in 3 of 4 pictures" in err
    assert [(face["face"], face["width"]) for face in faces] == [(0, 31), (1, 21)]
    code, out, err = run(capsys, model, photos / "0.png")
    assert (code, out) == (0, "") and "say --crop=center" in err


def test_faces_of_many_pictures_go_to_the_network_together(recognizer):
    asked = []

    def ask(images):
        asked.append(len(images))
        return recognizer(images)

    ask.labels = recognizer.labels
    photo = as_photo(np.zeros((50, 50, 3), np.uint8))
    many = [Picture(str(i), None, photo) for i in range(70)]
    done = list(module.predict(many, ask, crop="center"))
    assert asked == [64, 6] and [picture.file for picture, _ in done] == [str(i) for i in range(70)]
    assert all(len(answers) == 1 for _, answers in done)
    # A camera's pictures do not wait, and large ones not for many.
    first, _ = next(module.predict(iter(many), ask, crop="center", batch=1))
    assert first.file == "0" and asked == [64, 6, 1]


def test_boxes_are_in_the_pixels_of_the_photo_itself(recognizer, tmp_path):
    Image.new("L", (8192, 64)).save(tmp_path / "wide.png")
    (picture,) = pictures.read_pictures(tmp_path / "wide.png", every=1)
    (one,) = module.cut_faces(picture, crop="none")
    assert one.box == Box(0, 0, 8192, 64) and one.pixels.shape == (32, 4096, 3)


def test_annotated_pictures_show_the_denoised_face(capsys, model, photos):
    out = photos / "new" / "drawn"
    code, _, err = run(capsys, model, photos / "0.png", "--crop=center", f"--save_dir={out}")
    assert code == 0 and f"annotated pictures: {out}" in err
    (drawn,) = out.iterdir()
    with Image.open(drawn) as image:
        assert drawn.name == "0.png.faces.png" and image.size[0] > 500


def test_a_full_disk_leaves_nothing_half_written(capsys, model, photos, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    out = photos / "drawn"
    code, _, err = run(capsys, model, photos / "0.png", "--crop=center", f"--save_dir={out}")
    assert code == 1 and "No space left" in err and not list(out.iterdir())


@pytest.mark.parametrize(
    "arguments, code, message",
    [
        ((), 2, "name photos, folders, globs or videos"),
        (("a.png", "--crop=middle"), 2, "--crop=middle: unknown"),
        (("a.png", "--every=0"), 2, "--every=0: expected seconds above 0"),
        (("a.png", "--frames=-1"), 2, "--frames=-1: expected at least 0"),
        (("a.png", "--json", "--csv"), 2, "choose one of them"),
        (("a.png",), 1, "none of what was named could be read"),
        (("*.nothing",), 1, "nothing matches '*.nothing'"),
        (("m.onnx", "a.png"), 1, "docs/export.md says how"),
        (("{model}",), 2, "name photos"),
        (("{photos}", "--save_dir={photos}/0.png"), 1, "0.png is a file; name a folder"),
    ],
)
def test_what_cannot_be_done_is_one_message(capsys, model, photos, arguments, code, message):
    given = [argument.format(model=model, photos=photos) for argument in arguments]
    got, _, err = run(capsys, *given)
    assert got == code and message in err and "Traceback" not in err


def test_the_first_path_is_the_model_if_it_is_one(tmp_path):
    run_folder = tmp_path / "run"
    run_folder.mkdir()
    (run_folder / "results.json").write_text("{}")
    assert RUN_FILES == (results.RESULTS, results.CONFIG)
    assert split_model([str(run_folder), "a.png"]) == (run_folder, ["a.png"])
    assert split_model(["m.safetensors"])[1] == []
    assert split_model(["a.png", "m.safetensors"]) == (None, ["a.png", "m.safetensors"])
    with pytest.raises(UserError, match="reads .safetensors and workdirs"):
        split_model(["m.stablehlo"])
