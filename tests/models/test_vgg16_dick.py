"""Dick's VGG-16: its count, and what the stride of its last pool changes."""

import jax
import jax.numpy as jnp
import pytest

from fer_jax.models.vgg16_dick import DickVGG
from tests.tiny import abstract_variables, count


def test_count_at_full_width():
    variables = abstract_variables(DickVGG())
    # The convolutions of tests/models/test_vgg.py, 14,713,536, and a BatchNorm after each:
    #   2 * (2 * 64 + 2 * 128 + 3 * 256 + 6 * 512) = 8,448.
    # Dense 2 * 2 * 512 * 4096 + 4096 = 8,392,704; 16,781,312; their BatchNorm 16,384; head 28,679.
    assert count(variables["params"]) == 39_941_063
    assert count(variables["batch_stats"]) == 8_448 + 16_384


@pytest.mark.parametrize("last_stride, last", [(1, (2, 2, 32)), (2, (1, 1, 32))])
def test_the_last_pool_has_its_own_stride(last_stride, last):
    model = DickVGG(width=1 / 16, last_stride=last_stride)
    variables = abstract_variables(model)
    images = jax.ShapeDtypeStruct((2, 48, 48, 1), jnp.float32)
    logits, out = jax.eval_shape(lambda v, x: model.apply(v, x, train=False), variables, images)
    assert logits.shape == (2, 7)
    assert [out[f"pool{i}"].shape[1] for i in range(1, 5)] == [24, 12, 6, 3]
    assert out["pool5"].shape[1:] == last
    assert out["features"].shape == (2, 256)
    assert variables["params"]["fc6"]["kernel"].shape == (last[0] * last[1] * 32, 256)


def test_every_activation_has_its_batch_norm():
    names = set(abstract_variables(DickVGG(width=1 / 64))["params"])
    assert len(names) == 13 * 2 + 2 * 2 + 1
    assert {name.replace("bn", "conv") for name in names if name.startswith("bn") and "_" in name
            } == {name for name in names if name.startswith("conv")}
