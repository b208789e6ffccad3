"""Exported files run without this package, for any number of faces, and give the same numbers."""

import errno
import json
import os
import subprocess
import sys
import zipfile

import jax
import numpy as np
import pytest

from fer_jax import export, export_onnx, files, model_file
from fer_jax.configuring import load_config
from fer_jax.data import EMOTIONS
from fer_jax.errors import UserError
from fer_jax.model_card import describe
from fer_jax.trained import Trained, answer_of, expected_variables
from tests import tiny_study
from tests.tiny import fill_variables

SHAPE = (48, 48, 1)
# Small versions of networks, with every kind of layer that they have.
NETWORKS = {
    "hybrid": lambda: tiny_study.get_config("A"),
    "vgg": lambda: tiny_study.get_config("vgg"),
    "resnet9": lambda: _small("configs/resnet9.py", width=1 / 16),
    "se_separable": lambda: _small(
        "configs/se_separable.py", width=1 / 16, stem=(32,), modules=(64, 128)
    ),
}
ANY_CARD = {"run": "made-up"}


def _small(path, **fields):
    config = load_config(path)
    config.model.update(fields)
    return config


def make(config):
    variables = fill_variables(expected_variables(config, image_shape=SHAPE))
    # Logits near 0, so that no probability hides a difference by being 0 or 1.
    head = variables["params"].get("vgg", variables["params"])["head"]
    head["kernel"] = head["kernel"] / (20 * np.abs(head["kernel"]).max())
    return Trained(config, variables, EMOTIONS, SHAPE, ANY_CARD)


def draw(n=3):
    return np.random.default_rng(0).integers(0, 256, (n, *SHAPE), np.uint8)


pytestmark = pytest.mark.usefixtures("quick_compile")


def run_alone(code, folder, *arguments):
    """Run code in a process of its own in a folder, where this package cannot be imported."""
    blocked = "import sys; sys.modules['fer_jax'] = None\n"
    outside = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", blocked + code, *map(str, arguments)], cwd=folder, text=True,
        env=outside | {"JAX_PLATFORMS": "cpu"}, capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    return np.load(folder / "out.npy"), json.loads(done.stdout)


@pytest.fixture(autouse=True)
def any_card(monkeypatch):
    monkeypatch.setattr(export, "write_card", lambda card: f"card of {card['run']}")


@pytest.mark.parametrize("name", NETWORKS)
def test_onnx_gives_the_same_probabilities(name):
    ort = pytest.importorskip("onnxruntime", reason="needs onnxruntime (pip install fer_jax[test])")
    trained = make(NETWORKS[name]())
    model = ort.InferenceSession(
        export_onnx.to_onnx(trained, card="card"), providers=["CPUExecutionProvider"]
    )
    faces = draw()
    expected = np.asarray(jax.jit(answer_of(trained))(trained.variables, faces))
    assert 0.02 < expected.min() and np.ptp(expected, axis=0).max() > 1e-4
    for n in (1, 3):
        (given,) = model.run(None, {"images": faces[:n]})
        np.testing.assert_allclose(given, expected[:n], atol=1e-5)
    held = model.get_modelmeta().custom_metadata_map
    assert json.loads(held["labels"]) == list(EMOTIONS) and held["card"] == "card"


def test_views_and_crops_are_exported_too():
    ort = pytest.importorskip("onnxruntime", reason="needs onnxruntime (pip install fer_jax[test])")
    config = tiny_study.get_config("vgg")
    config.evaluation.update({"views": "flip", "average": "logits"})
    config.preprocess.update({"size": 40, "crop": 32, "normalise": "symmetric"})
    trained = make(config)
    model = ort.InferenceSession(
        export_onnx.to_onnx(trained, card=""), providers=["CPUExecutionProvider"]
    )
    expected = jax.jit(answer_of(trained))(trained.variables, draw())
    np.testing.assert_allclose(model.run(None, {"images": draw()})[0], expected, atol=1e-5)


ONNX = """
import json, sys, numpy, onnxruntime
model = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
(said,) = model.run(None, {"images": numpy.load("faces.npy")})
numpy.save("out.npy", said)
print(model.get_modelmeta().custom_metadata_map["labels"])
"""
STABLEHLO = """
import sys, zipfile, jax.export, numpy
with zipfile.ZipFile(sys.argv[1]) as file:
    program = jax.export.deserialize(bytearray(file.read("model.stablehlo")))
    print(file.read("labels.json").decode())
numpy.save("out.npy", program.call(numpy.load("faces.npy")))
"""


@pytest.mark.parametrize("format, code", [("onnx", ONNX), ("stablehlo", STABLEHLO)])
def test_the_command_writes_a_file_that_runs_without_this_package(tmp_path, capsys, format, code):
    if format == "onnx":
        pytest.importorskip("onnxruntime", reason="needs onnxruntime (pip install fer_jax[test])")
    trained = make(NETWORKS["hybrid"]())
    model_file.save(tmp_path / "m.safetensors", trained)
    out = tmp_path / "new" / f"m.{format}"
    arguments = [str(tmp_path / "m.safetensors"), f"--format={format}", f"--out={out}"]
    assert export.main(arguments) == 0
    assert capsys.readouterr().out == f"{out}  {out.stat().st_size:,} bytes\n"
    np.save(tmp_path / "faces.npy", draw(5))
    said, labels = run_alone(code, tmp_path, out)
    expected = jax.jit(answer_of(trained))(trained.variables, draw(5))
    np.testing.assert_allclose(said, expected, atol=1e-5)
    assert labels == list(EMOTIONS)
    before = out.read_bytes()
    assert export.main(arguments) == 0
    assert out.read_bytes() == before
    assert b"trained.py" not in before  # where on this machine the program was written


def test_the_zip_holds_the_card(tmp_path):
    trained = make(NETWORKS["vgg"]())
    export.write_model(tmp_path / "m", trained, format="stablehlo")
    with zipfile.ZipFile(tmp_path / "m") as file:
        assert file.read("card.md") == b"card of made-up"


def test_safetensors_come_from_a_workdir_under_the_runs_name(finished_study, tmp_path, capsys,
                                                             monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert export.main([str(finished_study[0] / "A"), "--format=safetensors"]) == 0
    assert capsys.readouterr().out.startswith("A.safetensors ")
    held = model_file.load("A.safetensors")
    assert held.card["run"] == "A" and held.card["dataset"] == "synthetic"
    results = json.loads((finished_study[0] / "A" / "results.json").read_text())
    assert held.card == describe(results, image_shape=SHAPE)


def test_an_operation_that_is_not_known_is_named(monkeypatch):
    pytest.importorskip("onnx", reason="needs the extra `export`")
    monkeypatch.delitem(export_onnx.RULES, "conv_general_dilated")
    with pytest.raises(UserError, match="operation 'conv_general_dilated'.*--format=stablehlo"):
        export_onnx.to_onnx(make(NETWORKS["vgg"]()), card="")


def test_a_dae_alone_names_no_emotion(tmp_path):
    config = tiny_study.get_config("dae")
    variables = fill_variables(expected_variables(config, image_shape=SHAPE))
    trained = Trained(config, variables, EMOTIONS, SHAPE, ANY_CARD)
    with pytest.raises(UserError, match="a dae names no emotion"):
        export.write_model(tmp_path / "m", trained, format="onnx")
    export.write_model(tmp_path / "m", trained, format="safetensors")


def test_without_onnx_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(UserError, match=r"pip install 'fer_jax\[export\]'"):
        export_onnx.to_onnx(make(NETWORKS["vgg"]()), card="")


@pytest.mark.parametrize(
    "arguments, code, message",
    [
        (("{model}",), 2, "required: --format"),
        (("{model}", "--format=pickle"), 2, "--format=pickle: unknown"),
        (("{model}", "--format=onnx", "--dtype=float16"), 2, "onnx keeps float32"),
        (("{model}", "--format=safetensors", "--dtype=int8"), 2, "--dtype=int8: unknown"),
        (("none", "--format=onnx"), 1, "there is no model none"),
        (("{model}", "--format=safetensors", "--out=."), 1, "is a folder; name a file in it"),
    ],
)
def test_what_cannot_be_done_is_one_message(tmp_path, capsys, arguments, code, message):
    model_file.save(tmp_path / "m.safetensors", make(NETWORKS["vgg"]()))
    given = [argument.format(model=tmp_path / "m.safetensors") for argument in arguments]
    assert export.main(given) == code
    assert message in capsys.readouterr().err


def test_a_full_disk_leaves_nothing_half_written(tmp_path, monkeypatch, capsys):
    model_file.save(tmp_path / "m.safetensors", make(NETWORKS["vgg"]()))

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    out = tmp_path / "out.stablehlo"
    code = export.main([str(tmp_path / "m.safetensors"), "--format=stablehlo", f"--out={out}"])
    assert code == 1 and "make room there" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["m.safetensors"]
