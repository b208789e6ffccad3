"""Errors under corruptions, by hand."""

import pytest

from fer_jax.corruption_error import corruption_errors, mean_accuracies, mean_of


def test_two_corruptions_at_two_severities_by_hand():
    errors = corruption_errors(
        0.8, {"noise": [0.7, 0.4], "blur": [0.8, 0.6]},
        reference_clean=0.9, reference_cells={"noise": [0.5, 0.3], "blur": [0.9, 0.7]},
    )
    # noise: (.3 + .6) / (.5 + .7) = .75; blur: (.2 + .4) / (.1 + .3) = 1.5; mean 1.125.
    assert errors["ce"] == pytest.approx({"noise": 0.75, "blur": 1.5})
    assert errors["mce"] == pytest.approx(1.125)
    # Less the clean errors, .2 and .1: noise (.1 + .4) / (.4 + .6) = .5; blur (0 + .2) / (0 + .2).
    assert errors["relative_ce"] == pytest.approx({"noise": 0.5, "blur": 1.0})
    assert errors["relative_mce"] == pytest.approx(0.75)
    assert errors["undefined"] == errors["relative_undefined"] == []


def test_the_reference_against_itself_is_exactly_one():
    cells = {"noise": [0.7, 0.1], "blur": [0.61, 0.33]}
    errors = corruption_errors(0.9, cells, reference_clean=0.9, reference_cells=cells)
    assert errors["mce"] == errors["relative_mce"] == 1.0


def test_a_reference_that_loses_nothing_leaves_the_ratio_undefined():
    cells, lossless = {"a": [0.5], "b": [0.6]}, {"a": [0.9], "b": [0.8]}
    errors = corruption_errors(0.7, cells, reference_clean=0.9, reference_cells=lossless)
    assert errors["relative_ce"] == pytest.approx({"a": None, "b": 1.0})  # (.7-.6) / (.9-.8)
    assert errors["relative_undefined"] == ["a"]
    assert errors["relative_mce"] == pytest.approx(1.0)
    right = {"a": [1.0], "b": [1.0]}
    perfect = corruption_errors(1.0, cells, reference_clean=1.0, reference_cells=right)
    assert (perfect["mce"], perfect["undefined"]) == (None, ["a", "b"])


def test_means():
    assert mean_accuracies({"a": [0.2, 0.4]}) == pytest.approx({"a": 0.3})
    assert mean_of({"a": 1.0, "b": None, "c": 3.0}, "abc") == 2.0
    assert mean_of({"a": 1.0}, []) is None
