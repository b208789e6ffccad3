"""Depthwise convolutions against a NumPy loop and XLA's grouped ones, in value and in gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fer_jax.ops import depthwise
from fer_jax.ops.depthwise import depthwise_conv

# (height, width) of the kernel: even ones are padded by one more at the end.
KERNELS = [(3, 3), (1, 1), (2, 4), (5, 3)]


def grouped(x, kernel):
    return jax.lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=x.shape[-1],
    )


def numpy_conv(x, kernel):
    height, width = kernel.shape[:2]
    out = np.zeros(x.shape)
    for i, j in np.ndindex(x.shape[1:3]):
        for di, dj in np.ndindex(height, width):
            row, column = i + di - (height - 1) // 2, j + dj - (width - 1) // 2
            if 0 <= row < x.shape[1] and 0 <= column < x.shape[2]:
                out[:, i, j] += x[:, row, column] * kernel[di, dj, 0]
    return out


def draw(size):
    generator = np.random.default_rng(0)
    shapes = (2, 5, 6, 3), (*size, 1, 3)
    return tuple(jnp.asarray(generator.normal(size=shape), jnp.float32) for shape in shapes)


@pytest.mark.parametrize("size", KERNELS)
def test_value_matches_numpy_plain_under_jit_and_under_vmap(size):
    x, kernel = draw(size)
    expected = numpy_conv(np.asarray(x), np.asarray(kernel))
    np.testing.assert_allclose(depthwise_conv(x, kernel), expected, atol=1e-5)
    mapped = jax.jit(jax.vmap(depthwise_conv, in_axes=(0, None)))(jnp.stack([x, -x]), kernel)
    np.testing.assert_allclose(mapped[0], expected, atol=1e-5)
    np.testing.assert_allclose(mapped[1], -expected, atol=1e-5)


@pytest.mark.parametrize("rows_together", [depthwise.ROWS, 4, 1])
@pytest.mark.parametrize("size", KERNELS)
def test_gradients_are_the_grouped_convolutions(size, rows_together, monkeypatch):
    # Five rows: together, and one by one where no fewer divide them.
    monkeypatch.setattr(depthwise, "ROWS", rows_together)
    x, kernel = draw(size)
    weights = jnp.asarray(np.random.default_rng(1).normal(size=x.shape), x.dtype)
    ours, theirs = (
        jax.jit(lambda *both, f=f: jax.vjp(f, *both)[1](weights))(x, kernel)
        for f in (depthwise_conv, grouped)
    )
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-4)


def test_keeps_bfloat16():
    x, kernel = (a.astype(jnp.bfloat16) for a in draw((3, 3)))
    assert depthwise_conv(x, kernel).dtype == jnp.bfloat16


def test_a_kernel_for_other_maps_is_named():
    with pytest.raises(ValueError, match=r"\[3, 3, 1, 2\] for maps \[2, 5, 6, 3\]; it needs"):
        depthwise_conv(jnp.zeros((2, 5, 6, 3)), jnp.zeros((3, 3, 1, 2)))


@pytest.mark.parametrize("images, lane_bytes, lanes", [(3, 1, 1), (6, 1, 2), (8, 1 << 30, 8)])
def test_the_kernels_gradient_adds_every_image_once(images, lane_bytes, lanes, monkeypatch):
    monkeypatch.setattr(depthwise, "LANE_BYTES", lane_bytes)
    assert depthwise._count_lanes(images, size=1000) == lanes
    generator = np.random.default_rng(0)
    x, weights = jnp.asarray(generator.normal(size=(2, images, 4, 4, 3)), jnp.float32)
    kernel = jnp.asarray(generator.normal(size=(3, 3, 1, 3)), jnp.float32)
    ours, theirs = (
        jax.jit(lambda kernel, f=f: jax.vjp(lambda k: f(x, k), kernel)[1](weights)[0])(kernel)
        for f in (depthwise_conv, grouped)
    )
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_a_batch_on_two_devices_is_not_gathered():
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:2]), ("data",))
    split, whole = (
        jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(*axes))
        for axes in (("data",), ())
    )
    x = jax.device_put(jnp.ones((8, 6, 6, 3)), split)
    kernel = jax.device_put(jnp.ones((3, 3, 1, 3)), whole)
    step = jax.jit(lambda x, kernel: jax.vjp(depthwise_conv, x, kernel)[1](x))
    program = step.lower(x, kernel).compile().as_text()
    # The kernel's gradients are added up; of maps each device keeps its own.
    assert "all-reduce" in program
    assert "all-gather" not in program and "all-to-all" not in program
