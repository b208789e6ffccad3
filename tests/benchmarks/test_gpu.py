"""The benchmark of one device: a row on CPU, rows that are kept, and what fails."""

import json
import time

import pytest

from benchmarks import gpu, gpu_step


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
    out = tmp_path / "deep" / "gpu.json"
    flags = ["--nets=agrawal_fcn", f"--out={out}"]
    assert gpu.main([*flags, "--batches=2,4"]) == 0
    assert asked == [2, 2, 4, 4]  # cold, then warm
    assert gpu.main([*flags, "--batches=2,4,8"]) == 0
    assert asked == [2, 2, 4, 4, 8, 8]
    rows = json.loads(out.read_text())["rows"]
    assert [each["batch"] for each in rows] == [2, 4, 8]
    assert "RESOURCE_EXHAUSTED" in capsys.readouterr().out
    assert gpu.main([*flags, "--nets=vg"]) == 2
