"""The synthetic faces: repeatable, balanced, all different, and told apart by their geometry."""

import numpy as np
import pytest

from fer_jax.data import EMOTIONS, synthetic
from fer_jax.data.synthetic import BLOCK, draw_faces


@pytest.fixture(scope="module")
def faces():
    """Draw 40 faces of each expression: the classes are equal in any multiple of a block."""
    return draw_faces(0, 40 * len(EMOTIONS))


def test_shapes_types_and_range(faces):
    images, labels = faces
    assert images.shape == (280, 48, 48) and images.dtype == np.uint8
    assert labels.shape == (280,) and labels.dtype == np.int32
    # A face that is hardly visible would have nearly one grey value.
    spread = images.reshape(280, -1).std(axis=1)
    assert spread.min() > 8
    assert images.min() < 10 and images.max() > 245


def test_classes_are_balanced(faces):
    np.testing.assert_array_equal(np.bincount(faces[1]), [40] * 7)


def test_expressions_are_not_in_order():
    labels = draw_faces(0, 4 * BLOCK)[1].reshape(4, BLOCK)
    assert len({tuple(block) for block in labels.tolist()}) == 4


def test_same_arguments_give_the_same_faces_and_fewer_are_a_prefix(faces):
    images, labels = faces
    for n in (0, 1, BLOCK, BLOCK + 1):
        again, labels_again = draw_faces(0, n)
        np.testing.assert_array_equal(again, images[:n])
        np.testing.assert_array_equal(labels_again, labels[:n])


def test_all_faces_differ_also_between_seeds(faces):
    other = draw_faces(1, 280)[0]
    different = {image.tobytes() for image in np.concatenate([faces[0], other])}
    assert len(different) == 2 * 280


def test_size_changes_the_sampling_only(faces):
    images, labels = faces
    large, labels_large = draw_faces(0, 28, size=96)
    np.testing.assert_array_equal(labels_large, labels[:28])
    small = large.reshape(28, 48, 2, 48, 2).mean(axis=(2, 4))
    # Thin lines, noise and blur differ with the size; another face is off by far more.
    off = np.abs(small - images[:28].astype(float)).mean(axis=(1, 2))
    off_other = np.abs(small - np.roll(images[:28], 1, axis=0)).mean(axis=(1, 2))
    assert off.max() < 12 < off_other.min()


@pytest.mark.parametrize("arguments", [(-1, 5), (0, -5)])
def test_negative_arguments_are_refused(arguments):
    with pytest.raises(ValueError, match=f"seed={arguments[0]}, n={arguments[1]}"):
        draw_faces(*arguments)


def test_too_small_a_size_is_refused():
    with pytest.raises(ValueError, match="size=4"):
        draw_faces(0, 1, size=4)


def test_every_expression_has_a_row_of_moves():
    assert tuple(synthetic.EXPRESSIONS) == EMOTIONS
    assert synthetic.MOVE_TABLE.shape == (7, 2, len(synthetic.MOVES))
    # Every pair differs by 0.04 (a pixel) in some length or by more in some strength.
    middle = synthetic.MOVE_TABLE.mean(axis=1)
    apart = np.abs(middle[:, None] - middle[None]).max(axis=-1)
    assert apart[~np.eye(7, dtype=bool)].min() > 0.04


def all_with(monkeypatch, emotion, n=4 * BLOCK):
    """Draw the faces of seed 2 all with one expression: the same people, poses and light."""
    move = synthetic.MOVE_TABLE[EMOTIONS.index(emotion)]
    with monkeypatch.context() as patch:
        patch.setattr(synthetic, "MOVE_TABLE", np.stack([move] * len(EMOTIONS)))
        return draw_faces(2, n)[0].astype(float)


# Where the parts of an upright face are, in rows of the picture.
BROWS, MOUTH = slice(10, 20), slice(30, 42)


def test_expressions_differ_in_the_face_and_not_beside_it(monkeypatch):
    change = np.abs(all_with(monkeypatch, "happy") - all_with(monkeypatch, "sad")).mean(axis=0)
    assert change[MOUTH, 16:32].mean() > 8
    assert change[BROWS, 12:36].mean() > 4
    # The upper corners show backdrop or hair, which no muscle moves.
    assert change[:6, :6].max() == 0 and change[:6, -6:].max() == 0


def test_an_open_mouth_is_dark_and_a_smile_is_bright(monkeypatch):
    neutral, surprise, happy = (
        all_with(monkeypatch, emotion)[:, MOUTH, 18:30].mean()
        for emotion in ("neutral", "surprise", "happy")
    )
    assert surprise < neutral - 5
    assert happy > surprise + 5


def test_intensity_scales_the_expression_and_nothing_else(monkeypatch):
    monkeypatch.setattr(synthetic, "INTENSITY", (0.0, 0.0))
    resting = all_with(monkeypatch, "neutral")
    # Without intensity every expression is the resting face; full intensity changes each face.
    np.testing.assert_array_equal(all_with(monkeypatch, "fear"), resting)
    monkeypatch.setattr(synthetic, "INTENSITY", (1.0, 1.0))
    assert np.abs(all_with(monkeypatch, "fear") - resting).mean(axis=(1, 2)).min() > 0.5


def test_load_gives_three_disjoint_splits():
    splits = synthetic.load(seed=0, sizes=(30, 20, 10))
    assert list(splits) == ["train", "validation", "test"]
    for split, n in zip(splits.values(), (30, 20, 10), strict=True):
        assert split.images.shape == (n, 48, 48, 1) and split.images.dtype == np.uint8
        assert split.labels.shape == (n,) and split.labels.dtype == np.int32
        assert split.keys.shape == (n,) and split.keys.dtype == np.uint32
        np.testing.assert_array_equal(split.rows, np.full(n, -1))
    keys = np.concatenate([split.keys for split in splits.values()])
    next_seed = synthetic.load(seed=1, sizes=(30, 20, 10))
    keys = np.concatenate([keys, *(split.keys for split in next_seed.values())])
    assert len(np.unique(keys)) == 2 * 60


def test_load_gives_its_own_sizes_for_none(monkeypatch):
    monkeypatch.setattr(synthetic, "SIZES", (3, 2, 1))
    splits = synthetic.load(sizes=(None, 5, None))
    assert [len(split.images) for split in splits.values()] == [3, 5, 1]
