"""The table of steps: its rows, their order, and what stands below it."""

import json

from benchmarks import step_table


def result(net, ratio, *, batch=16, mode="train", cores=1):
    side = {"images_per_second": 1234.5, "peak_memory_bytes": 3 * 2**20}
    return {
        "net": net, "batch": batch, "mode": mode, "ratio": ratio,
        "ratio_of_processor_time": 1.25, "commit": "0123456789",
        "device": f"{cores} CPU cores (Some Processor)",
        "cost": {"ours": side, "torch": side | {"peak_memory_bytes": None}},
    }


def test_rows_are_by_cores_network_and_mode():
    held = [
        result("vgg", 1.5), result("dae", 1.0, cores=2), result("dae", 0.5, mode="infer"),
        result("dae", 0.7, batch=64), result("dae", 0.9),
    ]
    rows = step_table.make_table(held).rows
    assert [(row[0], row[1], row[2], row[3], row[6]) for row in rows] == [
        ("dae", "16", "training", "1", "0.90"),
        ("dae", "64", "training", "1", "0.70"),
        ("dae", "16", "inference", "1", "0.50"),
        ("vgg", "16", "training", "1", "1.50"),
        ("dae", "16", "training", "2", "1.00"),
    ]
    assert rows[0][4] == "1,234" and rows[0][7:] == ("1.25", "3", "—", "0123456")


def test_faces_beside_fer_are_those_of_the_file(tmp_path):
    path = tmp_path / "throughput.json"
    assert step_table.describe_throughput(path) == "Not measured yet."
    side = {"run": "quick", "model": "mini", "parameters": 1234, "accuracy": 0.6543}
    held = {
        "ours": side, "fer": side | {"accuracy": 0.5}, "faces": 3301, "batch": 256,
        "protocol": "official", "device": "2 CPU cores (P)", "commit": "0123456789abcdef",
        "command": "python -m benchmarks.throughput runs/quick",
        "cost": {"ours": {"images_per_second": 3000.4}, "fer": {"images_per_second": 2000}},
    }
    path.write_text(json.dumps(held))
    text = step_table.describe_throughput(path)
    assert "| ours: quick | 1,234 | 3,000 | 65.4 % |" in text
    assert "| fer: mini | 1,234 | 2,000 | 50.0 % |" in text
    assert text.endswith(f"2 CPU cores (P), commit 0123456789ab: `{held['command']}`.")


def test_a_folder_says_how_many_are_ahead(tmp_path):
    assert step_table.describe(tmp_path) == "Not measured yet."
    (tmp_path / "one").mkdir()
    for name, ratio in (("a.json", 1.2), ("one/b.json", 0.8)):
        (tmp_path / name).write_text(json.dumps(result("vgg", ratio)))
    text = step_table.describe(tmp_path)
    assert text.endswith("1 of 2 at PyTorch's speed or above. Some Processor.")
    assert "| vgg | 16 | training | 1 |" in text
