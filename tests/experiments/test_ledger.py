"""The ledger: every number of the papers, ours recomputed from the results, verdicts by rule."""

import copy
import json
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

from experiments import arithmetic, ledger, ledger_join, ledger_pages
from experiments.ledger_rows import HONEST, PAPERS, ROWS
from fer_jax import summary
from fer_jax.configuring import REPOSITORY
from fer_jax.results import count_parameters
from tests.report import fakes

NUMBERS = json.loads((REPOSITORY / ledger.NUMBERS).read_text())
BY_ID = {number["id"]: number for number in NUMBERS}
REQUIRED = {"id", "paper", "place", "quantity", "unit", "value", "decimals", "kind"}
OPTIONAL = {"source", "approximate", "bound"}


@pytest.fixture(scope="module")
def built():
    return ledger.build()


def test_each_paper_number_has_what_the_ledger_reads():
    for number in NUMBERS:
        assert number.keys() >= REQUIRED and number.keys() <= REQUIRED | OPTIONAL
        assert number["id"].startswith(f"{number['paper']}.") and number["paper"] in PAPERS
        assert isinstance(number["value"], (int, float)) and number["place"]
        assert number["unit"] in (
            "%", "share", "points", "nats", "images", "parameters", "epochs", "models", "MB"
        )
        assert ("source" in number) == (number["kind"] == "cited")
        # Printed with so many decimals, hence nothing is lost by them.
        assert round(number["value"], number["decimals"]) == number["value"]
    assert len(BY_ID) == len(NUMBERS)


def test_so_many_numbers_are_in_each_paper():
    assert Counter((number["paper"], number["kind"]) for number in NUMBERS) == {
        ("li2023", "own"): 30, ("bokanyi", "own"): 19, ("bokanyi", "cited"): 2,
        ("dong2021", "own"): 12, ("dong2021", "cited"): 6, ("dick2024", "own"): 30,
        ("gao", "own"): 2, ("gao", "cited"): 6,
    }


@pytest.mark.parametrize(
    "held", [ROWS, arithmetic.CANNOT_BE_RIGHT, arithmetic.COUNTED], ids=["rows", "wrong", "counted"]
)
def test_what_is_said_is_said_of_numbers_that_there_are(held):
    assert set(held) <= set(BY_ID)
    for start in arithmetic.SHARES_OF:
        assert any(ident.startswith(start) for ident in BY_ID), start


@pytest.mark.parametrize("name", ["LEDGER.md", "ledger.html", "ledger.json"])
def test_the_committed_ledger_is_up_to_date(built, name):
    path = REPOSITORY / name
    assert path.exists() and path.read_text() == built[name], (
        f"{name} is not what results/ and experiments/paper_numbers.json say; renew it: make ledger"
    )


def test_twice_gives_the_same_bytes(built):
    assert ledger.build() == built


def recomputed(cell, entry) -> float:
    """Work out a cell of one run anew, from the confusion where there is one."""
    row = ROWS[entry["id"]]
    folder = REPOSITORY / ledger.RESULTS / cell["runs"][0]
    if row.value.startswith("ensemble."):
        return of_ensemble(json.loads((folder / "ensemble.json").read_text()), row.value)
    held = json.loads((folder / "results.json").read_text())
    which, _, name = row.value.partition(".")
    if which in ("last", "most"):
        lines = [json.loads(text) for text in (folder / "metrics.jsonl").read_text().splitlines()]
        values = [line[name] for line in sorted(lines, key=lambda line: line["epoch"])]
        return values[-1] if which == "last" else max(values)
    if row.value == "epochs":
        return held["epochs"]
    distortion = held["config"]["distortion"]
    wanted = (distortion["name"], distortion["strength"]) if row.distorted else ("clean", 0.0)
    (found,) = (
        e for e in held["evaluations"]
        if (e["split"], e["distortion"], e["strength"], e["views"])
        == (cell["split"], *wanted, "plain") and not e.get("weights")
    )
    if row.value == "loss":
        return found["loss"]
    counts = np.array(found["confusion"])
    if which == "per_class":
        label = int(row.value.rpartition(".")[2])
        return counts[label, label] / counts[label].sum()
    if row.value == "macro_f1":
        truth, said = (np.repeat(i.ravel(), counts.ravel()) for i in np.indices(counts.shape))
        return f1_score(truth, said, average="macro", zero_division=0)
    assert row.value == "accuracy"
    return np.trace(counts) / counts.sum()


def of_ensemble(held, value) -> float:
    """Work out what is said of an ensemble from its confusions alone."""
    def right(entry):
        return np.trace(entry["confusion"]) / np.sum(entry["confusion"])

    singles = [right(entry) for entry in held["singles"]]
    rules = {entry["rule"]: right(entry) for entry in held["rules"]}
    mean, best = rules["simple mean"], singles[held["best_single"]]
    weighted = ("accuracy-weighted", "class-accuracy-weighted", "accuracy to the power q")
    curve = [entry["best_first"] for entry in held["sizes"]]
    return {
        "ensemble.lowest": min(singles), "ensemble.highest": max(singles), "ensemble.best": best,
        "ensemble.above_55": sum(single > 0.55 for single in singles),
        "ensemble.gain": mean - best,
        "ensemble.behind": mean - min(rules[name] for name in weighted),
        "ensemble.best_size": 1 + int(np.argmax(curve)),
        **{f"ensemble.rule.{name}": accuracy for name, accuracy in rules.items()},
    }[value]


def test_each_of_our_cells_is_what_the_results_files_give(built):
    """Also: a cell stands only where a file of results/ (or arithmetic) gives it."""
    parameters = json.loads((REPOSITORY / "results/parameters.json").read_text())
    seen = 0
    for entry in json.loads(built["ledger.json"])["numbers"]:
        for kind in ("same", *HONEST):
            cell = entry[kind]
            if cell is None:
                continue
            seen += 1
            row = ROWS.get(entry["id"])
            if entry["status"] == "counted":
                again = (
                    arithmetic.COUNTED[entry["id"]]() if entry["id"] in arithmetic.COUNTED
                    else parameters[row.network][row.value.removeprefix("counts.")]
                )
                assert cell["value"] == again
            elif len(cell["runs"]) == 1:
                assert cell["value"] == pytest.approx(recomputed(cell, entry), abs=1e-12)
            else:
                each = [recomputed(cell | {"runs": [run]}, entry) for run in cell["runs"]]
                if row.minus is not None:
                    each = np.subtract(each[::2], each[1::2])
                assert cell["value"] == pytest.approx(np.mean(each), abs=1e-12)
    assert seen >= 38


def test_the_counted_parameters_are_the_networks_own():
    # The sums of layers are in tests/models; here only that the file was not typed in.
    path = REPOSITORY / "results/parameters.json"
    assert json.loads(path.read_text())["configs/vgg.py"]["trainable"] == 33_644_103
    config = ledger.load_config("configs/agrawal_fcn.py")
    state = summary.abstract_state(config)
    counts = count_parameters(state, rules=config.optim.rules)
    held = json.loads(path.read_text())["configs/agrawal_fcn.py"]
    assert counts.items() <= held.items()


def made(root: Path, folder: str, model: str, *, seed=0, right=0.5, splits=("test",), **changes):
    """Write results of the real schema: `right` of each class's 40 faces, for each split."""
    confusion = np.array(fakes.confusion(right))
    hits, n = int(np.trace(confusion)), int(confusion.sum())
    recall = (np.diag(confusion) / confusion.sum(1)).tolist()
    model_fields = {"name": model, "width": 1.0, **changes.pop("network", {})}
    held = {
        "schema": 1, "run": folder, "model": model, "variant": None, "dataset": "fer2013",
        "protocol": "official-clean", "seed": seed, "command": f"train {folder}", "epochs": 50,
        "alarms": [],
        "config": {
            "seed": seed, "epochs": 50, "model": model_fields, "data": {"sizes": [0, 0, 0]},
            "distortion": {"name": "random_grey", "strength": 0.2}, "train_distortion": 0.0,
        },
        "evaluations": [
            {"split": split, "views": "plain", "distortion": "clean", "strength": 0.0, "n": n,
             "loss": 1.5, "accuracy": hits / n, "macro_f1": 0.5, "per_class": {"recall": recall},
             "confusion": confusion.tolist()}
            for split in splits
        ],
    }
    for name, value in changes.items():
        part = held["config"] if name in ("epochs", "data") else held
        part[name] = value
    (root / folder).mkdir(parents=True)
    (root / folder / "results.json").write_text(json.dumps(held))
    return hits / n


def entry_of(root: Path, ident: str) -> dict:
    (entry,) = ledger_join.join([BY_ID[ident]], ledger_join.read_results(root), {})
    return entry


def test_seeds_of_one_config_become_mean_sd_and_a_t_interval(tmp_path):
    values = [
        made(tmp_path, f"s{seed}", "resnet9", seed=seed, right=right, splits=("private", "test"))
        for seed, right in enumerate((0.4, 0.5, 0.6))
    ]
    entry = entry_of(tmp_path, "dick2024.resnet.recall.happy")
    assert entry["plain"]["seeds"] == [0, 1, 2]
    entry = entry_of(tmp_path, "dick2024.vgg16.accuracy")
    assert entry["status"] == "not run" and entry["verdict"] == ""  # another network's
    entry = entry_of(tmp_path, "dick2024.resnet.loss")
    assert (entry["same"], entry["strict"], entry["status"]) == (None, None, "run")
    cell = entry_of(tmp_path, "dick2024.resnet.accuracy")["plain"]
    mean, sd = np.mean(values), np.std(values, ddof=1)
    # Student's t for two degrees of freedom: 4.3027.
    half = 4.30265 * sd / math.sqrt(3)
    assert (cell["value"], cell["sd"]) == pytest.approx((mean, sd))
    assert (cell["low"], cell["high"]) == pytest.approx((mean - half, mean + half), rel=1e-4)
    assert (cell["interval"], cell["protocol"], cell["split"]) == ("t", "official-clean", "private")


def test_the_widest_and_longest_runs_stand_whatever_they_score(tmp_path):
    made(tmp_path, "narrow", "se_separable", right=0.9, network={"width": 0.5})
    made(tmp_path, "short", "se_separable", right=0.8, epochs=7)
    made(tmp_path, "part", "se_separable", right=0.8, epochs=90, data={"sizes": [100, 0, 0]})
    made(tmp_path, "drawn", "se_separable", right=0.8, epochs=90, dataset="synthetic")
    full = made(tmp_path, "full", "se_separable", right=0.3)
    entry = entry_of(tmp_path, "gao.se.accuracy")
    assert entry["clean"]["runs"] == ["full"] and entry["clean"]["value"] == full
    assert entry["clean"]["interval"] == "Wilson"
    # Only the clean faces were tested, and a verdict needs the paper's protocol or all faces.
    assert (entry["status"], entry["scale"], entry["verdict"]) == ("run", "", "")


def test_pools_are_compared_seed_by_seed_and_across_datasets_get_no_verdict(tmp_path):
    gains = []
    for seed, (low, high) in enumerate(((0.4, 0.5), (0.5, 0.5), (0.4, 0.6))):
        pair = [
            made(tmp_path, f"{pool}_{seed}", "vgg16", seed=seed, right=right, epochs=6,
                 network={"pool": pool, "attention": "none"}, splits=("private", "test"))
            for pool, right in (("max", low), ("projection", high))
        ]
        gains.append(pair[1] - pair[0])
    entry = entry_of(tmp_path, "dong2021.raf_db.lip.gain")
    assert entry["plain"]["value"] == pytest.approx(np.mean(gains))
    assert entry["plain"]["sd"] == pytest.approx(np.std(gains, ddof=1))
    assert entry["plain"]["seeds"] == [0, 1, 2] and len(entry["plain"]["runs"]) == 6
    assert (entry["status"], entry["scale"]) == ("reduced", "6 of 60 epochs")
    assert entry["verdict"] == "" and "FER2013 instead" in entry["note"]


@pytest.mark.parametrize(
    "right, epochs, verdict",
    [
        # The paper: around 60 %, that is 59 to 61; Wilson's interval of 280 faces is +-6 points.
        (0.6, 100, "reproduced"), (0.6, 8, "reproduced (reduced)"), (0.9, 100, "better"),
        (0.3, 100, "not reproduced"), (0.3, 8, "not reached (reduced)"),
    ],
)
def test_the_verdict_follows_its_rule(tmp_path, right, epochs, verdict):
    made(tmp_path, "x", "alizadeh_shallow", right=right, epochs=epochs, protocol="official")
    entry = entry_of(tmp_path, "bokanyi.shallow.accuracy")
    assert (entry["verdict"], entry["judged_by"]) == (verdict, "same")


def test_a_printed_number_stands_for_what_rounds_to_it():
    assert ledger_join.printed_range(BY_ID["li2023.vgg.clean.accuracy"]) == pytest.approx(
        (0.58775, 0.58785)
    )
    assert ledger_join.printed_range(BY_ID["bokanyi.deep.accuracy"]) == pytest.approx((0.65, 0.67))
    low, high = ledger_join.printed_range(BY_ID["bokanyi.ensemble.gain"])
    assert (low, high) == (pytest.approx(0.0245), math.inf)


def test_a_number_without_a_result_of_ours_gets_no_verdict():
    for entry in ledger_join.join(NUMBERS, [], {}):
        wrong = entry["id"] in arithmetic.CANNOT_BE_RIGHT
        counted = entry["status"] == "counted"
        assert (entry["verdict"] == "cannot be right") == wrong
        assert wrong or counted or entry["verdict"] == ""


def test_a_results_file_that_cannot_be_right_rings_in_the_ledger(tmp_path):
    made(tmp_path, "fine", "resnet9", dataset="own")
    made(tmp_path, "small", "resnet9")  # 280 faces are not PrivateTest's
    held = json.loads((tmp_path / "fine/results.json").read_text())
    wrong = copy.deepcopy(held)
    wrong["evaluations"][0]["accuracy"] += 0.05
    (tmp_path / "edited").mkdir()
    (tmp_path / "edited/results.json").write_text(json.dumps(wrong))
    found = dict(ledger_join.alarms(ledger_join.read_results(tmp_path)))
    assert found.keys() == {"edited", "small"}
    assert "is not the support-weighted recall" in found["edited"][0]
    assert "and the split has 454/39/481/851/577/298/601 faces" in found["small"][0]
    text = ledger_pages.markdown(ledger_join.join(NUMBERS, [], {}), list(found.items()))
    assert "- `edited`: accuracy: " in text
