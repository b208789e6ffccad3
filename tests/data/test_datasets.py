"""The table of datasets: names, counts, and the options each has."""

from pathlib import Path

import numpy as np
import pytest

from fer_jax.data.datasets import (
    DATASETS, count_faces, count_warnings, find_dataset, read_dataset,
)
from fer_jax.data.faces import EMOTIONS, Faces
from fer_jax.errors import UsageError


def faces_of(**counts):
    """Give faces with `counts[usage]` of each emotion."""
    usage = np.repeat(list(counts), [sum(each) for each in counts.values()])
    emotion = np.concatenate([np.repeat(np.arange(7), each) for each in counts.values()])
    n = len(usage)
    images = np.zeros((n, 2, 2), np.uint8)
    return Faces(images, emotion.astype(np.uint8), usage, np.full(n, ""), np.full(n, -1))


def test_official_counts_add_up():
    totals = {
        name: {usage: np.sum(counts) for usage, counts in dataset.official.items()}
        for name, dataset in DATASETS.items()
    }
    assert totals == {
        "fer2013": {"Training": 28709, "PublicTest": 3589, "PrivateTest": 3589},
        "raf_db": {"Training": 12271, "Test": 3068},
        "sfew": {"Training": 958, "Validation": 436, "Test": 372},
    }


def test_raf_db_counts_are_in_our_order():
    test = dict(zip(EMOTIONS, DATASETS["raf_db"].official["Test"], strict=True))
    # The dataset's own order: 1 surprise 2 fear 3 disgust 4 happiness 5 sadness 6 anger 7 neutral.
    own = dict(surprise=329, fear=74, disgust=160, happy=1185, sad=478, angry=162, neutral=680)
    assert test == own


def test_official_counts_get_no_warning():
    dataset = DATASETS["raf_db"]
    assert count_warnings(dataset, faces_of(**dataset.official)) == []


def test_a_missing_face_is_told_with_both_numbers():
    dataset = DATASETS["raf_db"]
    counts = {**dataset.official, "Test": (162, 160, 74, 1184, 478, 329, 680)}
    assert count_warnings(dataset, faces_of(**counts)) == [
        "Test holds 3,067 faces, official 3,068 (happy 1,184, official 1,185)"
    ]


def test_totals_are_compared_where_only_they_are_published():
    faces = faces_of(Training=(137, 137, 137, 137, 137, 137, 136), Validation=(62,) * 7)
    # 6 * 137 + 136 = 958, as published; 7 * 62 = 434.
    assert count_warnings(DATASETS["sfew"], faces) == [
        "Validation holds 434 faces, official 436",
        "Test holds 0 faces, official 372",
    ]


def test_an_emotion_that_is_not_trained_on_is_told_with_both_numbers():
    faces = faces_of(Training=(3, 0, 3, 3, 3, 3, 3), Test=(1, 4, 1, 1, 1, 1, 1))
    assert count_warnings(find_dataset("own"), faces) == [
        "Training holds 0 faces of disgust, the whole dataset 4: it cannot be learnt"
    ]
    # Where counts are published, the missing emotion is among them and is not told twice.
    training, _ = count_warnings(DATASETS["raf_db"], faces)
    assert "disgust 0, official 717" in training


def test_test_faces_of_unknown_halves_are_compared_with_their_sum():
    faces = faces_of(Training=(11,) * 7, Test=(7,) * 7)
    training, test = count_warnings(DATASETS["fer2013"], faces)
    assert "Test holds 49 faces, official 7,178" in test
    assert "happy 7, official 1,774" in test  # 895 in PublicTest, 879 in PrivateTest
    assert "happy 11, official 7,215" in training


def test_usages_are_counted_in_the_order_of_tables():
    faces = faces_of(Test=(1,) * 7, Validation=(2,) * 7, Training=(3,) * 7)
    assert list(count_faces(faces)) == ["Training", "Validation", "Test"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("fer2031", "no dataset 'fer2031'.*Did you mean 'fer2013'"),
        ("rafdb", "Did you mean 'raf_db'"),
        ("RAF_DB", "small letters"),
        ("../faces", "small letters"),
        ("synthetic", "not 'synthetic'"),
        ("2faces", "small letters"),
    ],
)
def test_names_that_may_be_slips_are_refused(name, message):
    with pytest.raises(UsageError, match=message):
        find_dataset(name)


@pytest.mark.parametrize("name", ["affectnet", "own_faces", "ck", "my_fer2013_faces"])
def test_other_names_are_trees_of_ones_own(name):
    assert find_dataset(name).title == name
    assert find_dataset(name).official == {}


def test_options_that_a_dataset_does_not_have_are_wrong_usage():
    with pytest.raises(UsageError, match="faces are 48x48"):
        read_dataset(DATASETS["fer2013"], Path("nowhere"), size=(64, 64))
    with pytest.raises(UsageError, match="RAF-DB has none"):
        read_dataset(DATASETS["raf_db"], Path("nowhere"), skip_bad_rows=True)
