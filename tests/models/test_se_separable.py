"""The SE-separable family: its counts, its maps, and the ratio of a separable convolution."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fer_jax.models.se_separable import SeparableConv, SESeparable
from tests.tiny import abstract_variables, count


@pytest.mark.parametrize(
    "fields, parameters",
    [
        # Stem 9 * (1 * 32 + 32 * 32) = 9,504. A module from c to n: separable 9c + cn + 9n + nn,
        #   shortcut cn. 32-64: 9,056; 64-128: 34,496; 128-256: 134,528; 256-512: 531,200
        # BatchNorm 2 * (2 * 32 + 3 * (64 + 128 + 256 + 512)) = 5,888
        # Head 9 * 512 * 7 + 7 = 32,263
        ({"attention": "none"}, 756_935),
        # SE of n channels, 2 * n * n / 16 + n / 16 + n: 580, 2,184, 8,464, 33,312
        ({}, 756_935 + 44_540),
        # ECA's kernels: 3, 5, 5, 5
        ({"attention": "eca"}, 756_935 + 18),
    ],
)
def test_counts_at_full_width_are_under_a_million(fields, parameters):
    variables = abstract_variables(SESeparable(**fields))
    assert count(variables["params"]) == parameters < 1_000_000
    assert count(variables["batch_stats"]) == 5_888  # a mean and a variance for each


def test_maps_follow_the_table_the_width_and_odd_sizes():
    model = SESeparable(classes=5, width=0.5, modules=(64, 128, 128), dtype=jnp.bfloat16)
    variables = abstract_variables(model, (3, 45, 45, 3))
    assert set(variables["params"]) == {
        "conv1", "bn1", "conv2", "bn2", "module1", "module2", "module3", "head"
    }
    assert set(variables["params"]["module1"]) == {
        "sep1", "bn1", "sep2", "bn2", "attend", "shortcut", "shortcut_bn"
    }
    images = jax.ShapeDtypeStruct((3, 45, 45, 3), jnp.float32)
    logits, out = jax.eval_shape(lambda v, x: model.apply(v, x, train=False), variables, images)
    assert (logits.shape, logits.dtype) == ((3, 5), jnp.float32)
    assert {name: value.shape[1:] for name, value in out.items()} == {
        "features": (64,), "maps": (5, 5, 5), "module1": (22, 22, 32), "module2": (11, 11, 64),
        "module3": (5, 5, 64),
    }
    assert out["maps"].dtype == out["module1"].dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}


@pytest.mark.parametrize("inputs, filters, kernel", [(32, 64, 3), (16, 8, 5)])
def test_a_separable_convolution_has_the_papers_share_of_parameters(inputs, filters, kernel):
    # Gao, equation 1: 1 / C2 + 1 / K^2 of a standard convolution's C1 * K * K * C2.
    layer = SeparableConv(filters, kernel)
    shapes = jax.eval_shape(lambda: layer.init(jax.random.key(0), jnp.zeros((1, 8, 8, inputs))))
    standard = inputs * kernel * kernel * filters
    assert count(shapes) / standard == pytest.approx(1 / filters + 1 / kernel**2)


def test_a_separable_convolution_matches_numpy():
    x = np.random.default_rng(0).normal(size=(2, 4, 5, 3)).astype(np.float32)
    generator = np.random.default_rng(1)
    depthwise = generator.normal(size=(3, 3, 1, 3)).astype(np.float32)
    pointwise = generator.normal(size=(1, 1, 3, 6)).astype(np.float32)
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    each = sum(
        padded[:, i : i + 4, j : j + 5] * depthwise[i, j, 0] for i, j in np.ndindex(3, 3)
    )
    params = {"depthwise": {"kernel": depthwise}, "pointwise": {"kernel": pointwise}}
    convolved = SeparableConv(6).apply({"params": params}, jnp.asarray(x))
    np.testing.assert_allclose(convolved, each @ pointwise[0, 0], atol=1e-5)


def test_faces_too_small_for_the_modules_are_named():
    with pytest.raises(ValueError, match=r"\[2, 1, 1, 512\]"):
        abstract_variables(SESeparable(), (2, 15, 15, 1))
