"""The names that datasets give to the seven emotions."""

import re

from fer_jax.data.faces import EMOTIONS

# Other names of each emotion, in lower case, as folders and label files of public copies have them.
SYNONYMS = {
    "angry": ("anger",),
    "disgust": ("disgusted",),
    "fear": ("fearful", "afraid", "scared"),
    "happy": ("happiness", "joy"),
    "sad": ("sadness",),
    "surprise": ("surprised", "suprise"),
    "neutral": ("neutrality",),
}
_INDEX = {
    name: label
    for label, emotion in enumerate(EMOTIONS)
    for name in (emotion, *SYNONYMS[emotion])
}


def emotion_of(name: str) -> int | None:
    """Return the index into EMOTIONS of an emotion's name, or None if it names none.

    Case does not matter, nor does a number before the name, as in 0_angry or 03-Fear: the word
    decides, for such numbers follow the alphabet in one copy and the CSV in another. A number
    alone is None for the same reason.
    """
    return _INDEX.get(re.sub(r"^\d+[\s._-]+", "", name.strip().lower()))
