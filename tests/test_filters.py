"""Filters at test time: what a flag means, and that each does its work on bytes."""

import numpy as np
import pytest
from scipy import ndimage

from fer_jax import filters
from fer_jax.errors import UsageError
from fer_jax.filters import parse_filter

pytestmark = pytest.mark.usefixtures("quick_compile")


@pytest.fixture
def faces():
    """Draw three smooth faces, and the same with Gaussian noise of 25 of 255."""
    generator = np.random.default_rng(0)
    ramp = np.add.outer(np.arange(48), np.arange(48)) * 2.0 + 20
    clean = np.stack([ramp, ramp.T[::-1], 230 - ramp])[..., None]
    noisy = np.clip(clean + generator.normal(0, 25, clean.shape), 0, 255)
    return clean, noisy.astype(np.uint8)


@pytest.mark.parametrize(
    "text, name",
    [("", ""), ("median", "median:3"), ("median:5", "median:5"), ("nlm", "nlm:0.1"),
     ("nlm:0.20", "nlm:0.2")],
)
def test_a_filter_is_identified_by_name_and_parameter(text, name):
    if "nlm" in text:
        pytest.importorskip("skimage", reason="scikit-image is not installed")
    assert parse_filter(text).name == name


@pytest.mark.parametrize(
    "text, said",
    [
        ("mean:3", "unknown filter 'mean'.*median"),
        ("median:4", "expected an odd window of 3 or more, as in median:3"),
        ("median:x", "expected an odd window"),
        ("median:1", "expected an odd window"),
        ("nlm:0", "expected a cut-off distance"),
        ("nlm:much", "expected a cut-off distance"),
    ],
)
def test_what_is_no_filter_is_refused(text, said):
    with pytest.raises(UsageError, match=said):
        parse_filter(text)


def test_none_changes_nothing_and_median_is_the_median(faces, monkeypatch):
    _, noisy = faces
    assert parse_filter("").apply(noisy) is noisy
    # Three faces in batches of two: the last is padded.
    seen = filters._filter_median(noisy, size=3, batch=2)
    expected = [ndimage.median_filter(i, size=3, mode="nearest") for i in noisy[..., 0]]
    np.testing.assert_array_equal(seen[..., 0], expected)
    np.testing.assert_array_equal(parse_filter("median").apply(noisy), seen)


def test_non_local_means_takes_noise_away(faces):
    pytest.importorskip("skimage", reason="scikit-image is not installed")
    clean, noisy = faces
    seen = parse_filter("nlm:0.2").apply(noisy)
    assert seen.dtype == np.uint8 and seen.shape == noisy.shape

    def error(images):
        return np.abs(images.astype(float) - clean).mean()

    # Noise of sd 25 is off by 25 * sqrt(2 / pi) = 20 on average; the mean over many alike patches
    # of a smooth face leaves less than half of it.
    assert error(noisy) > 18 and error(seen) < 10
    colour = parse_filter("nlm:0.2").apply(noisy.repeat(3, axis=-1))
    assert colour.shape == (3, 48, 48, 3)
