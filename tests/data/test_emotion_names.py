"""The names of emotions in public copies."""

import pytest

from fer_jax.data.emotion_names import SYNONYMS, emotion_of
from fer_jax.data.faces import EMOTIONS


@pytest.mark.parametrize("label", range(7))
def test_every_emotion_is_known_by_all_its_names(label):
    for name in (EMOTIONS[label], *SYNONYMS[EMOTIONS[label]]):
        for form in ("{}", " {}\t", "0_{}", "06-{}", "3. {}"):
            for cased in (name, name.upper(), name.title()):
                assert emotion_of(form.format(cased)) == label


@pytest.mark.parametrize("name", ["", "0", "6", "bored", "contempt", "_sad", "sad_1", "3happy"])
def test_what_names_no_emotion_is_none(name):
    # A number alone is ambiguous: 4 is sad in the CSV and neutral in sorted folder names.
    assert emotion_of(name) is None
