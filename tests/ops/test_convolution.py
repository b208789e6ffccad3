"""Convolutions against XLA's own, in value and in gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fer_jax.ops import convolution
from fer_jax.ops.convolution import conv

# (size, strides, padding) of convolutions.
FORMS = [(3, (1, 1), "SAME"), (3, (2, 1), "SAME"), (5, (2, 2), "VALID"), (1, (1, 1), "SAME"),
         (4, (2, 2), ((1, 2), (0, 1)))]
DIMENSIONS = ("NHWC", "HWIO", "NHWC")


def gradients_of(function, size, strides, padding, *, batch=12, dtype=jnp.float32):
    """Give the value and both gradients of a convolution of drawn maps."""
    generator = np.random.default_rng(0)
    x, kernel = (
        jnp.asarray(generator.normal(size=shape), dtype)
        for shape in ((batch, 9, 8, 3), (size, size, 3, 5))
    )
    value, pull = jax.vjp(
        lambda *both: function(*both, strides, padding, dimension_numbers=DIMENSIONS), x, kernel
    )
    weights = jnp.asarray(np.random.default_rng(1).normal(size=value.shape), dtype)
    return value, *pull(weights)


@pytest.fixture
def small_groups(monkeypatch):
    """Let a group hold two of the images above: nine by eight pixels of 3 + 5 channels."""
    monkeypatch.setattr(convolution, "GROUP_BYTES", 2 * 9 * 8 * 8 * 4)


@pytest.mark.parametrize("form", FORMS)
def test_conv_is_xlas_and_its_kernel_gradient_to_rounding(form, small_groups):
    ours = jax.jit(lambda: gradients_of(conv, *form))()
    theirs = jax.jit(lambda: gradients_of(jax.lax.conv_general_dilated, *form))()
    for mine, other in zip(ours[:2], theirs[:2], strict=True):
        # Sums of up to 27 products of order one, in another order.
        np.testing.assert_allclose(mine, other, atol=1e-5)
    # A sum of up to 12 * 72 products of order one, in another order: some 1e-7 of its 30.
    np.testing.assert_allclose(ours[2], theirs[2], atol=1e-4)


@pytest.mark.parametrize(
    ("inputs", "outputs", "size", "taken"),
    [(1, 8, 3, True), (1, 64, 3, True), (3, 16, 3, True), (1, 16, 5, True),
     (3, 64, 3, False), (1, 64, 5, False), (4, 8, 3, False)],
)
def test_conv_of_a_picture_by_its_taps_is_xlas_to_rounding(inputs, outputs, size, taken):
    generator = np.random.default_rng(0)
    x, kernel = (
        jnp.asarray(generator.normal(size=shape), jnp.float32)
        for shape in ((2, 9, 8, inputs), (size, size, inputs, outputs))
    )
    form = {"dimension_numbers": DIMENSIONS}
    both = [
        jax.jit(lambda f=f: jax.vjp(lambda *a: f(*a, (1, 1), "SAME", **form), x, kernel)[0])()
        for f in (conv, jax.lax.conv_general_dilated)
    ]
    # Sums of up to 27 products of order one.
    np.testing.assert_allclose(*both, atol=1e-5)
    program = str(jax.make_jaxpr(lambda: conv(x, kernel, (1, 1), "SAME", **form))())
    assert ("platform_index" in program) is taken


@pytest.mark.parametrize(
    ("size", "outputs", "taken"),
    [((3, 3), 4, True), ((5, 3), 1, True), ((2, 3), 4, False), ((3, 3), 5, False)],
)
def test_conv_to_few_outputs_by_a_product_is_xlas_to_rounding(size, outputs, taken, monkeypatch):
    generator = np.random.default_rng(0)
    x, kernel, weights = (
        jnp.asarray(generator.normal(size=shape), jnp.float32)
        for shape in ((2, 9, 8, 6), (*size, 6, outputs), (2, 9, 8, outputs))
    )
    calls = []
    by_product = convolution._by_product
    monkeypatch.setattr(
        convolution, "_by_product", lambda *a: calls.append(1) or by_product(*a)
    )

    def everything(function):
        value, pull = jax.vjp(
            lambda *a: function(*a, (1, 1), "SAME", dimension_numbers=DIMENSIONS), x, kernel
        )
        return value, *pull(weights)

    mine, theirs = (
        jax.jit(lambda f=f: everything(f))() for f in (conv, jax.lax.conv_general_dilated)
    )
    for a, b in zip(mine, theirs, strict=True):
        # Sums of up to 2 * 72 products of order one, in another order.
        np.testing.assert_allclose(a, b, atol=3e-5)
    assert bool(calls) is taken


def test_a_1x1_kernels_gradient_summed_image_by_image_is_xlas_to_rounding(monkeypatch):
    monkeypatch.setattr(convolution, "LARGE_MAP", 9 * 8)
    form = (1, (1, 1), "SAME")
    text = str(jax.make_jaxpr(lambda: gradients_of(conv, *form))())
    assert "platform_index" in text
    mine, theirs = (
        jax.jit(lambda f=f: gradients_of(f, *form))() for f in (conv, jax.lax.conv_general_dilated)
    )
    for a, b in zip(mine, theirs, strict=True):
        # Sums of up to 12 * 72 products of order one, in another order: some 1e-7 of their 30.
        np.testing.assert_allclose(a, b, atol=1e-4)


def test_conv_sums_over_groups_of_what_fits(small_groups):
    def convolutions(batch):
        text = str(jax.make_jaxpr(lambda: gradients_of(conv, 3, (1, 1), "SAME", batch=batch))())
        return text.count("conv_general_dilated[")

    # One more each group; a batch of 7 has no other equal groups than single images.
    one = convolutions(2)
    assert convolutions(12) == one + 5
    assert convolutions(7) == one + 6


def test_conv_under_vmap_has_the_gradients_of_each(small_groups):
    generator = np.random.default_rng(0)
    x, kernel = (
        jnp.asarray(generator.normal(size=shape), jnp.float32)
        for shape in ((2, 6, 9, 8, 3), (2, 3, 3, 3, 5))
    )

    def gradient(x, kernel):
        def loss(kernel):
            out = conv(x, kernel, (1, 1), "SAME", dimension_numbers=DIMENSIONS)
            return jnp.sum(jnp.sin(out))

        return jax.grad(loss)(kernel)

    mapped = jax.jit(jax.vmap(gradient))(x, kernel)
    for i in range(2):
        np.testing.assert_allclose(mapped[i], gradient(x[i], kernel[i]), atol=1e-4)


def test_conv_keeps_bfloat16(small_groups):
    ours = gradients_of(conv, 3, (1, 1), "SAME", dtype=jnp.bfloat16)
    assert {a.dtype for a in ours} == {jnp.dtype(jnp.bfloat16)}
    exact = gradients_of(jax.lax.conv_general_dilated, 3, (1, 1), "SAME")
    # bfloat16 keeps 8 bits: inputs, group sums and their sum are each off by up to 2**-9.
    error = jnp.abs(ours[2].astype(jnp.float32) - exact[2]).max() / jnp.abs(exact[2]).max()
    assert error < 4 * 2**-8
