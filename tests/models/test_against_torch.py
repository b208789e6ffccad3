"""Networks against PyTorch twins of the same weights: logits, and one training pass' statistics."""

import numpy as np
import pytest

from fer_jax.models.agrawal import FullyConvolutional
from fer_jax.models.alexnet import AlexNet
from fer_jax.models.dae import DAE
from fer_jax.models.plain_cnn import ALIZADEH_DEEP, ALIZADEH_SHALLOW, CUSTOM_CNN, PlainCNN
from fer_jax.models.resnet9 import ResNet9
from fer_jax.models.se_separable import SESeparable
from fer_jax.models.vgg import VGG
from fer_jax.models.vgg16_dick import DickVGG

torch = pytest.importorskip("torch", reason="needs PyTorch: the extra `reference`")

from benchmarks import torch_networks  # noqa: E402
from tests import twins  # noqa: E402

pytestmark = pytest.mark.usefixtures("quick_compile")

FACES = twins.draw_images((4, 48, 48, 1))
# Half of each running average is the batch's, so that a wrong batch statistic shows.
MOMENTUM = 0.5
KERAS, PYTORCH = {"epsilon": 1e-3}, {"epsilon": 1e-5}
DEEP = ((64, 3), (128, 5), (128, 3), (128, 3))  # the last two blocks at a quarter, for speed
SMALL_VGG = ((8, 2), (16, 2), (32, 3), (64, 3), (64, 3))


def check(name, model, images, **fields):
    """Check a network of ours against benchmarks/torch_networks.py's of the same fields."""
    fields = {"dropout": 0.0, "momentum": MOMENTUM, "width": 1.0, "classes": 7, **fields}
    fields |= {
        key: getattr(model, key) for key in model.__dataclass_fields__
        if key not in ("parent", "name", "dtype", "kernel_init")
    }
    twin = torch_networks.build({**fields, "name": name}, images.shape[1:])
    variables = twins.draw_variables(model, images.shape)
    twins.load(variables, twin.network, names=twin.names, flattened=twin.flattened)
    twins.check_logits(model, variables, twin.network, images)
    twins.check_training(model, variables, twin.network, images, names=twin.names)


@pytest.mark.parametrize(
    "fields",
    [
        {**ALIZADEH_SHALLOW, "batch_norm": True, **KERAS},
        {**ALIZADEH_DEEP, "blocks": DEEP, "batch_norm": True, **KERAS},
        *({**CUSTOM_CNN[version], **PYTORCH} for version in ("v1", "v2", "v4")),
    ],
    ids=["alizadeh shallow", "alizadeh deep", "custom v1", "custom v2", "custom v4"],
)
def test_plain_cnn(fields):
    check("custom_cnn", PlainCNN(**{**fields, "dropout": 0.0}, momentum=MOMENTUM), FACES)


def test_agrawal():
    # With all four pools most of an 8x8 kernel lies beyond the map, and random kernels make next
    # to nothing of what differs between two faces.
    model = FullyConvolutional(momentum=MOMENTUM, pool_after=(1, 2))
    check("agrawal_fcn", model, FACES[:, :32, :32])


def test_alexnet():
    # At an eighth of the dense units.
    model = AlexNet(dense=(512, 512), dropout=0.0)
    check("alexnet", model, twins.draw_images((2, 224, 224, 3)))


def test_vgg16_dick():
    model = DickVGG(blocks=SMALL_VGG, dense=(64, 48), dropout=0.0, momentum=MOMENTUM)
    # Of four faces, bn6 and bn7 would divide by a variance of four numbers, and small errors grow.
    check("vgg16_dick", model, twins.draw_images((16, 48, 48, 1)))


def test_vgg():
    model = VGG(blocks=SMALL_VGG, dense=(64, 48), dropout=0.0, momentum=MOMENTUM)
    check("vgg", model, twins.draw_images((16, 48, 48, 1)))


def test_resnet9():
    check("resnet9", ResNet9(classes=8, width=1 / 8, momentum=MOMENTUM), FACES)


def test_se_separable():
    model = SESeparable(width=1 / 2, dropout=0.0, momentum=MOMENTUM)
    check("se_separable", model, FACES)


def test_dae():
    """Compare reconstructions, which PyTorch has with the channels before the pixels."""
    model, faces = DAE(), FACES[:2]
    twin = torch_networks.build({"name": "dae", "filters": model.filters}, faces.shape[1:])
    variables = twins.draw_variables(model, faces.shape)
    twins.load(variables, twin.network)
    logits, _ = model.apply(variables, faces, train=False)
    with torch.no_grad():
        expected = twin.network(twins.to_nchw(faces)).movedim(1, -1)
    assert float(expected.std()) > 0.1
    np.testing.assert_allclose(logits, expected, atol=1e-4)


def plain_twin(blocks, dense, size):
    fields = {
        "name": "custom_cnn", "blocks": blocks, "dense": dense, "batch_norm": True, **KERAS,
        "dropout": 0.0, "momentum": MOMENTUM, "width": 1.0, "classes": 7,
    }
    return torch_networks.build(fields, (size, size, 1)).network


def test_a_wrong_order_of_flattening_would_be_seen():
    """Guard the comparison itself: a dense layer copied without its order is not the same layer."""
    model = PlainCNN(blocks=((4, 3),), dense=(8,), dropout=0.0, momentum=MOMENTUM)
    images = twins.draw_images((4, 8, 8, 1))
    variables = twins.draw_variables(model, images.shape)
    twin = plain_twin(((4, 3),), (8,), 8)
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        twins.check_logits(model, variables, twins.load(variables, twin), images)
    twins.load(variables, twin, flattened={"fc2": (4, 4, 4)})
    twins.check_logits(model, variables, twin, images)


def test_the_biased_variance_would_be_seen():
    """Guard the comparison of statistics: without n / (n - 1) it fails."""
    model = PlainCNN(blocks=(), dense=(8,), dropout=0.0, momentum=MOMENTUM)
    images = twins.draw_images((4, 2, 2, 1))
    variables = twins.draw_variables(model, images.shape)
    twin = plain_twin((), (8,), 2)
    twins.load(variables, twin)
    twins.check_training(model, variables, twin, images)
    twin.load_state_dict({**twin.state_dict(), **twins.to_state_dict(variables)})
    twin(twins.to_nchw(images))
    _, mutated = model.apply(variables, images, train=True, mutable=["batch_stats"])
    variance = mutated["batch_stats"]["bn1"]["var"]
    assert not np.allclose(variance, twin.bn1.running_var, rtol=1e-2)
