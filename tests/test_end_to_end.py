"""A whole study by its command: what it says, what it leaves, what is done with it afterwards."""

import json
import shutil

import jax
import numpy as np
import pytest

from tests import running

RUNS = ("dae", "A")


def test_the_study_says_what_it_does_in_plain_lines(finished_study):
    workdir, out, err = finished_study
    lines = (out + err).splitlines()
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in out + err and "\r" not in out + err
    # Each run: an epoch's line three times; else only alarms, which name their epoch.
    said = err.splitlines()
    for name in RUNS:
        assert sum(line.startswith(f"{name} ") and "img/s" in line for line in said) == 3
    assert all("img/s" in line or ", epoch " in line for line in said), err
    assert "Table 3" in out and "SYNTHETIC" in out
    assert out.splitlines()[-1] == "report: w/report.html"
    assert (workdir / "report.html").is_file()


def test_the_results_have_the_contracts_keys_and_are_strict_json(finished_study):
    workdir, _, _ = finished_study

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    study = json.loads((workdir / "results.json").read_text(), parse_constant=refuse)
    assert [item["run"] for item in study] == list(RUNS)
    keys = {
        "schema", "model", "variant", "dataset", "protocol", "config", "config_hash", "seed",
        "versions", "commit", "device", "command", "parameters", "epochs", "best_epoch", "weights",
        "alarms", "evaluations", "cost",
    }
    evaluation = {
        "split", "views", "distortion", "strength", "draws", "n", "loss", "accuracy",
        "accuracy_low", "accuracy_high", "balanced_accuracy", "macro_f1", "weighted_f1",
        "per_class", "confusion",
    }
    for item in study:
        assert keys <= item.keys()
        assert item["parameters"].keys() == {"trainable", "frozen", "non_trainable"}
        # Two splits, each clean, at the config's strength 0.5 and at the study's own, 0.3.
        assert len(item["evaluations"]) == 6
        assert all(evaluation <= entry.keys() for entry in item["evaluations"])
        alone = json.loads((workdir / item["run"] / "results.json").read_text())
        assert alone == item
        dates = [name for name in alone if "date" in name or "second" in name]
        assert not dates, "times stand in cost only"
    dae, hybrid = study
    assert dae["evaluations"][0]["accuracy"] is None and dae["variant"] is None
    assert np.sum(hybrid["evaluations"][0]["confusion"]) == 32  # the validation faces
    assert hybrid["variant"] == "A" and hybrid["upstream"]["dae"]["run"] == "dae"
    # 3x3 convolutions 1-2-2-2-2-1: 20 + 38 + 38 + 38 + 19 parameters of the frozen DAE.
    assert hybrid["parameters"]["frozen"] == dae["parameters"]["trainable"] == 153
    assert hybrid["command"] == f"python -m fer_jax.main --config={running.STUDY} --workdir=w"


def test_the_frozen_dae_of_hybrid_a_is_the_upstream_runs(finished_study):
    workdir, _, _ = finished_study
    results = running.read_results(workdir / "dae")
    _, dae = running.read_checkpoint(workdir / "dae", step=results["weights_step"])
    _, hybrid = running.read_checkpoint(workdir / "A")
    jax.tree.map(
        np.testing.assert_array_equal, hybrid["state"]["params"]["dae"], dae["state"]["params"]
    )


def test_a_finished_study_is_not_redone(finished_study, tmp_path):
    workdir = tmp_path / "w"
    shutil.copytree(finished_study[0], workdir)
    before = {
        path: path.stat().st_mtime_ns
        for path in workdir.rglob("*")
        if path.is_file() and path.name in ("metrics.jsonl", "manifest.ocdbt")
    }
    assert before
    code, out, err = running.run(*running.COMMAND, cwd=tmp_path)
    assert code == 0
    assert out == finished_study[1]
    assert err.splitlines() == ["w/dae is finished", "w/A is finished"]
    assert {path: path.stat().st_mtime_ns for path in before} == before
    study = json.loads((workdir / "results.json").read_text())
    assert study == json.loads((finished_study[0] / "results.json").read_text())


def test_evaluate_says_which_runs_a_study_has(finished_study, tmp_path):
    study = finished_study[0]
    code, _, err = running.run(f"--workdir={study}", module="fer_jax.evaluate", cwd=tmp_path)
    assert code == 1
    assert len(err.splitlines()) == 1 and f"{study}/dae" in err and f"{study}/A" in err


def test_evaluate_adds_an_entry_then_replaces_it(finished_study, tmp_path):
    workdir = tmp_path / "A"
    shutil.copytree(finished_study[0] / "A", workdir)
    arguments = (
        f"--workdir={workdir}", "--split=test", "--distortion=salt_pepper:0.2", "--views=flip",
        f"--probabilities={tmp_path / 'p.npz'}",
    )
    planned = running.read_results(workdir)["evaluations"]
    for _ in range(2):
        code, out, err = running.run(*arguments, module="fer_jax.evaluate", cwd=tmp_path)
        assert code == 0, err
        assert out.startswith("test salt_pepper:0.2: loss ") and not err
        *others, added = running.read_results(workdir)["evaluations"]
        assert others == planned
        assert (added["distortion"], added["strength"], added["views"]) == (
            "salt_pepper", 0.2, "flip"
        )
    with np.load(tmp_path / "p.npz") as held:
        assert held["probabilities"].shape == (32, 7) and held["rows"].shape == (32,)
        np.testing.assert_allclose(held["probabilities"].sum(axis=1), 1, rtol=1e-5)
        right = (held["probabilities"].argmax(axis=1) == held["labels"]).mean()
    assert right == pytest.approx(added["accuracy"])
