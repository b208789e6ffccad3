"""Protocols: who is in which split, on made-up and on the real faces."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_jax.data.faces import EMOTIONS, Faces, canonical_order, take
from fer_jax.data.masks import Mask
from fer_jax.data.protocols import sorted_by, split_indices
from fer_jax.errors import UserError


def canonical(faces):
    return take(faces, canonical_order(faces))


def test_official_follows_the_usage(made_faces):
    faces = canonical(made_faces)
    splits = split_indices(faces, "official")
    usages = dict(train="Training", validation="PublicTest", test="PrivateTest")
    usages |= dict(public="PublicTest", private="PrivateTest")
    assert set(splits) == {*usages, "private_clean", "private_strict"}
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


def plain_faces(emotions, pixels):
    """Make faces of single pixels; of five in a row three are Training, one is in each test."""
    n = len(emotions)
    usage = np.array(["Training", "Training", "Training", "PublicTest", "PrivateTest"])
    return Faces(
        images=np.resize(np.array(pixels, np.uint8), (n, 1, 1)),
        emotion=np.array(emotions, np.uint8),
        usage=usage[np.arange(n) % 5],
        source_name=np.full(n, ""),
        source_row=np.arange(n),
    )


any_faces = st.builds(
    plain_faces,
    emotions=st.lists(st.integers(0, 6), min_size=60, max_size=200),
    pixels=st.lists(st.integers(0, 255), min_size=1, max_size=200),
)
any_shares = st.tuples(st.integers(20, 60), st.integers(10, 20)).map(
    lambda shares: f"ratio:{100 - sum(shares)}-{shares[0]}-{shares[1]}"
)
any_seed = st.integers(0, 2**32 - 1)


def split_or_none(faces, protocol, seed=0):
    try:
        return split_indices(faces, protocol, seed=seed)
    except UserError as error:  # few faces, or copies alone, can leave a split empty
        assert "leaves no face" in str(error)
        return None


@settings(max_examples=50, deadline=None)
@given(faces=any_faces, ratio=any_shares, seed=any_seed)
def test_every_protocol_gives_increasing_disjoint_splits(faces, ratio, seed):
    everyone = np.arange(len(faces.images))
    for protocol in ("official", "official-clean", "official-strict", "keras80", ratio):
        splits = split_or_none(faces, protocol, seed)
        if splits is None:
            continue
        parts = [splits[name] for name in ("train", "validation", "test")]
        assert all((np.diff(part) > 0).all() for part in parts)
        together = np.sort(np.concatenate(parts))
        assert (np.diff(together) > 0).all()
        if protocol not in ("official-clean", "official-strict"):
            np.testing.assert_array_equal(together, everyone)


@settings(max_examples=50, deadline=None)
@given(faces=any_faces, ratio=any_shares, seed=any_seed)
def test_splits_depend_on_seed_and_faces_not_on_their_order(faces, ratio, seed):
    other = take(faces, np.random.default_rng(seed).permutation(len(faces.images)))
    for protocol in ("official-strict", "keras80", ratio):
        splits, again = (split_or_none(canonical(some), protocol, seed) for some in (faces, other))
        assert (splits is None) == (again is None)
        for name in splits or ():
            np.testing.assert_array_equal(splits[name], again[name])


@settings(deadline=None)
@given(
    sizes=st.lists(st.integers(10, 40), min_size=7, max_size=7), ratio=any_shares, seed=any_seed
)
def test_ratio_puts_every_emotion_into_every_split(sizes, ratio, seed):
    # The least share is 10 % and the smallest class has 10 faces.
    faces = plain_faces(np.repeat(np.arange(7), sizes), [0])
    for index in split_indices(faces, ratio, seed=seed).values():
        assert set(faces.emotion[index]) == set(range(7))


@settings(max_examples=50, deadline=None)
@given(faces=any_faces)
def test_without_copies_no_test_face_stands_elsewhere(faces):
    pixels = faces.images.ravel()
    whole = split_or_none(faces, "official")
    for protocol, seen in (
        ("official-clean", ("train",)), ("official-strict", ("train", "validation"))
    ):
        splits = split_or_none(faces, protocol)
        known = set(np.concatenate([pixels[whole[name]] for name in seen]))
        expected = [i for i in whole["test"] if pixels[i] not in known]
        assert (splits["test"].tolist() if splits else []) == expected
        for name in ("train", "validation", "public", "private") if splits else ():
            np.testing.assert_array_equal(splits[name], whole[name])
        if splits:
            left = "private_clean" if protocol == "official-clean" else "private_strict"
            np.testing.assert_array_equal(whole[left], expected)


def test_a_mask_is_taken_at_its_word(made_faces):
    faces = canonical(made_faces)
    private = np.flatnonzero(faces.usage == "PrivateTest")
    stands_in = np.zeros((len(faces.images), 1), bool)
    stands_in[private[:10]] = True
    mask = Mask(np.array(["Training"]), stands_in)
    splits = split_indices(faces, "official-clean", mask=mask)
    np.testing.assert_array_equal(splits["test"], private[10:])


HELD_OUT = dict(angry=960, disgust=111, fear=1018, happy=1825, neutral=1216, sad=1139, surprise=797)


def faces_for_dick(spare=3):
    counts = [HELD_OUT[name] + spare for name in EMOTIONS]
    return plain_faces(np.repeat(np.arange(7), counts), [0])


def test_dick_holds_out_the_papers_counts_and_halves_them():
    faces = faces_for_dick()
    splits = split_indices(faces, "dick", seed=5)
    assert list(splits) == ["train", "validation", "test"]
    counts = {s: np.bincount(faces.emotion[i], minlength=7) for s, i in splits.items()}
    held = [HELD_OUT[name] for name in EMOTIONS]
    np.testing.assert_array_equal(counts["validation"] + counts["test"], held)
    assert sum(held) == 7066
    # 111, 1,825, 1,139 and 797 are odd: the odd face is validation's, test's, and so on.
    np.testing.assert_array_equal(counts["validation"] - counts["test"], [0, 1, 0, -1, 1, -1, 0])
    assert counts["test"].sum() == counts["validation"].sum() == 3533
    assert counts["train"].tolist() == [3] * 7
    everyone = np.sort(np.concatenate(list(splits.values())))
    np.testing.assert_array_equal(everyone, np.arange(len(faces.images)))
    again, other = (split_indices(faces, "dick", seed=seed)["test"] for seed in (5, 6))
    np.testing.assert_array_equal(splits["test"], again)
    assert not np.array_equal(splits["test"], other)


def test_dick_is_refused_where_a_class_has_too_few_faces():
    faces = faces_for_dick()
    few = take(faces, np.flatnonzero(faces.emotion != 1)[3:])
    with pytest.raises(UserError, match="only 960 angry .*than 960.*, 0 disgust .*than 111"):
        split_indices(few, "dick")


def test_real_faces_fall_into_the_splits_that_were_published(real_faces):
    sizes = {
        protocol: [len(splits[name]) for name in ("train", "validation", "test")]
        for protocol in ("official-clean", "official-strict", "dick")
        for splits in [split_indices(real_faces, protocol)]
    }
    # 288 of the 3,589 stand in Training, and 26 more in PublicTest.
    assert sizes["official-clean"] == [28709, 3589, 3589 - 288]
    assert sizes["official-strict"] == [28709, 3589, 3589 - 288 - 26]
    assert sizes["dick"] == [28821, 3533, 3533]


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
        ("ratio:-20-60-60", "add up to 100"),
        ("ratio:1e1-80-10", "add up to 100"),
        ("ratio: 80-10-10", "add up to 100"),
        ("ratio:80-10-10\n", "add up to 100"),
        ("ratio:٨٠-10-10", "add up to 100"),
        ("ratio:100-100--100", "add up to 100"),
        (f"ratio:{'9' * 5000}-10-10", "add up to 100"),
        ("ratio:nan-nan-nan", "add up to 100"),
        ("official_clean", "Did you mean 'official-clean'"),
        ("oficial-strict", "Did you mean 'official-strict'"),
        ("dik", "Did you mean 'dick'"),
        ("keras-80", "Did you mean 'keras80'"),
        ("dick:7066", "no protocol 'dick:7066'"),
        ("official-clean:strict", "no protocol 'official-clean:strict'"),
        ("", "no protocol ''"),
    ],
)
def test_wrong_protocols_are_refused(made_faces, protocol, message):
    with pytest.raises(UserError, match=message):
        split_indices(made_faces, protocol)


def test_a_seed_means_the_same_faces_for_ever():
    faces = plain_faces(np.repeat(np.arange(7), 10), [0])
    splits = split_indices(faces, "ratio:80-10-10", seed=7)
    assert splits["validation"].tolist() == [5, 12, 22, 31, 42, 50, 67]
    assert splits["test"].tolist() == [9, 15, 27, 36, 40, 56, 69]


@settings(deadline=None)
@given(options=st.text(alphabet="0123456789-.+e _", max_size=12))
def test_ratio_takes_whole_percentages_or_refuses(options):
    faces = plain_faces(np.repeat(np.arange(7), 100), [0])
    try:
        splits = split_indices(faces, f"ratio:{options}")
    except UserError as error:
        assert "add up to 100" in str(error)
        return
    shares = [int(share) for share in options.split("-")]
    assert [len(index) for index in splits.values()] == [7 * share for share in shares]


def test_a_drawn_protocol_refuses_a_negative_seed(made_faces):
    with pytest.raises(UserError, match="must be 0 or more, not -1"):
        split_indices(made_faces, "ratio:80-10-10", seed=-1)


def test_official_is_refused_where_the_halves_are_unknown(made_faces):
    usage = np.where(made_faces.usage == "Training", "Training", "Test")
    faces = canonical(made_faces._replace(usage=usage))
    for protocol in ("official", "official-clean", "official-strict"):
        with pytest.raises(UserError, match="PublicTest_ or PrivateTest_"):
            split_indices(faces, protocol)
    splits = split_indices(faces, "keras80")
    assert set(splits) == {"train", "validation", "test"}
    assert len(splits["test"]) == 7 * (3 + 4)


def test_a_split_without_a_face_is_an_error(made_faces):
    faces = take(made_faces, made_faces.usage != "PublicTest")
    with pytest.raises(UserError, match="no face for 'validation'.*28 PrivateTest, 77 Training"):
        split_indices(faces, "official")
