"""The margin that photos are cut with is the one that was measured."""

import json

import numpy as np
import pytest

from benchmarks.face_margin import GROUND, NOISE, SIDE, estimate_noise, on_ground
from fer_jax.data.find_faces import MARGIN, NEIGHBOURS
from tests.conftest import REPOSITORY


def test_the_margin_in_use_is_the_measured_one():
    held = json.loads((REPOSITORY / "results" / "face_margin.json").read_text())
    assert MARGIN == pytest.approx(held["margin"]["measured"], abs=0.005)
    assert held["neighbours"] == NEIGHBOURS and held["faces"] == 500


def test_a_face_stands_in_the_middle_of_a_grey_ground():
    page = on_ground(np.full((48, 48), 200, np.uint8))
    assert page.shape == (SIDE + 2 * GROUND,) * 2 + (3,)
    assert (page[GROUND:-GROUND, GROUND:-GROUND] == 200).all() and (page[0] == 128).all()


def test_the_noise_estimate_rises_with_the_noise():
    faces = np.full((3, 16, 16, 1), 128, np.uint8)
    quartiles = estimate_noise(faces, np.arange(3, dtype=np.uint32))
    medians = [quartiles[f"{strength:g}"][1] for strength in NOISE]
    assert medians[0] == 0 and medians == sorted(medians)
