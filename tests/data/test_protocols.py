"""Protocols: who is in which split, on made-up and on the real faces."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_jax.data.faces import Faces, canonical_order, take
from fer_jax.data.protocols import sorted_by, split_indices
from fer_jax.errors import UserError


def canonical(faces):
    return take(faces, canonical_order(faces))


def test_official_follows_the_usage(made_faces):
    faces = canonical(made_faces)
    splits = split_indices(faces, "official")
    usages = dict(train="Training", validation="PublicTest", test="PrivateTest")
    usages |= dict(public="PublicTest", private="PrivateTest")
    assert set(splits) == set(usages)
    for split, usage in usages.items():
        np.testing.assert_array_equal(splits[split], np.flatnonzero(faces.usage == usage))


def test_keras80_takes_the_first_fifth_of_each_class_by_row(made_faces):
    faces = canonical(made_faces)
    splits = split_indices(faces, "keras80")
    validation = take(faces, splits["validation"])
    training = made_faces.usage == "Training"
    for emotion in range(7):
        rows = np.sort(made_faces.source_row[training & (made_faces.emotion == emotion)])
        found = np.sort(validation.source_row[validation.emotion == emotion])
        # 11 faces of each emotion: int(11 * 0.2) = 2.
        np.testing.assert_array_equal(found, rows[:2])
    assert len(splits["train"]) == 7 * 9
    assert len(splits["test"]) == 7 * (3 + 4)
    assert sorted_by(faces, "keras80") == "csv row"


def test_keras80_prefers_file_names(made_faces):
    n = len(made_faces.images)
    # Names in the opposite order of the rows: by name the LAST rows are the first.
    names = np.array([f"train/{n - row:07d}.png" for row in made_faces.source_row])
    faces = canonical(made_faces._replace(source_name=names))
    validation = take(faces, split_indices(faces, "keras80")["validation"])
    training = faces.usage == "Training"
    for emotion in range(7):
        rows = np.sort(faces.source_row[training & (faces.emotion == emotion)])
        found = np.sort(validation.source_row[validation.emotion == emotion])
        np.testing.assert_array_equal(found, rows[-2:])
    assert sorted_by(faces, "keras80") == "file name"
    assert sorted_by(faces, "official") is None


def test_ratio_is_stratified_seeded_and_spares_no_face(made_faces):
    faces = canonical(made_faces)
    splits = split_indices(faces, "ratio:50-25-25", seed=3)
    assert list(splits) == ["train", "validation", "test"]
    # 18 faces of each emotion: cuts at 18*50//100 = 9 and 18*75//100 = 13.
    for split, expected in zip(splits.values(), (9, 4, 5), strict=True):
        assert np.bincount(faces.emotion[split]).tolist() == [expected] * 7
    everyone = np.sort(np.concatenate(list(splits.values())))
    np.testing.assert_array_equal(everyone, np.arange(len(faces.images)))
    again = split_indices(faces, "ratio:50-25-25", seed=3)
    np.testing.assert_array_equal(splits["test"], again["test"])
    other = split_indices(faces, "ratio:50-25-25", seed=4)
    assert not np.array_equal(splits["test"], other["test"])


@given(
    emotions=st.lists(st.integers(0, 6), min_size=60, max_size=200),
    shares=st.tuples(st.integers(20, 60), st.integers(10, 20)),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_protocol_gives_increasing_disjoint_splits(emotions, shares, seed):
    n = len(emotions)
    usage = np.array(["Training", "Training", "Training", "PublicTest", "PrivateTest"])
    faces = Faces(
        images=np.zeros((n, 1, 1), np.uint8),
        emotion=np.array(emotions, np.uint8),
        usage=usage[np.arange(n) % 5],
        source_name=np.full(n, ""),
        source_row=np.arange(n),
    )
    rest = 100 - sum(shares)
    for protocol in ("official", f"ratio:{rest}-{shares[0]}-{shares[1]}"):
        try:
            splits = split_indices(faces, protocol, seed=seed)
        except UserError as error:  # few faces of many emotions can leave a split empty
            assert "leaves no face" in str(error)
            continue
        parts = [splits[name] for name in ("train", "validation", "test")]
        assert all((np.diff(part) > 0).all() for part in parts)
        np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(n))


@pytest.mark.parametrize(
    ("protocol", "message"),
    [
        ("offical", "no protocol 'offical'.*Did you mean 'official'.*keras80.*ratio:80-10-10"),
        ("official:2", "no protocol 'official:2'"),
        ("ratio", "add up to 100"),
        ("ratio:80-10", "add up to 100"),
        ("ratio:80-10-11", "add up to 100"),
        ("ratio:90-10-0", "above 0"),
        ("ratio:80.5-10-9.5", "add up to 100"),
    ],
)
def test_wrong_protocols_are_refused(made_faces, protocol, message):
    with pytest.raises(UserError, match=message):
        split_indices(made_faces, protocol)


def test_official_is_refused_where_the_halves_are_unknown(made_faces):
    usage = np.where(made_faces.usage == "Training", "Training", "Test")
    faces = canonical(made_faces._replace(usage=usage))
    with pytest.raises(UserError, match="PublicTest_ or PrivateTest_"):
        split_indices(faces, "official")
    splits = split_indices(faces, "keras80")
    assert set(splits) == {"train", "validation", "test"}
    assert len(splits["test"]) == 7 * (3 + 4)


def test_a_split_without_a_face_is_an_error(made_faces):
    faces = take(made_faces, made_faces.usage != "PublicTest")
    with pytest.raises(UserError, match="no face for 'validation'.*28 PrivateTest, 77 Training"):
        split_indices(faces, "official")
