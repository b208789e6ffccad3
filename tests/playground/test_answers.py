"""What the page asks and gets, with networks whose answers follow from the pixels by hand."""

import numpy as np
import pytest

from fer_jax.errors import UserError
from fer_jax.playground.answers import curve, decode_face, encode_face, see
from tests.playground.fakes import FACE, HAPPY, NETWORKS, OTHER

ASKED = {"face": encode_face(FACE), "kind": "random_grey", "strength": 0.5, "draw": 0}


def test_a_face_survives_the_way_to_the_page_and_back():
    np.testing.assert_array_equal(decode_face(encode_face(OTHER)), OTHER)


def test_every_network_is_asked_about_the_distorted_face():
    answers = see(NETWORKS, ASKED)
    spoilt = (decode_face(answers["distorted"]) != FACE).mean()
    assert 0.45 < spoilt < 0.55  # p = .5; one sd is .01
    weak, strong = answers["networks"]
    assert weak["probabilities"][HAPPY] == pytest.approx(1 - spoilt, abs=1e-5)
    assert strong["probabilities"][HAPPY] == pytest.approx(1 - spoilt / 4, abs=1e-5)
    assert weak["denoised"] is None
    # .5 * 255 = 127.5, and halves go up.
    np.testing.assert_array_equal(decode_face(strong["denoised"]), np.full((48, 48), 128))


def test_the_curve_begins_clean_and_meets_the_picture():
    answers = curve(NETWORKS, ASKED)
    assert answers["strengths"] == [i / 16 for i in range(17)]
    weak, strong = np.array(answers["networks"])[:, :, HAPPY]
    assert weak[0] == strong[0] == 1
    assert np.all(np.diff(weak) < 0)  # all strengths share a draw: more only adds to it
    seen = see(NETWORKS, ASKED)["networks"]
    assert [weak[8], strong[8]] == [one["probabilities"][HAPPY] for one in seen]


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"face": "AAAA"}, "a face is the base64 of 48x48"),
        ({"face": None}, "a face is the base64 of 48x48"),
        ({"face": "é"}, "a face is the base64 of 48x48"),
        ({"kind": "rain"}, "no distortion 'rain'"),
        ({"strength": 1.5}, "strength of random_grey is 1.5; expected a number from 0 to 1"),
        ({"strength": float("nan")}, "strength of random_grey is nan"),
        ({"strength": True}, "strength of random_grey is True"),
        ({"kind": "jpeg", "strength": 0.5}, "jpeg is 0.5; expected a whole number from 0 to 5"),
        ({"draw": -1}, "draw is -1"),
        ({"draw": 10**9}, "draw is 1000000000; expected a whole number from 0 to 9999"),
    ],
)
def test_what_does_not_fit_is_named(changes, message):
    with pytest.raises(UserError, match=message):
        see(NETWORKS, {**ASKED, **changes})


def test_a_network_that_broke_answers_in_json_all_the_same():
    broken = NETWORKS[0]._replace(
        recognizer=type(NETWORKS[0].recognizer)(
            ("a", "b"), (48, 48, 1), {}, {},
            answer=lambda images: np.full((len(images), 2), np.nan, np.float32), reconstruct=None,
        )
    )
    assert see([broken], ASKED)["networks"][0]["probabilities"] == [0, 0]
