"""Channel attention against NumPy: squeeze-and-excitation, and ECA with the size of its kernel."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fer_jax.models.attention import (
    EfficientChannelAttention, SqueezeExcite, kernel_size, make_attention,
)
from tests.tiny import count

MAPS = np.random.default_rng(0).normal(size=(2, 3, 5, 16)).astype(np.float32)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def draw_params(layer):
    abstract = jax.eval_shape(lambda: layer.init(jax.random.key(0), jnp.asarray(MAPS)))
    generator = np.random.default_rng(1)
    return jax.tree.map(
        lambda leaf: generator.normal(size=leaf.shape).astype(np.float32), abstract["params"]
    )


def test_squeeze_and_excitation_matches_numpy():
    layer = SqueezeExcite(ratio=4)
    params = draw_params(layer)
    # dense 16 to 4 and 4 to 16, with biases: 64 + 4 + 64 + 16
    assert count(params) == 148
    hidden = MAPS.mean((1, 2)) @ params["reduce"]["kernel"] + params["reduce"]["bias"]
    assert (hidden < 0).any() and (hidden > 0).any()  # the ReLU is seen
    weights = sigmoid(
        np.maximum(hidden, 0) @ params["expand"]["kernel"] + params["expand"]["bias"]
    )
    weighed = jax.jit(layer.apply)({"params": params}, MAPS)
    np.testing.assert_allclose(weighed, MAPS * weights[:, None, None, :], atol=1e-5)


def test_eca_matches_numpy():
    layer = EfficientChannelAttention()
    kernel = draw_params(layer)["conv"]["kernel"]
    assert kernel.shape == (3, 1, 1)  # log2(16) / 2 + 1 / 2 = 2.5, cut to 2, which is even
    means = np.pad(MAPS.mean((1, 2)), ((0, 0), (1, 1)))
    weights = sigmoid(sum(means[:, i : i + 16] * kernel[i] for i in range(3)))
    weighed = jax.jit(layer.apply)({"params": {"conv": {"kernel": kernel}}}, MAPS)
    np.testing.assert_allclose(weighed, MAPS * weights[:, None, None, :], atol=1e-5)


@pytest.mark.parametrize(
    # (log2 C + 1) / 2 is 3.5, 4, 4.5, 5 and 5.5.
    "channels, size", [(64, 3), (128, 5), (256, 5), (512, 5), (1024, 5), (8192, 7)]
)
def test_ecas_kernel_follows_from_the_channels(channels, size):
    assert kernel_size(channels) == size


def test_few_channels_keep_a_hidden_unit():
    shapes = jax.eval_shape(
        lambda: SqueezeExcite(ratio=16).init(jax.random.key(0), jnp.zeros((1, 2, 2, 8)))
    )
    assert shapes["params"]["reduce"]["kernel"].shape == (8, 1)


def test_none_changes_nothing_and_what_there_is_not_is_answered():
    assert make_attention("none", ratio=16, name="attend")(MAPS) is MAPS
    with pytest.raises(ValueError, match=r"attention is 'cbam'. .*none, se, eca"):
        make_attention("cbam", ratio=16)
    with pytest.raises(ValueError, match="ratio is 0; expected at least 1"):
        make_attention("se", ratio=0)
