"""Saliency and captured maps against closed forms and layers applied by hand."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fer_jax import models, saliency
from fer_jax.models.linear import Linear
from tests.tiny import abstract_variables, fill_variables, model_config

pytestmark = pytest.mark.usefixtures("quick_compile")

IMAGES = jnp.asarray(np.random.default_rng(0).random((3, 16, 16, 1)), jnp.float32)


class Pair(nn.Module):
    """Two convolutions with a norm right behind the first, and a part with a layer of its own."""

    @nn.compact
    def __call__(self, x, *, train):
        x = nn.relu(nn.BatchNorm(use_running_average=not train, name="bn")(
            nn.Conv(2, (3, 3), name="first")(x)
        ))
        x = Part(name="part")(x)
        return nn.Dense(7, name="head")(x.mean((1, 2))), {"features": x}


class Part(nn.Module):
    """One convolution, by a stride of 2."""

    @nn.compact
    def __call__(self, x):
        return nn.relu(nn.Conv(3, (3, 3), (2, 2), name="second")(x))


@pytest.fixture(scope="module")
def pair():
    model = Pair()
    return model, fill_variables(abstract_variables(model, (2, 16, 16, 1)))


def linear(channels: int):
    """Give a linear network that sees 4x4 pixels, and its kernel `[4, 4, channels, 7]`."""
    kernel = np.random.default_rng(1).normal(size=(16 * channels, 7)).astype(np.float32)
    weights = {"params": {"head": {"kernel": jnp.asarray(kernel), "bias": jnp.zeros(7)}}}
    return Linear(), weights, kernel.reshape(4, 4, channels, 7)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_saliency_of_a_linear_network_is_the_classs_weights(channels):
    model, weights, kernel = linear(channels)
    images = jnp.asarray(np.random.default_rng(2).random((2, 4, 4, channels)), jnp.float32)
    found = saliency.saliency(weights, images, jnp.array([5, 0]), model=model)
    # d logit_k / d x is the kernel's column k, whatever the image; of channels the largest.
    expected = np.abs(kernel).max(2)[..., [5, 0]].transpose(2, 0, 1)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_smoothgrad_is_the_size_of_the_mean_gradient_over_noisy_copies():
    images, classes = jnp.zeros((1, 4, 4, 1)).at[0, 0, 0].set(2.0), jnp.array([2])
    key = jax.random.key(0)

    class Square(nn.Module):
        @nn.compact
        def __call__(self, x, *, train):
            return jnp.broadcast_to((x**2).sum((1, 2)), (x.shape[0], 7)), {}

    # Its gradient is 2 x, so the mean over copies is 2 (x + mean noise): the draws show. A quarter
    # of the range 0..2 is .5.
    noise = [0.5 * jax.random.normal(one, images.shape) for one in jax.random.split(key, 3)]
    found = saliency.smooth_saliency(
        key, {}, images, classes, model=Square(), samples=3, noise=0.25
    )
    expected = abs(2 * (images + sum(noise) / 3))[..., 0]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_captured_maps_are_the_layers_applied_by_hand(pair):
    model, weights = pair
    names = ("part/second", "first", "bn", "part")
    logits, maps = saliency.capture_maps(weights, IMAGES, model=model, names=names)
    params = weights["params"]

    def apply(kernel, x, stride):
        return jax.lax.conv_general_dilated(
            x, kernel, (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    first = apply(params["first"]["kernel"], IMAGES, 1)
    norm = first / np.sqrt(1 + 1e-5)  # mean 0, variance 1, scale 1: all but Flax's epsilon
    second = apply(params["part"]["second"]["kernel"], nn.relu(norm), 2)
    expected = {"first": first, "bn": norm, "part/second": second, "part": nn.relu(second)}
    for name in names:
        np.testing.assert_allclose(maps[name], expected[name], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(logits, model.apply(weights, IMAGES, train=False)[0], rtol=1e-5)


def test_layers_are_listed_in_the_order_they_run_with_what_they_follow(pair):
    layers = saliency.list_map_layers(pair[0], (16, 16, 1))
    assert layers == [
        ("first", "Conv", (16, 16, 2), ""),
        ("bn", "BatchNorm", (16, 16, 2), "first"),
        ("part/second", "Conv", (8, 8, 3), ""),
        ("part", "Part", (8, 8, 3), ""),
    ]
    # A ReLU stands behind the norm and behind the second convolution itself.
    assert saliency.first_convolutions(layers) == ("bn", "part/second")


@pytest.mark.parametrize(
    "name, expected",
    [
        ("vgg", ("conv1_1", "conv1_2")),
        ("hybrid", ("vgg/conv1_1", "vgg/conv1_2")),
        ("alexnet", ("conv1", "conv2")),  # Dick's Figure 5
        ("resnet9", ("stage1_bn", "stage2_bn")),
        ("linear", ()),
    ],
)
def test_the_first_convolutions_of_the_networks(name, expected):
    shape = (64, 64, 3) if name == "alexnet" else (48, 48, 1)
    layers = saliency.list_map_layers(models.build(model_config(name)), shape)
    assert saliency.first_convolutions(layers) == expected


def test_constant_maps_are_those_that_do_not_change_inside_their_border():
    ramp = np.arange(16.0)[:, None] * np.ones(16)
    framed = np.full((16, 16), 3.0)
    framed[[0, 1, -1], :] = framed[:, [0, -2, -1]] = 7.0
    spot = np.zeros((16, 16))
    spot[2, 2] = 1e-3
    maps = np.stack([np.zeros((16, 16)), framed, ramp, spot, 1e6 + 1e-6 * ramp], -1)[None]
    # The border is two of sixteen pixels; the last map changes by less than float32 can tell.
    found = saliency.constant_maps(jnp.asarray(maps, jnp.float32))
    assert found.tolist() == [[True, True, False, False, True]]


@pytest.mark.parametrize(
    "names, message",
    [
        (("bn", "frist"), "there is no layer 'frist' that gives maps. Did you mean 'first'?"),
        (("head",), "there is no layer 'head' that gives maps. Known: first, bn, part/second"),
        (("bn",), ""),
    ],
)
def test_an_unknown_layer_is_answered_with_the_nearest(pair, names, message):
    layers = saliency.list_map_layers(pair[0], (16, 16, 1))
    found = saliency.explain_layers(names, layers)
    assert found.startswith(message) and bool(found) == bool(message)


def test_a_network_without_maps_says_so():
    assert "no layer of this network gives maps" in saliency.explain_layers(("conv1",), [])
