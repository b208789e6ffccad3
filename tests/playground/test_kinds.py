"""The sliders' table, and faces at several strengths in one batch."""

import numpy as np
import pytest

from fer_jax.corrupting import corrupt_split
from fer_jax.data import synthetic
from fer_jax.errors import UserError
from fer_jax.ops.corruptions import CORRUPTIONS
from fer_jax.ops.distortion import DISTORTIONS, STRONGEST
from fer_jax.playground.kinds import KINDS, POINTS, curve_strengths, distort_face, find_kind

SPLIT = synthetic.load(sizes=(0, 0, 7))["test"]
FACE = SPLIT.images[0, :, :, 0]


def test_every_distortion_and_corruption_has_a_slider():
    assert list(KINDS) == list(CORRUPTIONS)
    continuous = {CORRUPTIONS[name].distortion for name, kind in KINDS.items() if kind.continuous}
    assert continuous == set(DISTORTIONS)


@pytest.mark.parametrize("name", KINDS)
def test_a_slider_reaches_every_severity_and_nothing_beyond_the_op(name):
    kind = KINDS[name]
    strengths = curve_strengths(kind)
    assert strengths[0] == 0 and strengths[-1] == kind.greatest
    assert len(strengths) == (POINTS if kind.continuous else 6) <= POINTS
    if kind.continuous:
        assert max(kind.levels) <= kind.greatest <= STRONGEST[CORRUPTIONS[name].distortion]


# One of each way: traced without steps, traced by severity, on the host.
@pytest.mark.parametrize("name", ["random_grey", "contrast", "jpeg"])
def test_a_face_is_distorted_as_the_suite_does(name):
    kind = KINDS[name]
    strengths = kind.levels if kind.continuous else (1, 2, 3, 4, 5)
    got = distort_face(FACE, (0.0, *map(float, strengths)), kind=kind, draw=0)
    assert got.shape == (6, 48, 48) and got.dtype == np.uint8
    np.testing.assert_array_equal(got[0], FACE)  # strength 0 is the face itself
    one = type(SPLIT)(*(a if a is None else a[:1] for a in SPLIT))
    for severity in (1, 3, 5):
        expected = corrupt_split(one, name=name, severity=severity)[0, :, :, 0]
        np.testing.assert_array_equal(got[severity], expected)


def test_a_stronger_noise_keeps_the_spoilt_pixels_and_another_draw_does_not():
    kind = KINDS["random_grey"]
    weak, strong = distort_face(FACE, (0.1, 0.5), kind=kind, draw=0)
    spoilt = weak != FACE
    np.testing.assert_array_equal(strong[spoilt], weak[spoilt])
    # .1 of 2,304 pixels is 230, of which 1 in 256 draws the level that is there; sd 14.
    assert 170 < spoilt.sum() < 290
    (other,) = distort_face(FACE, (0.1,), kind=kind, draw=1)
    assert (other != weak).sum() > 200


@pytest.mark.parametrize("name", ["random_gray", None, ["jpeg"]])
def test_an_unknown_kind_is_named(name):
    with pytest.raises(UserError, match="there is no distortion"):
        find_kind(name)
