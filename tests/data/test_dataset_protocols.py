"""The protocols `source` and `holdout`, and which protocols fit a dataset."""

import numpy as np
import pytest

from fer_jax.data.faces import Faces
from fer_jax.data.protocols import check_protocol, split_indices
from fer_jax.errors import UserError


def faces_of(**counts):
    """Give `counts[usage]` faces of each emotion."""
    usage = np.repeat(list(counts), [7 * n for n in counts.values()])
    n = len(usage)
    images = np.zeros((n, 1, 1), np.uint8)
    return Faces(images, np.arange(n, dtype=np.uint8) % 7, usage, np.full(n, "a"), np.full(n, -1))


def test_source_takes_the_datasets_own_splits():
    faces = faces_of(Training=5, Validation=2, Test=3)
    splits = split_indices(faces, "source")
    usages = {"train": "Training", "validation": "Validation", "test": "Test"}
    assert set(splits) == set(usages)
    for split, usage in usages.items():
        np.testing.assert_array_equal(splits[split], np.flatnonzero(faces.usage == usage))


@pytest.mark.parametrize("missing", ["Validation", "Test"])
def test_source_is_refused_where_a_split_is_missing(missing):
    counts = {"Training": 5, "Validation": 2, "Test": 3}
    del counts[missing]
    with pytest.raises(UserError, match=f"no {missing}. Choose 'holdout:10', 'keras80' or 'ratio"):
        split_indices(faces_of(**counts), "source")


@pytest.mark.parametrize(("reported", "other"), [("Test", None), ("Validation", None),
                                                 ("Test", "Validation")])
def test_holdout_draws_validation_from_each_emotion(reported, other):
    faces = faces_of(Training=20, **{reported: 4}, **({other: 3} if other else {}))
    splits = split_indices(faces, "holdout:10", seed=1)
    assert list(splits) == ["train", "validation", "test"]
    # A tenth of 20 is 2 of each emotion.
    assert np.bincount(faces.emotion[splits["validation"]]).tolist() == [2] * 7
    assert np.bincount(faces.emotion[splits["train"]]).tolist() == [18] * 7
    training = np.sort(np.concatenate([splits["train"], splits["validation"]]))
    np.testing.assert_array_equal(training, np.flatnonzero(faces.usage == "Training"))
    np.testing.assert_array_equal(splits["test"], np.flatnonzero(faces.usage == reported))
    assert (np.diff(splits["validation"]) > 0).all()


def test_holdout_depends_on_the_seed_alone():
    faces = faces_of(Training=20, Test=4)
    first, again, other = (split_indices(faces, "holdout:30", seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(first["validation"], again["validation"])
    assert not np.array_equal(first["validation"], other["validation"])


def test_holdout_leaves_a_face_of_each_emotion_on_both_sides():
    faces = faces_of(Training=2, Test=1)
    for share in ("holdout:1", "holdout:99"):
        splits = split_indices(faces, share)
        assert np.bincount(faces.emotion[splits["validation"]]).tolist() == [1] * 7
        assert np.bincount(faces.emotion[splits["train"]]).tolist() == [1] * 7


@pytest.mark.parametrize("protocol", ["holdout", "holdout:0", "holdout:100", "holdout:x"])
def test_a_wrong_percentage_is_refused_before_faces_are_read(protocol):
    with pytest.raises(UserError, match="as in 'holdout:10'"):
        check_protocol(protocol)


def test_holdout_is_refused_on_the_official_halves():
    faces = faces_of(Training=5, PublicTest=2, PrivateTest=2)
    with pytest.raises(UserError, match="Choose 'official', 'keras80' or 'ratio:80-10-10'"):
        split_indices(faces, "holdout:10")


def test_official_is_refused_with_the_protocols_that_fit():
    with pytest.raises(UserError, match="14 Test, 35 Training.*Choose 'holdout:10', 'keras80'"):
        split_indices(faces_of(Training=5, Test=2), "official")
    faces = faces_of(Training=5, Validation=2, Test=2)
    with pytest.raises(UserError, match="Choose 'source', 'holdout:10', 'keras80'"):
        split_indices(faces, "official")
