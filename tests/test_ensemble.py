"""The ensemble command and what it measures: fitted on validation, compared on the same faces."""

import json

import numpy as np
import pytest

from fer_jax import ensemble, ensemble_rules, finished, host, stacking, writers
from fer_jax.ensemble_rules import RULES, stack
from fer_jax.errors import UserError
from tests import told

SKILLS = (1.2, 1.6, 2.0)


def models(split, *, n, seed=0):
    """Make three models' predictions of one split; its faces are others than the other split's."""
    said = [
        told.predictions(
            n=n, seed=seed + i, skill=skill, split=split, run=f"m{i}", faces_seed=len(split)
        )
        for i, skill in enumerate(SKILLS)
    ]
    first = 0 if split == "validation" else 1_000_000
    return [p._replace(keys=p.keys + np.uint32(first)) for p in said]


@pytest.fixture(scope="module", autouse=True)
def few():
    """Choose from few candidates: each is fitted five times over, in each of five folds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stacking, "CANDIDATES", (10.0,))
        patch.setattr(ensemble_rules, "GREEDY_STEPS", 4)
        patch.setattr(ensemble_rules, "GREEDY_BAGS", 2)
        yield


@pytest.fixture(scope="module")
def measured(few):
    return ensemble.measure(models("validation", n=150), models("test", n=210, seed=50))


def test_every_rule_is_measured_against_the_best_single_on_validation(measured):
    assert [rule["rule"] for rule in measured["rules"]] == list(RULES)
    assert measured["best_single"] == 2  # the most skilled
    best = measured["singles"][2]
    assert best["difference"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    for row in measured["rules"]:
        difference = row["difference"]
        assert difference["value"] == pytest.approx(row["accuracy"] - best["accuracy"])
        assert difference["low"] <= difference["value"] <= difference["high"]
        assert np.sum(row["confusion"]) == measured["n"] == 210
        assert np.trace(row["confusion"]) == round(210 * row["accuracy"])
    json.dumps(measured, allow_nan=False)


def test_three_independent_models_are_better_together(measured):
    # Their noise is independent, so the mean's is smaller by sqrt(3): far more than chance.
    mean = measured["rules"][0]
    assert mean["rule"] == "simple mean" and mean["difference"]["low"] > 0


def test_a_rule_that_fits_noise_is_seen_through():
    # Labels that no model knows: what is fitted has more right where it was fitted, but not in
    # cross-validation, which stays near 1/7 (sd of 140 faces: 3 points).
    noise = [p._replace(labels=np.arange(140, dtype=np.int32) % 7)
             for p in models("validation", n=140)]
    members = stack(noise)
    fitted = ensemble.fit_rule("stacking", members)
    again = (fitted.combine(members.probabilities).argmax(1) == members.labels).mean()
    honest = ensemble.cross_validate("stacking", members)
    assert honest < 1 / 7 + 4 * 0.03
    assert again > honest


def test_the_size_curve_ends_where_all_are_together(measured):
    sizes = measured["sizes"]
    assert [(row["size"], row["ensembles"], row["all"]) for row in sizes] == [
        (1, 3, True), (2, 3, True), (3, 1, True)
    ]
    singles = [single["accuracy"] for single in measured["singles"]]
    assert (sizes[0]["low"], sizes[0]["high"]) == (min(singles), max(singles))
    assert sizes[0]["mean"] == pytest.approx(np.mean(singles))
    assert sizes[0]["best_first"] == singles[2]
    everyone = measured["rules"][0]["accuracy"]
    assert {sizes[2][name] for name in ("mean", "low", "high", "best_first")} == {everyone}


def test_many_members_are_drawn_from(monkeypatch):
    monkeypatch.setattr(ensemble, "MOST_SUBSETS", 2)
    sizes = ensemble.size_curve(
        stack(models("validation", n=50)), stack(models("test", n=50)), seed=0
    )
    assert [row["ensembles"] for row in sizes] == [2, 2, 1]


def test_nothing_but_validation_gives_weights():
    validation, test = models("validation", n=50), models("test", n=50)
    with pytest.raises(UserError, match="must come from the split validation, not from test"):
        ensemble.measure(test, validation)
    with pytest.raises(UserError, match="the faces of validation are validation faces"):
        ensemble.measure(validation, validation)


def test_runs_are_named_by_what_tells_them_apart(tmp_path):
    paths = [tmp_path / name for name in ("s0/deep", "s1/deep", "s0/shallow")]
    assert ensemble.distinct_names(paths) == ["s0/deep", "s1/deep", "s0/shallow"]
    assert ensemble.distinct_names(paths[1:]) == ["deep", "shallow"]


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Make a study's folder of two classifiers and a DAE, whose predictions are made up."""
    monkeypatch.setattr(host, "prepare_process", lambda: None)
    held = {"model": "vgg", "variant": None, "config_hash": "0" * 12, "seed": 0, "commit": None,
            "weights": "best", "weights_step": 4}
    listed = []
    for i, name in enumerate(("m0", "m1", "dae")):
        result = held | {"run": name, "evaluations": [{"confusion": [[1]] if i < 2 else None}]}
        (tmp_path / "s" / name).mkdir(parents=True)
        writers.write_json(tmp_path / "s" / name / "results.json", result)
        listed.append(result)
    writers.write_json(tmp_path / "s" / "results.json", listed)
    said = {split: models(split, n=80, seed=len(split)) for split in ("validation", "test")}
    monkeypatch.setattr(
        finished, "read_predictions",
        lambda workdir, *, split, **faces: said[split][int(workdir.name[1])],
    )
    return tmp_path / "s"


def test_the_command_combines_a_studys_classifiers(study, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    out = tmp_path / "out"
    assert ensemble.main([str(study), f"--out={out}"]) == 0
    said = capsys.readouterr().out
    assert "2 models on 80 test faces" in said and "best single model" in said
    assert max(map(len, said.splitlines()[:-1])) <= 80
    held = json.loads((out / "ensemble.json").read_text())
    assert [member["name"] for member in held["members"]] == ["m0", "m1"]
    assert held["split"] == "test" and held["command"] and held["device"]
    page = (out / "ensemble.html").read_text()
    assert all(rule in page.replace("&#x27;", "'") for rule in RULES)
    pictures = {path.name for path in (out / "figures").iterdir()}
    assert pictures == {"sizes.png", "disagreement.png", "confusion.png"}


@pytest.mark.parametrize(
    "arguments, code, message",
    [
        (["{s}/m0"], 1, "needs at least two classifiers, not 1"),
        (["{s}", "{s}/m1"], 2, "a run is given twice"),
        (["{s}/m0", "{s}/nowhere"], 1, "has no results.json; train the run first"),
        (["{s}", "--split=validation"], 2, "on these faces, so they measure nothing"),
        (["{s}", "--distortion=blur"], 2, "write it like blur:0.3"),
        ([], 2, "the following arguments are required: WORKDIR"),
    ],
)
def test_what_is_no_ensemble_is_answered(study, capsys, arguments, code, message):
    assert ensemble.main([argument.format(s=study) for argument in arguments]) == code
    assert message in capsys.readouterr().err
