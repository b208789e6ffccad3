"""The VGG: its counts at full width, its names and shapes, and its gradient under jit."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fer_jax.models import vgg
from fer_jax.models.vgg import VGG
from tests.tiny import fill_variables

TINY = {"blocks": ((4, 1), (8, 2)), "dense": (8,)}
IMAGES = jax.random.uniform(jax.random.key(0), (8, 12, 12, 1))


def abstract_init(model, shape=(2, 48, 48, 1)):
    return jax.eval_shape(lambda: model.init(jax.random.key(0), jnp.zeros(shape), train=False))


def size(tree) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def test_parameters_at_full_width_are_the_papers():
    variables = abstract_init(VGG())
    # 3x3 convolutions, 9 * in * out + out:
    #   640 + 36,928 + 73,856 + 147,584 + 295,168 + 2 * 590,080 + 1,180,160 + 5 * 2,359,808
    #   = 14,713,536
    # BatchNorm of the blocks, scale and bias: 2 * (64 + 128 + 256 + 512 + 512) = 2,944
    # Dense: 512 * 4096 + 4096 = 2,101,248; 4096 * 4096 + 4096 = 16,781,312;
    #   their BatchNorm 2 * 2 * 4096 = 16,384; head 4096 * 7 + 7 = 28,679
    assert size(variables["params"]) == 33_644_103
    # A mean and a variance for each scale and bias: 2,944 + 16,384.
    assert size(variables["batch_stats"]) == 19_328


def test_layers_are_named_by_block_and_place():
    names = set(abstract_init(VGG(width=1 / 64))["params"])
    depths = (2, 2, 3, 3, 3)
    convolutions = {
        f"conv{i}_{j}" for i, depth in enumerate(depths, 1) for j in range(1, depth + 1)
    }
    assert names == convolutions | {f"bn{i}" for i in range(1, 8)} | {"fc6", "fc7", "head"}


def test_output_shapes_follow_width_and_classes():
    # 4096 units at a quarter.
    model = VGG(classes=5, width=0.25)
    variables = abstract_init(model)
    images = jax.ShapeDtypeStruct((3, 48, 48, 1), jnp.float32)
    logits, out = jax.eval_shape(lambda v, x: model.apply(v, x, train=False), variables, images)
    assert logits.shape == (3, 5)
    assert {name: value.shape for name, value in out.items()} == {"features": (3, 1024)}


@pytest.mark.parametrize("units, width, expected", [(64, 1.0, 64), (64, 0.25, 16), (64, 1e-3, 1)])
def test_width_scales_units_and_keeps_one(units, width, expected):
    assert vgg.scaled(units, width) == expected


def test_bfloat16_computes_in_it_and_keeps_the_rest_in_float32():
    model = VGG(**TINY, dtype=jnp.bfloat16)
    variables = abstract_init(model, IMAGES.shape)

    def forward(variables):
        return model.apply(
            variables, IMAGES, train=True, mutable=["batch_stats"],
            rngs={"dropout": jax.random.key(0)},
        )

    (logits, out), mutated = jax.eval_shape(forward, variables)
    assert out["features"].dtype == jnp.bfloat16
    assert logits.dtype == jnp.float32
    kept = jax.tree.leaves([variables, mutated])
    assert {leaf.dtype for leaf in kept} == {jnp.dtype("float32")}


def test_gradient_under_jit_equals_flaxs_pool(monkeypatch):
    """Guard the whole network: a wrong choice in a pool's gradient hides behind a right loss.

    With XLA's optimizations, because it is fusing the pool with a BatchNorm that breaks some pools.
    """
    model = VGG(**TINY, dropout=0.0)
    variables = fill_variables(abstract_init(model, IMAGES.shape))
    labels = jnp.arange(8) % 7

    def loss(params):
        (logits, _), _ = model.apply(
            {**variables, "params": params}, IMAGES, train=True, mutable=["batch_stats"]
        )
        return -jnp.take_along_axis(nn.log_softmax(logits), labels[:, None], axis=1).mean()

    ours = jax.jit(jax.value_and_grad(loss))(variables["params"])
    monkeypatch.setattr(vgg, "max_pool_2x2", lambda x: nn.max_pool(x, (2, 2), (2, 2)))
    flaxs = jax.jit(jax.value_and_grad(lambda params: loss(params)))(variables["params"])
    assert float(ours[0]) == pytest.approx(float(flaxs[0]), rel=1e-6)
    for (path, mine), theirs in zip(
        jax.tree.leaves_with_path(ours[1]), jax.tree.leaves(flaxs[1]), strict=True
    ):
        # Float32 sums in another order; biases before a BatchNorm have gradients near zero.
        np.testing.assert_allclose(
            mine, theirs, rtol=0, atol=1e-4 * max(1e-2, float(abs(theirs).max())),
            err_msg=jax.tree_util.keystr(path),
        )


def test_training_draws_dropout_and_moves_the_statistics_and_testing_neither():
    model = VGG(**TINY, dropout=0.5, momentum=0.9)
    variables = fill_variables(abstract_init(model, IMAGES.shape))

    @jax.jit
    def forward(key):
        (logits, _), mutated = model.apply(
            variables, IMAGES, train=True, mutable=["batch_stats"], rngs={"dropout": key}
        )
        return logits, mutated["batch_stats"]

    first, statistics = forward(jax.random.key(0))
    second, _ = forward(jax.random.key(1))
    assert not np.allclose(first, second)
    # The mean moves from 0 by a tenth of the batch's, before dropout: so it is never negative
    # after a ReLU, and positive where a filter ever fires.
    moved = statistics["bn1"]["mean"]
    assert (moved >= 0).all() and moved.max() > 0
    # Testing takes no key and gives no new statistics: it is a function of its input.
    logits, _ = jax.jit(lambda: model.apply(variables, IMAGES, train=False))()
    assert logits.shape == (8, 7)
