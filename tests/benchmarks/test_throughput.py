"""Faces a second beside PyPI's `fer`: the fastest way of each is taken, and the result is whole."""

import json
import subprocess
import sys

import numpy as np
import pytest

from benchmarks import throughput, throughput_ours
from fer_jax.data import EMOTIONS
from tests.running import REPOSITORY
from tests.test_export import NETWORKS, SHAPE, draw, make

LABELS = np.arange(6) % 3


class Told:
    """A side that takes what the test says, in a process that is none."""

    def __init__(self, seconds, classes):
        self.seconds, self.classes, self.asked = seconds, classes, []

    def __call__(self, command, **options):
        self.asked.append((command, options))
        if command == "run":
            wall = self.seconds(**{k: v for k, v in options.items() if k != "count"})
            return [[wall, 2 * wall]] * options["count"]
        answers = {
            "classify": self.classes, "peak": 2**20, "parameters": 58_423,
            "versions": {"fer": "25.10.3"},
        }
        return answers[command]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def make_sides():
    """Ours is fastest with 64 faces a call, fer with 32 through tf.function and memory kept."""
    ours = Told(lambda batch, chunk: {64: 0.1}.get(chunk, 0.2), [0, 1, 2, 0, 1, 1])
    fers = {
        memory: Told(
            lambda batch, way, chunk, slower=slower: slower + {
                ("predict", 256): 0.7, ("tf.function", 32): 0.4
            }.get((way, chunk), 0.5),
            [0, 1, 2, 0, 0, 0],
        )
        for memory, slower in (("default", 0.05), ("kept", 0.0))
    }
    return ours, fers


def parse(*flags):
    return throughput._parse_flags(["runs/x", *flags])


def test_each_side_is_timed_in_its_fastest_way():
    ours, fers = make_sides()
    found = throughput.measure(ours, fers, LABELS, parse())
    assert found["ours"] == {"accuracy": 5 / 6, "memory": "kept", "chunk": 64}
    assert found["fer"] == {
        "accuracy": 4 / 6, "memory": "kept", "way": "tf.function", "chunk": 32
    }
    assert found["cost"]["ours"]["images_per_second"] == pytest.approx(2560)
    assert found["ratio"] == found["ratio_of_processor_time"] == pytest.approx(4)
    tried = found["cost"]["tried"]
    assert [each["chunk"] for each in tried["ours"]] == [32, 64, 128, 256]
    assert len(tried["fer"]) == 2 * 5 and tried["fer"][0]["median_ms"] == pytest.approx(750)
    # What is classified is classified as it is timed.
    assert ours.asked[-1] == ("classify", {"chunk": 64})


def test_a_chunk_that_is_named_is_taken_and_none_is_larger_than_the_batch():
    ours, fers = make_sides()
    found = throughput.measure(ours, fers, LABELS, parse("--chunk=128", "--batch=48"))
    assert found["ours"]["chunk"] == 128
    assert {each["chunk"] for each in found["cost"]["tried"]["fer"]} == {32, 48}


def test_the_result_is_written_and_the_ratio_printed_last(tmp_path, monkeypatch, capsys):
    config = NETWORKS["vgg"]()
    card = {"run": "quick", "model": "vgg", "parameters": {"trainable": 5, "non_trainable": 2}}
    ours, fers = make_sides()
    started = []

    def start(module, *arguments, **options):
        started.append(module)
        return ours if module.endswith("ours") else list(fers.values())[len(started) - 2]

    monkeypatch.setattr(throughput, "Worker", start)
    monkeypatch.setattr(throughput, "make_venv", lambda folder: folder / "bin" / "python")
    monkeypatch.setattr(
        throughput, "load_trained", lambda path: make(config)._replace(card=card)
    )
    monkeypatch.setattr(
        throughput, "load_faces", lambda *_, **__: (draw(300)[..., 0], LABELS)
    )
    out = tmp_path / "deep" / "throughput.json"
    assert throughput.main(["runs/quick", f"--out={out}"]) == 0
    held = json.loads(out.read_text())
    assert (held["schema"], held["batch"], held["rounds"]) == (1, 256, 15)
    assert held["ours"]["parameters"] == 7 and held["fer"]["parameters"] == 58_423
    assert held["versions"]["fer"] == "25.10.3" and held["command"] and held["device"]
    said = capsys.readouterr().out
    assert said.splitlines()[-1] == "ratio 4.000" and "2,560" in said
    assert throughput.main(["runs/quick", "--batch=301", f"--out={out}"]) == 1
    assert "there are 300 test faces" in capsys.readouterr().err


def test_a_model_of_other_faces_is_refused(capsys, monkeypatch):
    other = make(NETWORKS["vgg"]())._replace(labels=(*EMOTIONS, "contempt"))
    monkeypatch.setattr(throughput, "load_trained", lambda path: other)
    assert throughput.main(["runs/x"]) == 1
    assert "take a run on FER2013" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--rounds=9", "--batch=0", "--chunk=0"])
def test_too_few_are_refused(flag, capsys):
    assert throughput.main(["runs/x", flag]) == 2
    assert "expected at least" in capsys.readouterr().err


def test_chunks_change_nothing_but_the_time(quick_compile):
    side = throughput_ours.Side(draw(7)[..., 0], make(NETWORKS["se_separable"]()))
    whole = side.answer(side.faces, chunk=7)
    assert side.faces.shape == (7, *SHAPE) and whole.shape == (7, 7)
    np.testing.assert_allclose(side.answer(side.faces, chunk=3), whole, atol=1e-6)
    assert side.classify(chunk=3) == whole.argmax(1).tolist()
    ((seconds, processor),) = side.run(batch=5, chunk=3, count=1)
    assert seconds > 0 and processor > 0


def test_a_side_can_serve_where_fer_jax_cannot_be_imported():
    code = "import sys; sys.modules['fer_jax'] = None\nfrom benchmarks.workers import serve\n"
    done = subprocess.run(
        [sys.executable, "-c", code + "serve({'double': lambda x: 2 * x})"],
        input='["double", {"x": 4}]\n', cwd=REPOSITORY, capture_output=True, text=True,
    )
    assert done.stdout == "8\n", done.stderr
