"""Dropout and BatchNorm are linen's; networks on our convolutions are those on linen's."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fer_jax.models import layers, resnet9, se_separable, vgg
from fer_jax.ops import convolution


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_dropout_is_linens_also_at_a_traced_rate(dtype):
    x = jnp.asarray(np.random.default_rng(0).normal(size=(4, 50)), dtype)
    rngs = {"dropout": jax.random.key(3)}

    def ours(rate):
        return layers.Dropout(rate, deterministic=False).apply({}, x, rngs=rngs)

    for rate in (0.0, 0.3, 0.9):
        expected = nn.Dropout(rate, deterministic=False).apply({}, x, rngs=rngs)
        assert expected.dtype == dtype == ours(rate).dtype
        np.testing.assert_array_equal(ours(rate), expected)
        traced = jax.vmap(ours)(jnp.asarray([rate, 0.5]))
        assert traced.dtype == dtype
        # 1 - rate is rounded to float32 before the division, in Python after it.
        ulp = float(jnp.finfo(dtype).eps)
        np.testing.assert_allclose(
            np.asarray(traced[0], np.float32), np.asarray(expected, np.float32), rtol=2 * ulp
        )
    assert layers.Dropout(0.3, deterministic=True).apply({}, x) is x


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("train", [True, False])
def test_batch_norm_has_the_variables_and_values_of_linens(train, dtype):
    x = jnp.asarray(np.random.default_rng(0).normal(1, 2, (6, 4, 4, 3)), dtype)
    options = {"use_running_average": not train, "momentum": 0.9, "epsilon": 1e-3, "dtype": dtype}
    both = layers.BatchNorm(**options), nn.BatchNorm(**options)
    started = [norm.init(jax.random.key(0), x) for norm in both]
    assert jax.tree.structure(started[0]) == jax.tree.structure(started[1])
    # Statistics that differ from a fresh network's and from the batch's.
    variables = jax.tree.map(lambda leaf: leaf + 0.25, started[1])
    (mine, my_stats), (other, their_stats) = (
        norm.apply(variables, x, mutable=["batch_stats"]) for norm in both
    )
    assert mine.dtype == other.dtype == dtype
    np.testing.assert_allclose(mine, other, rtol=1e-6, atol=1e-6)
    for ours, theirs in zip(*map(jax.tree.leaves, (my_stats, their_stats)), strict=True):
        assert ours.dtype == jnp.float32
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


@pytest.mark.usefixtures("quick_compile")
@pytest.mark.parametrize(
    "module, network",
    [
        (resnet9, resnet9.ResNet9(width=1 / 16)),
        (vgg, vgg.VGG(blocks=((4, 2), (8, 1)), dense=(8,), dropout=0.0)),
        (se_separable, se_separable.SESeparable(width=1 / 8, modules=(64,), dropout=0.0)),
    ],
    ids=["resnet9", "vgg", "se_separable"],
)
def test_a_whole_network_has_the_parameters_and_gradients_of_flax_layers(
    monkeypatch, module, network
):
    monkeypatch.setattr(convolution, "GROUP_BYTES", 1)  # groups of single images
    images = np.random.default_rng(0).uniform(size=(3, 32, 32, 1)).astype(np.float32)

    def gradients(images):
        variables = network.init(jax.random.key(0), images, train=False)

        def loss(params):
            (logits, _), _ = network.apply(
                {**variables, "params": params}, images, train=True, mutable=["batch_stats"]
            )
            return jnp.square(logits).sum()

        return variables, jax.grad(loss)(variables["params"])

    variables, ours = jax.jit(gradients)(images)
    monkeypatch.setattr(module, "Conv", nn.Conv)
    monkeypatch.setattr(layers, "BatchNorm", nn.BatchNorm)
    monkeypatch.setattr(module, "BatchNorm", nn.BatchNorm, raising=False)
    expected, theirs = jax.jit(lambda images: gradients(images))(images)
    assert jax.tree.structure(variables) == jax.tree.structure(expected)
    for mine, other in zip(*map(jax.tree.leaves, (variables, expected)), strict=True):
        # Equal but for the last bits: in other company XLA rounds an initialiser's steps elsewhere.
        np.testing.assert_allclose(mine, other, atol=1e-6)
    scale = max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(theirs))
    for (path, mine), other in zip(
        jax.tree_util.tree_leaves_with_path(ours), jax.tree.leaves(theirs), strict=True
    ):
        # Rounding through ten layers, of which BatchNorms over three images enlarge some.
        np.testing.assert_allclose(mine, other, atol=1e-4 * scale, err_msg=str(path))
