"""Flags that several commands share: distortions by name and strength."""

import pytest

from fer_jax.errors import UsageError
from fer_jax.flags import parse_distortion


@pytest.mark.parametrize(
    "text, expected",
    [("clean", ("clean", 0.0)), ("random_grey:0.3", ("random_grey", 0.3)), ("blur:2", ("blur", 2))],
)
def test_a_distortion_is_name_and_strength(text, expected):
    assert parse_distortion(text) == expected


@pytest.mark.parametrize(
    "text, message",
    [
        ("random_gray:0.3", "unknown distortion 'random_gray'. Did you mean 'random_grey'?"),
        (":0.3", "unknown distortion ''. Known: clean, random_grey, gaussian"),
        ("blur", "strengths from 0 to 4, not nan; write it like blur:0.3"),
        ("blur:", "strengths from 0 to 4, not nan"),
        ("blur:much", "strengths from 0 to 4, not nan"),
        ("blur:-1", "strengths from 0 to 4, not -1"),
        ("blur:nan", "strengths from 0 to 4, not nan"),
        # 30 %, as it may be meant, would replace every pixel without a word.
        ("random_grey:30", "strengths from 0 to 1, not 30"),
        ("clean:0.3", "clean faces have none"),
    ],
)
def test_what_is_no_distortion_is_answered(text, message):
    with pytest.raises(UsageError) as refused:
        parse_distortion(text)
    assert message in str(refused.value)
