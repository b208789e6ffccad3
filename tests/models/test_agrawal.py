"""The fully convolutional network: its count, its pools, and logits that are a mean over space."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fer_jax.models.agrawal import FullyConvolutional
from tests.tiny import abstract_variables, count, fill_variables


def test_count_at_full_width():
    variables = abstract_variables(FullyConvolutional())
    # A constituent from i to o filters: 64 * i * o + o, 64 * o * o + o and 2 * o.
    #   1 -> 8: 4,640; 8 -> 24: 49,248; four times 24 -> 24: 73,824; 24 -> 32: 114,816;
    #   together 464,000. The 1x1 convolution: 32 * 7 + 7 = 231.
    assert count(variables["params"]) == 464_231
    # A mean and a variance for each of 8 + 5 * 24 + 32 = 160 filters.
    assert count(variables["batch_stats"]) == 320


@pytest.mark.parametrize("pool_after, last", [((1, 2, 3, 4), 3), ((), 48), ((2, 7), 12)])
def test_pools_stand_where_the_config_says_and_cost_no_parameters(pool_after, last):
    model = FullyConvolutional(pool_after=pool_after)
    variables = abstract_variables(model)
    assert count(variables["params"]) == 464_231
    images = jax.ShapeDtypeStruct((2, 48, 48, 1), jnp.float32)
    (_, out), seen = jax.eval_shape(
        lambda v, x: model.apply(v, x, train=False, capture_intermediates=True), variables, images
    )
    assert set(out) == {"features", *(f"pool{i}" for i in pool_after)}
    [maps] = seen["intermediates"]["head"]["__call__"]
    assert maps.shape == (2, last, last, 7)


@pytest.mark.usefixtures("quick_compile")
def test_the_logits_are_the_head_on_the_mean_features():
    model = FullyConvolutional(widths=(2, 3), kernel=4, pool_after=(1,))
    images = jax.random.uniform(jax.random.key(0), (3, 8, 8, 1))
    variables = fill_variables(abstract_variables(model, images.shape))
    logits, out = jax.jit(lambda: model.apply(variables, images, train=False))()
    head = jax.tree.map(np.asarray, variables["params"]["head"])
    # A 1x1 convolution and a mean over space may change places.
    expected = np.asarray(out["features"]) @ head["kernel"][0, 0] + head["bias"]
    np.testing.assert_allclose(logits, expected, atol=1e-5)
