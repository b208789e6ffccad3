"""The README's tables of networks and pools: numbers from results, intervals by hand."""

from experiments.network_tables import networks_table, pooling_table, suite_table
from fer_jax.report.results import Run, Study


def run_of(name: str, *, pool: str = "max", seed: int = 0, private: float = 0.5) -> Run:
    def entry(split, n, accuracy):
        return {
            "split": split, "views": "plain", "distortion": "clean", "strength": 0.0, "n": n,
            "accuracy": accuracy, "accuracy_low": accuracy - 0.01, "accuracy_high": accuracy + 0.01,
            "confusion": [[1]],
        }

    result = {
        "run": name, "epochs": 4, "seed": seed, "parameters": {"trainable": 1234},
        "config": {"model": {"name": "resnet9", "width": 0.25, "pool": pool}},
        "evaluations": [entry("test", 3301, private - 0.02), entry("private", 3589, private)],
    }
    return Run(name, "resnet9", name, result, [], None)


def test_all_of_privatetest_stands_beside_the_faces_without_copies():
    (row,) = networks_table(Study("s", [run_of("resnet9", private=0.5)], True)).rows
    assert row[:3] == ("ResNet9 (Dick)", "1,234 (0.25)", "4")
    assert row[3].startswith("50.0 % (49.0") and row[4].startswith("48.0 % (47.0")


def test_pools_are_compared_by_seed():
    accuracies = {"max": (0.50, 0.52, 0.54), "projection": (0.51, 0.54, 0.57)}
    runs = [
        run_of(f"{pool}_{seed}", pool=pool, seed=seed, private=value)
        for pool, values in accuracies.items() for seed, value in enumerate(values)
    ]
    plain, lip, difference = pooling_table(Study("s", runs, True)).rows
    assert plain[1:3] == ("52.00 %", "2.00") and lip[1:3] == ("54.00 %", "3.00")
    # The differences are 1, 2 and 3 points: mean 2, sd 1, and t of 2 degrees at 97.5 % is 4.303,
    # so 2 +- 4.303 / sqrt(3) = 2 +- 2.48.
    assert difference[1:] == ("2.00 %", "1.00", "−0.5 to 4.5", "3")


def test_one_seed_has_no_interval():
    runs = [run_of("a", pool=pool, private=0.5) for pool in ("max", "projection")]
    assert [row[2:] for row in pooling_table(Study("s", runs, True)).rows] == [
        ("—", "—", "1")
    ] * 3


def test_a_suite_is_a_row_for_each_network_and_filter():
    def suite(filtered, errors):
        return {
            "filter": filtered, "n": 359, "of": 3589, "draws": 10, "clean": 0.5, "errors": errors,
            "mean_accuracy": 0.4, "mean_accuracy_untrained": 0.38,
            "groups": {"noise": {"mean_accuracy": 0.3}, "blur": {"mean_accuracy": 0.45}},
        }

    run = run_of("vgg-0")
    suites = [suite("", {"mce": 1.0, "relative_mce": None}), suite("median:3", None)]
    run = run._replace(result=run.result | {"suites": suites})
    table = suite_table([run, run_of("without")])
    assert table.columns[-2:] == ("noise", "blur")
    cells = ("50.0 %", "40.0 %", "38.0 %")
    assert table.rows == [
        ("plain VGG", *cells, "100.0 %", "—", "30.0 %", "45.0 %"),
        ("plain VGG, median filter 3x3 in front", *cells, "—", "—", "30.0 %", "45.0 %"),
    ]
    assert "359 of PrivateTest's 3,589 faces" in table.notes[0]
    assert suite_table([run_of("without")]) is None
