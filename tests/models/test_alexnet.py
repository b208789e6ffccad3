"""AlexNet: torchvision's count, and the sizes of its maps."""

import jax
import jax.numpy as jnp
import pytest

from fer_jax.models.alexnet import AlexNet
from tests.tiny import abstract_variables, count


def test_count_at_full_width():
    variables = abstract_variables(AlexNet(), (2, 224, 224, 3))
    # conv 11 * 11 * 3 * 64 + 64 = 23,296; 5 * 5 * 64 * 192 + 192 = 307,392; 663,936; 884,992;
    # 590,080; dense 6 * 6 * 256 * 4096 + 4096 = 37,752,832; 16,781,312; head 28,679.
    assert count(variables["params"]) == 57_032_519
    # torchvision's own, with 1000 classes: 61,100,840; 993 * 4097 fewer.
    assert count(variables["params"]) == 61_100_840 - 993 * 4097
    assert set(variables) == {"params"}
    assert set(variables["params"]) == {
        *(f"conv{i}" for i in range(1, 6)), "fc6", "fc7", "head"
    }


def test_the_smallest_image_that_the_pools_leave_a_pixel_of():
    model = AlexNet(width=1 / 64)
    params = abstract_variables(model, (2, 63, 63, 3))["params"]
    assert params["fc6"]["kernel"].shape == (1 * 1 * 4, 64)
    with pytest.raises(ValueError, match="at least 63 pixels a side and got 62x70; set config.pre"):
        abstract_variables(model, (2, 62, 70, 3))


def test_maps_are_named_after_their_convolutions():
    model = AlexNet(width=1 / 64)
    variables = abstract_variables(model, (2, 224, 224, 3))
    images = jax.ShapeDtypeStruct((2, 224, 224, 3), jnp.float32)
    logits, out = jax.eval_shape(lambda v, x: model.apply(v, x, train=False), variables, images)
    assert logits.shape == (2, 7)
    # 224: (224 + 4 - 11) // 4 + 1 = 55, pooled 27, pooled 13.
    assert {name: value.shape[1] for name, value in out.items()} == {
        "features": 64, "conv1": 55, "conv2": 27, "conv3": 13, "conv4": 13, "conv5": 13
    }
