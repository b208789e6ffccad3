"""Tables over seeds: mean, sd, t interval and paired differences, worked out by hand."""

import pytest

from experiments import seed_tables
from experiments.seeds import spec_of
from fer_jax.report.results import Run, Study
from fer_jax.report.seeds import over_seeds

GUESS = {"loss": 1.0, "confusion": [[5, 5], [5, 5]]}  # as many answers of each kind
ONE_ANSWER = [[0, 10], [0, 10]]


def run_of(name, seed, *, clean, noisy, confusion=None, protocol="keras80"):
    def entry(split, n, accuracy, strength=0.0):
        return GUESS | {
            "split": split, "views": "plain", "strength": strength, "n": n, "accuracy": accuracy,
            "distortion": "random_grey" if strength else "clean", "accuracy_low": accuracy - 0.01,
            "accuracy_high": accuracy + 0.01, "confusion": confusion or GUESS["confusion"],
        }

    result = {
        "run": name, "seed": seed, "dataset": "fer2013", "protocol": protocol,
        "config": {"distortion": {"name": "random_grey", "strength": 0.2}},
        "evaluations": [
            entry("test", 7178, clean), entry("test", 7178, noisy, 0.2),
            entry("private", 3589, clean - 0.01),
        ],
    }
    return Run(name, "vgg", name, result, [], None)


STUDY = Study("s", [
    *(run_of(f"vgg-{s}", s, clean=c, noisy=0.2) for s, c in enumerate((0.50, 0.52, 0.54))),
    # Out of order, and one seed more than the baseline has.
    *(
        run_of(f"A-{s}", s, clean=c, noisy=0.3)
        for s, c in ((2, 0.57), (0, 0.51), (1, 0.54), (3, 0.9))
    ),
    run_of("vgg_as_printed", 0, clean=0.10, noisy=0.1, confusion=ONE_ANSWER),
    run_of("A_as_printed", 0, clean=0.30, noisy=0.1),
], True)


def test_several_seeds_are_one_row_of_mean_sd_interval_and_paired_difference():
    table, private = seed_tables.by_split(STUDY, baseline="vgg")
    rows = {row[0]: [cell.replace(seed_tables.HARD, " ") for cell in row[1:]] for row in table.rows}
    assert list(rows) == ["vgg", "A", "vgg_as_printed", "A_as_printed"]
    # 50, 52 and 54: mean 52, sd 2, and t of 2 degrees at 97.5 % is 4.303: 52 +- 4.97.
    assert rows["vgg"][:4] == ["3", "52.0 ± 2.0", "47.0 to 57.0", "—"]
    # Of the seeds that both have the differences are 1, 2 and 3: mean 2, sd 1, 2 +- 2.48.
    assert rows["A"][3] == "+2.0 (−0.5 to +4.5)" and rows["A"][0] == "4"
    # One seed has its own interval, over the faces, and is held against the printed baseline.
    assert rows["A_as_printed"][:4] == ["1", "30.0", "29.0 to 31.0", "+20.0"]
    assert rows["vgg_as_printed"][0] == "1 (collapsed)"
    assert "7,178" in table.title and "3,589" in private.title


def test_the_overview_has_a_column_for_each_kind_of_face_and_names_the_one_protocol():
    table = seed_tables.overview(STUDY)
    columns = [column.replace(seed_tables.HARD, " ") for column in table.columns]
    assert columns == ["run", "seeds", "test: clean", "test: p = 0.2", "Private: clean"]
    assert table.notes[0].endswith("Protocol: keras80.")


def test_a_split_that_is_the_test_itself_is_not_shown_twice():
    runs = [run_of("vgg", 0, clean=0.5, noisy=0.2)]
    runs[0].result["evaluations"][2]["n"] = 7178
    assert len(seed_tables.by_split(Study("s", runs, True))) == 1


def test_a_single_seed_has_no_spread():
    assert over_seeds([0.5])[1:] == (None, None, None, 1)
    assert over_seeds([1.0, 3.0]).sd == pytest.approx(2**0.5)  # (1 + 1) / (2 - 1)


@pytest.mark.parametrize(
    ("run", "seed", "spec"), [("A-1", 1, "A"), ("A-1", 0, "A-1"), ("A", 0, "A")]
)
def test_a_run_is_of_the_line_that_it_is_named_for(run, seed, spec):
    assert spec_of(run, seed) == spec
