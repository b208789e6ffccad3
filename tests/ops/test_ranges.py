"""Whatever value of its range an op is given, pictures stay pictures; the rest is refused."""

from functools import partial

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_jax.ops import augmentation as aug
from fer_jax.ops.distortion import DISTORTIONS, STRONGEST, check_strength, distort

pytestmark = pytest.mark.usefixtures("quick_compile")
quick = settings(deadline=None, max_examples=30)
every_distortion = pytest.mark.parametrize("name", DISTORTIONS)

# One shape and traced values, so that each op is compiled once for all examples.
B, H, W = 4, 24, 24
IMAGES = np.random.default_rng(1).random((B, H, W, 1), np.float32)
IMAGES[0, 0, :2, 0] = 0, 1
seeds = st.integers(0, 2**31 - 1)


@partial(jax.jit, static_argnames="name")
def distort_jit(seed, images, strength, *, name):
    """Compile once: seeds and strengths [b] are traced."""
    return distort(jax.random.key(seed), images, strength, name=name)


def run_distort(seed, strengths, *, name):
    out = distort_jit(seed, IMAGES, np.array(strengths, np.float32), name=name)
    return check_picture(out)


def check_picture(out):
    out = np.asarray(out)  # as NumPy, or each comparison below would be compiled too
    assert out.shape == IMAGES.shape and out.dtype == IMAGES.dtype
    assert np.isfinite(out).all() and out.min() >= 0 and out.max() <= 1
    return out


@every_distortion
@quick
@given(data=st.data(), seed=seeds)
def test_any_strength_of_the_range_gives_pictures_one_image_at_a_time(name, data, seed):
    strength = st.floats(0, STRONGEST[name], width=32)
    strengths = data.draw(st.lists(strength, min_size=B, max_size=B))
    for value in strengths:
        check_strength(name, value)
    together = run_distort(seed, strengths, name=name)
    alike = run_distort(seed, [strengths[0]] * B, name=name)
    np.testing.assert_array_equal(together[0], alike[0])
    for before, after, value in zip(IMAGES, together, strengths, strict=True):
        assert value or (before == after).all(), "strength 0 gives the image back exactly"


@every_distortion
@quick
@given(shares=st.lists(st.floats(0, 1, width=32), min_size=2, max_size=2), seed=seeds)
def test_a_stronger_distortion_does_more_damage_on_average(name, shares, seed):
    low, high = sorted(share * STRONGEST[name] for share in shares)

    def damage(strength):
        return np.mean((run_distort(seed, [strength] * B, name=name) - IMAGES) ** 2)

    # With one key the stronger one changes every pixel that the weaker one does; but salt may turn
    # to pepper, which may be nearer: with 2,304 pixels the mean falls by .0005 at three standard
    # deviations, .0014 at five.
    assert damage(high) >= damage(low) - 2e-3


@pytest.mark.parametrize("name", STRONGEST)
@quick
@given(strength=st.floats())
def test_what_is_out_of_range_is_refused_with_the_range(name, strength):
    if 0 <= strength <= STRONGEST[name]:
        check_strength(name, strength)
        return
    with pytest.raises(ValueError, match=rf"{name} has strengths from 0 to {STRONGEST[name]:g}, "):
        check_strength(name, strength)


def in_range(name, **options):
    return st.floats(*aug.RANGES[name], width=32, **options)


# Both kinds of border: the fill is static.
fills = pytest.mark.parametrize("fill", aug.FILLS)


@partial(jax.jit, static_argnames="fill")
def augment_jit(seed, low, high, shift, erase, *, fill):
    """Do as `augment`, whose options are static and would compile anew for each example."""
    turn_key, shift_key, erase_key = jax.random.split(jax.random.key(seed), 3)
    images = aug.random_rotate(turn_key, IMAGES, min_angle=low, max_angle=high, fill=fill)
    images = aug.random_shift(shift_key, images, max_fraction=shift, fill=fill)
    return aug.random_erase(erase_key, aug.random_flip(turn_key, images), p=erase)


@fills
@quick
@given(
    angles=st.lists(in_range("rotate"), min_size=2, max_size=2), shift=in_range("shift"),
    erase=in_range("erase"), seed=seeds,
)
def test_any_rotation_shift_and_erasing_gives_pictures(fill, angles, shift, erase, seed):
    check_picture(augment_jit(seed, *sorted(angles), shift, erase, fill=fill))


@fills
@pytest.mark.parametrize("padding", [0, 1, 9, aug.RANGES["crop_padding"][1]])
def test_any_padding_of_the_crop_gives_pictures(fill, padding):
    check_picture(aug.augment(jax.random.key(3), IMAGES, crop_padding=padding, fill=fill))


def test_the_options_at_zero_change_nothing():
    out = check_picture(augment_jit(0, 0.0, 0.0, 0.0, 0.0, fill="zero"))
    # Half of the images are mirrored; turning by nothing interpolates with weights 1 and 0.
    mirrored = IMAGES[:, :, ::-1]
    for before, reflected, after in zip(IMAGES, mirrored, out, strict=True):
        assert min(abs(after - before).max(), abs(after - reflected).max()) < 1e-6
