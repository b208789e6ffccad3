"""Local importance pooling as a layer: its start, its counts, and its logit networks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fer_jax.models.lip import LOGITS, LocalImportancePool
from fer_jax.ops.pooling import lip_pool
from tests.tiny import count

MAPS = np.random.default_rng(0).normal(size=(2, 4, 6, 3)).astype(np.float32)
every_logit = pytest.mark.parametrize("logit", LOGITS)


@pytest.mark.usefixtures("quick_compile")
@every_logit
def test_it_starts_as_average_pooling_and_can_leave_it(logit):
    layer = LocalImportancePool(logit, bottleneck=4)

    @jax.jit
    def start(key):
        variables = layer.init(key, MAPS)

        def loss(params):
            pooled = layer.apply({"params": params}, MAPS)
            return (pooled**3).sum(), pooled

        return variables["params"], *jax.grad(loss, has_aux=True)(variables["params"])

    params, gradients, pooled = start(jax.random.key(0))
    np.testing.assert_allclose(pooled, MAPS.reshape(2, 2, 2, 3, 2, 3).mean((2, 4)), atol=1e-6)
    last = f"conv{len(LOGITS[logit])}"
    assert not params[last]["kernel"].any()
    # What starts at zero must not stay there.
    assert np.isfinite(gradients[last]["kernel"]).all() and abs(gradients[last]["kernel"]).max() > 0


@pytest.mark.parametrize(
    "logit, parameters",
    [
        # c = 64; a convolution without bias, and the scale and bias of each InstanceNorm
        ("projection", 64 * 64 + 2 * 64),
        ("simplified", 9 * 64 * 64 + 2 * 64),
        ("bottleneck", 64 * 128 + 9 * 128 * 128 + 128 * 64 + 2 * (128 + 128 + 64)),
    ],
)
def test_counts(logit, parameters):
    layer = LocalImportancePool(logit)
    shapes = jax.eval_shape(lambda: layer.init(jax.random.key(0), jnp.zeros((1, 4, 4, 64))))
    assert count(shapes) == parameters


def test_the_gate_keeps_the_logits_in_its_range():
    layer = LocalImportancePool("projection", gate=3.0)
    x = np.eye(2, dtype=np.float32).reshape(1, 2, 2, 1)
    # After InstanceNorm of (1, 0, 0, 1): +-1, times a scale that brings the gate to its ends.
    params = {
        "conv1": {"kernel": np.ones((1, 1, 1, 1), np.float32)},
        "norm1": {"scale": np.full(1, 50, np.float32), "bias": np.zeros(1, np.float32)},
    }
    expected = lip_pool(
        jnp.asarray(x), 3.0 * jnp.asarray(x), window=(2, 2), strides=(2, 2)
    )
    np.testing.assert_allclose(layer.apply({"params": params}, x), expected, atol=1e-6)


@every_logit
def test_bfloat16_and_other_windows(logit):
    layer = LocalImportancePool(
        logit, window=(3, 3), strides=(2, 2), padding="SAME", bottleneck=4, dtype=jnp.bfloat16
    )
    maps = jax.ShapeDtypeStruct((2, 5, 7, 3), jnp.bfloat16)
    pooled, variables = jax.eval_shape(lambda x: layer.init_with_output(jax.random.key(0), x), maps)
    assert (pooled.shape, pooled.dtype) == ((2, 3, 4, 3), jnp.bfloat16)
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
