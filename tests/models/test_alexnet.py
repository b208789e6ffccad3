"""AlexNet: torchvision's count, and how a grey face becomes an ImageNet picture."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fer_jax.models.alexnet import IMAGENET_MEAN, IMAGENET_STD, AlexNet, to_imagenet_input
from tests.tiny import abstract_variables, count


@pytest.mark.parametrize("channels", [1, 3])
def test_count_at_full_width(channels):
    # The first convolution sees three channels whatever the faces have.
    variables = abstract_variables(AlexNet(), (2, 48, 48, channels))
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
    model = AlexNet(image_size=63, width=1 / 64)
    params = abstract_variables(model)["params"]
    assert params["fc6"]["kernel"].shape == (1 * 1 * 4, 64)
    with pytest.raises(ValueError, match="image_size is 62; AlexNet needs at least 63"):
        abstract_variables(AlexNet(image_size=62))


def test_a_grey_face_becomes_a_normalised_picture():
    images = jnp.full((2, 4, 4, 1), 0.5)
    picture = to_imagenet_input(images, size=64)
    assert picture.shape == (2, 64, 64, 3)
    expected = (0.5 - np.array(IMAGENET_MEAN)) / np.array(IMAGENET_STD)
    np.testing.assert_allclose(picture[0, 10, 20], expected, rtol=1e-5)


def test_resizing_is_bilinear_about_pixel_centres():
    images = jnp.asarray([0.0, 1.0]).reshape(1, 1, 2, 1)
    row = to_imagenet_input(images, size=64, mean=(0, 0, 0), std=(1, 1, 1))[0, 0, :, 0]
    # Pixel i of 64 has its centre at (i + .5) / 32 - .5 in the two old pixels; flat beyond theirs.
    expected = np.clip((np.arange(64) + 0.5) / 32 - 0.5, 0, 1)
    np.testing.assert_allclose(row, expected, atol=1e-6)


def test_pictures_of_two_channels_are_refused():
    with pytest.raises(ValueError, match="2 channels; expected 1 .grey. or 3 .RGB."):
        to_imagenet_input(jnp.zeros((1, 8, 8, 2)), size=64)


def test_maps_are_named_after_their_convolutions():
    model = AlexNet(width=1 / 64)
    variables = abstract_variables(model)
    images = jax.ShapeDtypeStruct((2, 48, 48, 1), jnp.float32)
    logits, out = jax.eval_shape(lambda v, x: model.apply(v, x, train=False), variables, images)
    assert logits.shape == (2, 7)
    # 224: (224 + 4 - 11) // 4 + 1 = 55, pooled 27, pooled 13.
    assert {name: value.shape[1] for name, value in out.items()} == {
        "features": 64, "conv1": 55, "conv2": 27, "conv3": 13, "conv4": 13, "conv5": 13
    }
