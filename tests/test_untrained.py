"""A run of no epochs is what it starts from: the DAE in front of a VGG that never saw it."""

import jax
import numpy as np
import pytest
from ml_collections import ConfigDict

from configs import vgg_dae
from fer_jax import results, study
from fer_jax.finished import load_run
from tests.tiny_study import TINY, get_config


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    """Train a DAE and a VGG for an epoch, and put one in front of the other."""
    folder = tmp_path_factory.mktemp("untrained")
    runs = {name: get_config(name) for name in ("dae", "vgg")}
    runs["in_front"] = vgg_dae.hybrid("in_front", "small", start="runs.{}")
    runs["in_front"].update(TINY)
    for run in runs.values():
        run.epochs = min(run.epochs, 1)
    runs["in_front"].epochs = 0
    runs["in_front"].model.width = runs["vgg"].model.width
    study.run(ConfigDict({"runs": ConfigDict(runs, sort_keys=False)}, sort_keys=False), folder)
    return folder


def test_every_weight_and_statistic_is_its_upstream_runs(workdir):
    hybrid = load_run(workdir / "in_front").weights
    for part in ("dae", "vgg"):
        alone = load_run(workdir / part).weights
        for kind in ("params", "batch_stats"):
            if part not in hybrid[kind]:
                assert not alone.get(kind)  # the DAE has no BatchNorm
                continue
            # Bit for bit: nothing was trained, and no running mean moved.
            jax.tree.map(np.testing.assert_array_equal, hybrid[kind][part], alone[kind])


def test_its_results_say_that_nothing_was_trained(workdir):
    held = results.read(workdir / "in_front")
    assert (held["epochs"], held["parameters"]["trainable"]) == (0, 0)
    assert held["cost"]["images_per_second"] is None
    assert {name: entry["run"] for name, entry in held["upstream"].items()} == {
        "dae": "dae", "vgg": "vgg",
    }
    assert all(entry["accuracy"] is not None for entry in held["evaluations"])
