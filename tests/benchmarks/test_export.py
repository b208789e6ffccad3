"""The benchmark's runtimes agree, and each has a row for each batch."""

import pytest

from benchmarks import export
from tests.test_export import NETWORKS, make


def test_runtimes_agree_and_are_timed(quick_compile):
    pytest.importorskip("onnxruntime", reason="needs onnxruntime (pip install fer_jax[test])")
    trained = make(NETWORKS["vgg"]())
    rows = export.measure(export.make_runtimes(trained), trained, batch=2, rounds=2)
    assert [row["runtime"] for row in rows] == ["fer_jax", "StableHLO", "ONNX"]
    assert all(row["difference"] < 1e-5 and row["milliseconds"] > 0 for row in rows)
