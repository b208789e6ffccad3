"""The benchmark of one device: a row on CPU, rows that are kept, and what fails."""

import json
import time

import pytest

from benchmarks import gpu, gpu_step
from fer_jax import provenance


@pytest.fixture(scope="module")
def row():
    return gpu_step.measure(
        "agrawal_fcn", batch=2, width=0.0625, steps=1, repeats=1, faces=4, dtype="bfloat16",
        began=time.time(),
    )


@pytest.mark.usefixtures("quick_compile")
def test_a_row_is_measured_and_its_memory_adds_up(row):
    json.dumps(row, allow_nan=False)
    assert row["dataset_bytes"] == 4 * 48 * 48 + 4 * 4  # faces, and labels i32
    # Adam's two moments, and its count.
    assert 2 * row["parameters_bytes"] <= row["moments_bytes"] <= 2 * row["parameters_bytes"] + 64
    parts = ("parameters", "moments", "statistics", "dataset", "activations")
    total = sum(row[f"{name}_bytes"] for name in parts)
    assert row["allowed_bytes"] == round(1.2 * total)
    assert row["images_per_second"] == pytest.approx(2 / row["step_seconds"])
    # No peak of a CPU is known.
    assert row["floor_seconds"] is None and row["share_of_peak"] is None and row["flops"] > 0


def test_a_row_that_is_there_is_kept_and_a_failure_is_written(row, tmp_path, monkeypatch, capsys):
    asked = []

    def start(options, cache):
        asked.append(options["batch"])
        if options["batch"] == 4:
            return {"error": "RESOURCE_EXHAUSTED: out of memory"}
        return row | {"batch": options["batch"], "width": 0.0, "faces": options["faces"]}

    monkeypatch.setattr(gpu, "_start", start)
    monkeypatch.setattr(gpu, "find_device", lambda: {"platform": "gpu", "name": "1 x Made Up"})
    # Whoever opens a GPU takes its memory, and the rows' own processes would have none left.
    monkeypatch.setattr(provenance, "device", lambda: pytest.fail("the device was opened"))
    out = tmp_path / "deep" / "gpu.json"
    flags = ["--nets=agrawal_fcn", f"--out={out}"]
    assert gpu.main([*flags, "--batches=2,4"]) == 0
    assert asked == [2, 2, 4, 4]  # cold, then warm
    assert gpu.main([*flags, "--batches=2,4,8"]) == 0
    assert asked == [2, 2, 4, 4, 8, 8]
    held = json.loads(out.read_text())
    rows = held["rows"]
    assert held["device"] == "1 x Made Up"
    assert [each["batch"] for each in rows] == [2, 4, 8]
    said = capsys.readouterr().out
    assert "measuring 1 x Made Up" in said and "RESOURCE_EXHAUSTED" in said
    assert gpu.main([*flags, "--nets=vg"]) == 2


def test_without_a_gpu_the_command_says_what_it_measures():
    device = gpu.find_device()
    assert device["platform"] == "cpu" and "CPU cores" in device["name"]
    said = gpu.explain_device(device)
    assert "no GPU is here" in said and device["name"] in said and "--nets" in said
