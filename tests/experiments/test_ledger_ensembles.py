"""Ensembles in the ledger: which one counts, what is read of it, and what scale it has."""

import json

import pytest

from experiments import ledger_ensembles, ledger_join
from experiments.ledger import NUMBERS
from fer_jax.configuring import REPOSITORY
from tests.experiments.test_ledger import made

BY_ID = {n["id"]: n for n in json.loads((REPOSITORY / NUMBERS).read_text())}


def combine(root, folder, *, split="private", accuracies=(0.5, 0.6), mean=0.65, **changes):
    """Write an ensemble.json of two members; the second one is the best on validation faces."""
    def entry(accuracy, **more):
        about = {"accuracy_low": accuracy - 0.02, "accuracy_high": accuracy + 0.02}
        return {"accuracy": accuracy, **about, **more}

    rules = ("accuracy-weighted", "class-accuracy-weighted", "accuracy to the power q")
    held = {
        "dataset": "fer2013", "protocol": "official-clean", "split": split, "distortion": "clean",
        "seed": 0, "n": 3589, "command": f"combine {folder}", "best_single": len(accuracies) - 1,
        "members": [{"name": f"m{i}"} for i in range(len(accuracies))],
        "singles": [entry(accuracy) for accuracy in accuracies],
        "rules": [
            entry(mean, rule="simple mean", difference={"value": .05, "low": .03, "high": .07}),
            *(entry(mean - step, rule=rule) for rule, step in zip(rules, (.01, .02, 0))),
        ],
        "sizes": [{"size": 1, "best_first": 0.6}, {"size": 2, "best_first": mean}],
        **changes,
    }
    (root / folder).mkdir(parents=True)
    (root / folder / "ensemble.json").write_text(json.dumps(held))


def entry_of(root, ident):
    found = ledger_join.read_results(root)
    ensembles = ledger_ensembles.read_ensembles(root)
    (entry,) = ledger_join.join([BY_ID[ident]], found, {}, ensembles)
    return entry


@pytest.mark.parametrize(
    "ident, value",
    [
        ("singles.lowest", 0.5), ("singles.highest", 0.6), ("singles.best", 0.6),
        ("singles.above_55", 1), ("ensemble.mean.accuracy", 0.65), ("ensemble.gain", 0.05),
        ("ensemble.accuracy_weighted.accuracy", 0.64), ("ensemble.best_size", 2),
        # The simple mean less the worst of the three: .65 - .63.
        ("ensemble.weighted.behind_mean", 0.02),
    ],
)
def test_each_number_of_the_ensembles_is_read_from_its_file(tmp_path, ident, value):
    combine(tmp_path, "study/ensemble-private")
    combine(tmp_path, "study/ensemble", split="test", mean=0.7)
    entry = entry_of(tmp_path, f"bokanyi.{ident}")
    assert entry["same"]["value"] == entry["plain"]["value"] == pytest.approx(value)
    assert entry["plain"]["runs"] == ["study/ensemble-private"]
    # On faces without copies it is the other file's, whose mean has .05 more.
    assert entry["clean"]["runs"] == ["study/ensemble"] and entry["strict"] is None
    assert (entry["clean"]["n"], entry["clean"]["commands"]) == (3589, ["combine study/ensemble"])


def test_the_scale_is_that_of_its_members_each_kind_once(tmp_path):
    for i, (model, width) in enumerate((("alizadeh_deep", 0.25), ("alizadeh_shallow", 0.25))):
        made(tmp_path, f"study/m{i}", model, epochs=80, network={"width": width})
    # 8 + 5 * 16 + 24 = 112 filters of 160.
    widths = [8, 16, 16, 16, 16, 16, 24]
    made(tmp_path, "study/m2", "agrawal_fcn", epochs=3, network={"widths": widths})
    combine(tmp_path, "study/ensemble-private", accuracies=(0.5, 0.6, 0.6))
    entry = entry_of(tmp_path, "bokanyi.ensemble.mean.accuracy")
    assert (entry["status"], entry["scale"]) == ("reduced", "width 0.25; width 0.7, 3 of 80 epochs")
    assert entry["verdict"] == "not reached (reduced)"  # .63 to .67 is below 68


@pytest.mark.parametrize("changes", [{"dataset": "synthetic"}, {"distortion": "blur"}])
def test_only_clean_real_faces_stand_beside_a_paper(tmp_path, changes):
    combine(tmp_path, "study/ensemble-private", **changes)
    assert entry_of(tmp_path, "bokanyi.ensemble.mean.accuracy")["status"] == "not run"


def test_of_several_the_one_with_most_members_stands(tmp_path):
    combine(tmp_path, "a/ensemble", accuracies=(0.9, 0.9), mean=0.9)
    combine(tmp_path, "b/ensemble", accuracies=(0.5, 0.5, 0.5))
    entry = entry_of(tmp_path, "bokanyi.ensemble.mean.accuracy")
    assert entry["plain"]["runs"] == ["b/ensemble"]
