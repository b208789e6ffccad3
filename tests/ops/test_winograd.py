"""Winograd's filtering against the sum over taps: value, gradients, and where it is chosen."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fer_jax.ops import winograd
from fer_jax.ops.convolution import conv

DIMENSIONS = ("NHWC", "HWIO", "NHWC")
# Maps that their tiles fill, that leave a rest in both directions, and smaller than one tile.
SIZES = [(8, 12), (6, 6), (3, 3), (7, 5), (10, 9), (1, 2)]


def over_taps(x, kernel):
    return jax.lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=DIMENSIONS, precision="highest"
    )


def ours(x, kernel):
    return conv(x, kernel, (1, 1), "SAME", dimension_numbers=DIMENSIONS)


def draw(size, *, batch=2, inputs=3, outputs=5, taps=3, dtype=np.float32):
    generator = np.random.default_rng(0)
    shapes = (batch, *size, inputs), (taps, taps, inputs, outputs), (batch, *size, outputs)
    return tuple(jnp.asarray(generator.normal(size=shape), dtype) for shape in shapes)


def value_and_gradients(function, x, kernel, weights):
    value, pull = jax.vjp(function, x, kernel)
    return value, *pull(weights)


@pytest.mark.parametrize(
    ("taps", "tile"), [(taps, tile) for taps, tiles in winograd.TILES.items() for tile in tiles]
)
@pytest.mark.parametrize("size", SIZES)
def test_value_and_gradients_are_those_of_the_sum_over_taps(size, taps, tile, monkeypatch):
    monkeypatch.setattr(winograd, "TILES", {taps: (tile,)})
    arrays = draw(size, taps=taps)
    mine = value_and_gradients(winograd.convolve, *arrays)
    plain = value_and_gradients(over_taps, *arrays)
    for a, b in zip(mine, plain, strict=True):
        # Sums of up to 240 products of order one, whose transforms' weights reach 5; found 3e-5.
        np.testing.assert_allclose(a, b, atol=2e-4)


@pytest.mark.parametrize("taps", winograd.TILES)
def test_the_transforms_are_exact_in_float64(taps):
    with jax.enable_x64(True):
        arrays = draw((10, 9), taps=taps, dtype=np.float64)
        mine = value_and_gradients(winograd.convolve, *arrays)
        plain = value_and_gradients(over_taps, *arrays)
        for a, b in zip(mine, plain, strict=True):
            # Rounding of 1e-16 through sums of 1e2: an error of the method would be of order one.
            np.testing.assert_allclose(a, b, atol=1e-12)


@pytest.mark.parametrize("taps", winograd.TILES)
def test_rounding_is_some_millionths_of_the_spread(taps):
    x, kernel, _ = draw((12, 12), batch=4, inputs=128, outputs=128, taps=taps)
    kernel = kernel / np.sqrt(taps**2 * 128)
    error = np.std(winograd.convolve(x, kernel) - over_taps(x, kernel))
    # Measured 1.4e-6 (3x3) and 2.9e-6 (5x5) on a CPU, where the sum over taps has 2.7e-7.
    assert error < 4e-6 * np.std(over_taps(x, kernel))


@pytest.mark.parametrize(
    ("size", "tile"),
    [(3, 3), (6, 3), (9, 3), (12, 4), (13, 3), (24, 4), (48, 4)],
)
def test_the_tile_with_the_least_work_is_chosen(size, tile):
    # At 6: 4 tiles of 5^3 against 4 of 6^3; at 12: 16 of 5^3 = 2000 against 9 of 6^3 = 1944.
    assert winograd.choose_tile(jnp.zeros((1, size, size, 1)), taps=3) == tile


WIDE = {"size": (24, 24), "batch": 2, "inputs": 64, "outputs": 128}


@pytest.mark.parametrize(
    ("changes", "pays"),
    [
        ({}, True),
        ({"batch": 1}, False),  # 36 tiles
        ({"inputs": 32}, False),
        ({"outputs": 32}, False),
        ({"outputs": 64}, True),
        ({"dtype": jnp.bfloat16}, False),
    ],
)
def test_it_pays_with_many_channels_and_tiles_in_single_precision(changes, pays):
    x, kernel, _ = draw(**{**WIDE, **changes})
    assert winograd.pays(x, kernel) is pays


def test_it_is_not_for_other_kernels():
    x, _, _ = draw(**WIDE)
    assert not winograd.pays(x, jnp.zeros((7, 7, 64, 128)))
    assert not winograd.pays(x, jnp.zeros((3, 5, 64, 128)))
    assert not winograd.pays(x, jnp.zeros((3, 3, 32, 128)))  # grouped: half of the maps' channels


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="elsewhere XLA's own form is taken")
def test_conv_takes_it_where_it_pays_on_a_cpu():
    arrays = draw(**WIDE)
    compiled = jax.jit(lambda *a: value_and_gradients(ours, *a)).lower(*arrays).compile()
    assert " convolution(" not in compiled.as_text()
    plain = jax.jit(lambda *a: value_and_gradients(over_taps, *a))(*arrays)
    for a, b in zip(compiled(*arrays), plain, strict=True):
        # Sums of up to 1152 products of order one have a spread of 34: 1e-4 of that.
        np.testing.assert_allclose(a, b, atol=4e-3)


def test_conv_leaves_dilated_ones_to_xla():
    x, kernel, _ = draw(**WIDE)
    options = {"rhs_dilation": (2, 2)}
    form = {"window_strides": (1, 1), "padding": "SAME", "dimension_numbers": DIMENSIONS}
    found = conv(x, kernel, (1, 1), "SAME", dimension_numbers=DIMENSIONS, **options)
    np.testing.assert_array_equal(
        found, jax.lax.conv_general_dilated(x, kernel, **form, **options)
    )


@pytest.mark.parametrize(
    ("padding", "taken"), [("SAME", True), (((1, 1), (1, 1)), True), ("VALID", False),
                           (((2, 0), (1, 1)), False)],
)
def test_conv_takes_it_by_padding(padding, taken):
    x, kernel, _ = draw(**WIDE)
    program = jax.make_jaxpr(
        lambda *a: conv(*a, (1, 1), padding, dimension_numbers=DIMENSIONS)
    )(x, kernel)
    assert ("platform_index" in str(program)) is taken


def test_under_vmap_it_is_each_ones():
    both = [jnp.stack([a, -2 * a]) for a in draw((6, 6))]
    mapped = jax.jit(jax.vmap(lambda *a: value_and_gradients(winograd.convolve, *a)))(*both)
    for i in range(2):
        alone = value_and_gradients(winograd.convolve, *(a[i] for a in both))
        for a, b in zip(mapped, alone, strict=True):
            np.testing.assert_allclose(a[i], b, atol=1e-3)
