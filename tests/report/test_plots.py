"""Figures as files: nothing in them is cut off."""

import numpy as np
import pytest
from PIL import Image

from fer_jax.report import plots


@pytest.mark.parametrize("rows", [2, 4])
def test_the_longest_name_beside_faces_is_whole(tmp_path, rows):
    faces = np.zeros((7, 48, 48, 1), np.uint8)
    names = ("Multitask hybrid’s DAE’s output", "Hybrid B’s DAE’s output", "noisy", "clean")
    plots.save_png(plots.samples([(name, faces) for name in names[:rows]]), tmp_path / "a.png")
    pixels = np.asarray(Image.open(tmp_path / "a.png").convert("L"))
    # Ink in the first or last column is of a name, or a face, that goes on outside.
    assert pixels[:, 0].min() == pixels[:, -1].min() == 255
    assert pixels.min() == 0
