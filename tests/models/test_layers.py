"""Dropout at a rate that may be traced draws what linen's own does."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fer_jax.models import layers


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
