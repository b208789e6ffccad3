"""Checks of one value: what each takes, and what it says of the rest."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ml_collections import ConfigDict

from fer_jax.constraints import (
    each, flag, like, mapping, number, one_of, pattern, record, text, whole,
)

quick = settings(deadline=None, max_examples=50)


@quick
@given(st.one_of(st.floats(), st.integers()), st.booleans(), st.booleans())
def test_a_number_fits_where_its_range_says(value, above, below):
    fits = (0 < value if above else 0 <= value) and (value < 1 if below else value <= 1)
    complaint = number(0, 1, above=above, below=below)(value)
    assert (complaint == "") == fits
    assert fits or complaint.startswith(f" is {value!r}; expected a finite number, ")


@quick
@given(st.one_of(st.none(), st.booleans(), st.text(), st.binary(), st.tuples(st.floats())))
def test_what_is_no_number_fits_no_range(value):
    assert number(-math.inf)(value) and whole(-10)(value)


@quick
@given(st.lists(st.integers(-3, 3), max_size=4))
def test_a_tuple_fits_by_length_members_and_order(values):
    check = each(whole(0), lengths=(0, 2), rising=True)
    fits = len(values) in (0, 2) and min(values, default=0) >= 0 and values == sorted(values)
    assert (check(tuple(values)) == "") == (check(values) == "") == fits


@pytest.mark.parametrize(
    "check, fits, wrong, complaint",
    [
        (whole(1, 9), 9, 10, " is 10; expected a whole number, at least 1 and at most 9"),
        (whole(1), 1, 1.0, " is 1.0; expected a whole number, at least 1"),
        (one_of(["dae", "vgg"]), "vgg", "vg", " is 'vg'. Did you mean 'vgg'? Known: dae, vgg."),
        (one_of(["dae"]), "dae", [], " is []. Known: dae."),
        (each(flag, least=1), (True,), (), " is (), a tuple of 0; expected at least 1"),
        (each(flag), (), (True, 2), "[1] is 2; expected True or False"),
        (each(flag), (), "ab", " is 'ab'; expected a tuple"),
        (record(text, flag), ("a", True), ("a", 1), "[1] is 1; expected True or False"),
        (record(text, flag), ("a", True), ("a",), " is ('a',), a tuple of 1; expected 2"),
        (mapping(flag), ConfigDict({"a": True}), ConfigDict({"a": 1}), ".a is 1; expected True"),
        (mapping(flag), ConfigDict(), {}, " is {}; expected a table"),
        (like((4, 8)), (1,), (1, -1), "[1] is -1; expected a whole number, at least 0"),
        (like(((4, 8, True),)), ((1, 2, False),), ((1, 2),), "[0] is (1, 2), a tuple of 2; exp"),
        (like(0.1), 0, -1.0, " is -1.0; expected a finite number, at least 0"),
        (like("max"), "mean", 1, " is 1; expected a text"),
        (pattern, "^dae/", "(", " is '(', which is no regular expression: missing )"),
        (text, "", None, " is None; expected a text"),
    ],
)
def test_each_kind_takes_what_fits_and_says_what_it_expected(check, fits, wrong, complaint):
    assert check(fits) == ""
    assert check(wrong).startswith(complaint)
