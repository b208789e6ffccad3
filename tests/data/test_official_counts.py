"""The published counts of the splits are those of the real faces."""

import numpy as np
import pytest

from fer_jax.data.official_counts import PRIVATE, PUBLIC, TRAINING, known_counts
from fer_jax.data.protocols import split_indices

PROTOCOLS = ("official", "official-clean", "official-strict", "keras80", "dick")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_published_counts_are_the_real_faces_own(real_faces, protocol):
    for name, index in split_indices(real_faces, protocol).items():
        found = np.bincount(real_faces.emotion[index], minlength=7)
        assert known_counts("fer2013", protocol=protocol, split=name) == tuple(found)


def test_the_published_counts_add_up_and_others_are_unknown():
    assert (sum(TRAINING), sum(PUBLIC), sum(PRIVATE)) == (28709, 3589, 3589)
    sizes = [
        sum(known_counts("fer2013", protocol=protocol, split=split))
        for protocol, split in (
            ("official-clean", "test"), ("official-strict", "test"), ("keras80", "train"),
            ("keras80", "validation"), ("keras80", "test"), ("dick", "train"), ("dick", "test"),
        )
    ]
    assert sizes == [3301, 3275, 22968, 5741, 7178, 28821, 3533]
    assert sum(known_counts("raf_db", protocol="holdout:10", split="test")) == 3068
    assert known_counts("fer2013", protocol="ferplus:majority", split="test") is None
    assert known_counts("synthetic", protocol="official", split="test") is None
