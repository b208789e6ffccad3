"""Networks against PyTorch twins of the same weights: logits, and one training pass' statistics."""

from functools import partial

import numpy as np
import pytest

from fer_jax.models.agrawal import FullyConvolutional
from fer_jax.models.alexnet import AlexNet
from fer_jax.models.plain_cnn import ALIZADEH_DEEP, ALIZADEH_SHALLOW, CUSTOM_CNN, PlainCNN
from fer_jax.models.resnet9 import ResNet9
from fer_jax.models.vgg16_dick import DickVGG

torch = pytest.importorskip("torch", reason="needs PyTorch: the extra `reference`")

from torch import nn  # noqa: E402

from tests import twins  # noqa: E402

pytestmark = pytest.mark.usefixtures("quick_compile")

FACES = twins.draw_images((4, 48, 48, 1))
# Half of each running average is the batch's, so that a wrong batch statistic shows.
MOMENTUM = 0.5
BatchNorm2d = partial(nn.BatchNorm2d, momentum=1 - MOMENTUM)
BatchNorm1d = partial(nn.BatchNorm1d, momentum=1 - MOMENTUM)


class InTurn(nn.Module):
    """Run named layers one after another; those without parameters have a name with "_"."""

    def __init__(self, **layers: nn.Module):
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x):
        for layer in self.children():
            x = layer(x)
        return x


def check(model, twin, images, *, names=None, flattened=None):
    variables = twins.draw_variables(model, images.shape)
    twins.load(variables, twin, names=names, flattened=flattened)
    twins.check_logits(model, variables, twin, images)
    twins.check_training(model, variables, twin, images, names=names)


def plain_twin(blocks, dense, *, batch_norm, epsilon, size=48) -> InTurn:
    layers, channels = {}, 1
    for i, (filters, kernel) in enumerate(blocks, start=1):
        layers[f"conv{i}"] = nn.Conv2d(channels, filters, kernel, padding="same")
        if batch_norm:
            layers[f"bn{i}"] = BatchNorm2d(filters, eps=epsilon)
        layers[f"_relu{i}"], layers[f"_pool{i}"] = nn.ReLU(), nn.MaxPool2d(2)
        channels, size = filters, size // 2
    layers["_flatten"], units = nn.Flatten(), channels * size * size
    for i, outputs in enumerate(dense, start=len(blocks) + 1):
        layers[f"fc{i}"] = nn.Linear(units, outputs)
        if batch_norm:
            layers[f"bn{i}"] = BatchNorm1d(outputs, eps=epsilon)
        layers[f"_relu{i}"], units = nn.ReLU(), outputs
    return InTurn(**layers, head=nn.Linear(units, 7))


@pytest.mark.parametrize(
    "fields, epsilon",
    [
        ({**ALIZADEH_SHALLOW, "batch_norm": True}, 1e-3),
        # The deep one's last two blocks at a quarter, for speed.
        ({**ALIZADEH_DEEP, "blocks": ((64, 3), (128, 5), (128, 3), (128, 3)), "batch_norm": True},
         1e-3),
        *((CUSTOM_CNN[version], 1e-5) for version in ("v1", "v2", "v4")),
    ],
    ids=["alizadeh shallow", "alizadeh deep", "custom v1", "custom v2", "custom v4"],
)
def test_plain_cnn(fields, epsilon):
    fields = {**fields, "dropout": 0.0}
    model = PlainCNN(**fields, momentum=MOMENTUM, epsilon=epsilon)
    blocks, dense = fields["blocks"], fields["dense"]
    twin = plain_twin(blocks, dense, batch_norm=fields["batch_norm"], epsilon=epsilon)
    last = 48 >> len(blocks)
    flattened = {f"fc{len(blocks) + 1}": (last, last, blocks[-1][0])}
    check(model, twin, FACES, flattened=flattened)


def test_agrawal():
    # With all four pools most of an 8x8 kernel lies beyond the map, and random kernels make next
    # to nothing of what differs between two faces.
    model = FullyConvolutional(momentum=MOMENTUM, pool_after=(1, 2))
    layers, channels = {}, 1
    for i, filters in enumerate(model.widths, start=1):
        # "SAME" pads a kernel of eight by three before and four after.
        for j, inputs in ((1, channels), (2, filters)):
            layers[f"_pad{i}_{j}"] = nn.ZeroPad2d((3, 4, 3, 4))
            layers[f"conv{i}_{j}"] = nn.Conv2d(inputs, filters, 8)
        layers[f"bn{i}"], layers[f"_relu{i}"] = BatchNorm2d(filters, eps=1e-3), nn.ReLU()
        if i in model.pool_after:
            layers[f"_pool{i}"] = nn.MaxPool2d(2)
        channels = filters
    twin = InTurn(
        **layers, head=nn.Conv2d(32, 7, 1), _mean=nn.AdaptiveAvgPool2d(1), _flatten=nn.Flatten()
    )
    check(model, twin, FACES[:, :32, :32])


def test_alexnet():
    # torchvision.models.alexnet: its layers, and its names, at an eighth of the dense units.
    units = 512
    features = nn.Sequential(
        nn.Conv2d(3, 64, 11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2),
    )
    classifier = nn.Sequential(
        nn.Dropout(0.0), nn.Linear(256 * 6 * 6, units), nn.ReLU(),
        nn.Dropout(0.0), nn.Linear(units, units), nn.ReLU(), nn.Linear(units, 7),
    )
    twin = InTurn(
        features=features, avgpool=nn.AdaptiveAvgPool2d(6),
        _flatten=nn.Flatten(), classifier=classifier,
    )
    ours = ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "head")
    theirs = (*(f"features.{i}" for i in (0, 3, 6, 8, 10)),
              *(f"classifier.{i}" for i in (1, 4, 6)))
    names = dict(zip(ours, theirs, strict=True))
    model = AlexNet(dense=(units, units), dropout=0.0)
    pictures = twins.draw_images((2, 224, 224, 3))
    check(model, twin, pictures, names=names, flattened={"fc6": (6, 6, 256)})


def test_vgg16_dick():
    blocks = ((8, 2), (16, 2), (32, 3), (64, 3), (64, 3))
    model = DickVGG(blocks=blocks, dense=(64, 48), dropout=0.0, momentum=MOMENTUM)
    layers, channels = {}, 1
    for i, (filters, depth) in enumerate(blocks, start=1):
        for j in range(1, depth + 1):
            layers[f"conv{i}_{j}"] = nn.Conv2d(channels, filters, 3, padding=1)
            layers[f"_relu{i}_{j}"], layers[f"bn{i}_{j}"] = nn.ReLU(), BatchNorm2d(filters)
            channels = filters
        layers[f"_pool{i}"] = nn.MaxPool2d(2, stride=1 if i == len(blocks) else 2)
    twin = InTurn(
        **layers, _flatten=nn.Flatten(),
        fc6=nn.Linear(2 * 2 * 64, 64), _relu6=nn.ReLU(), bn6=BatchNorm1d(64),
        fc7=nn.Linear(64, 48), _relu7=nn.ReLU(), bn7=BatchNorm1d(48), head=nn.Linear(48, 7),
    )
    # Of four faces, bn6 and bn7 would divide by a variance of four numbers, and small errors grow.
    faces = twins.draw_images((16, 48, 48, 1))
    check(model, twin, faces, flattened={"fc6": (2, 2, 64)})


class ResNet9Twin(nn.Module):
    """Dick's figure 3 at an eighth of its filters, with eight outputs."""

    def __init__(self):
        super().__init__()
        for name, inputs, outputs in (
            ("stage1", 1, 8), ("stage2", 8, 16), ("stage2_res1", 16, 16), ("stage2_res2", 16, 16),
            ("stage3", 16, 32), ("stage4", 32, 64), ("stage4_res1", 64, 64),
            ("stage4_res2", 64, 64),
        ):
            self.add_module(f"{name}_conv", nn.Conv2d(inputs, outputs, 3, padding=1))
            self.add_module(f"{name}_bn", BatchNorm2d(outputs))
        self.head = nn.Linear(64, 8)

    def unit(self, name, x):
        x = self.get_submodule(f"{name}_conv")(x)
        return torch.relu(self.get_submodule(f"{name}_bn")(x))

    def forward(self, x):
        pool = partial(nn.functional.max_pool2d, kernel_size=2)
        x = pool(self.unit("stage2", self.unit("stage1", x)))
        x = self.unit("stage2_res2", self.unit("stage2_res1", x)) + x
        x = pool(self.unit("stage4", pool(self.unit("stage3", x))))
        x = self.unit("stage4_res2", self.unit("stage4_res1", x)) + x
        return self.head(nn.functional.max_pool2d(x, 4).flatten(1))


def test_resnet9():
    check(ResNet9(classes=8, width=1 / 8, momentum=MOMENTUM), ResNet9Twin(), FACES)


def test_a_wrong_order_of_flattening_would_be_seen():
    """Guard the comparison itself: a dense layer copied without its order is not the same layer."""
    model = PlainCNN(blocks=((4, 3),), dense=(8,), dropout=0.0, momentum=MOMENTUM)
    images = twins.draw_images((4, 8, 8, 1))
    variables = twins.draw_variables(model, images.shape)
    twin = plain_twin(((4, 3),), (8,), batch_norm=True, epsilon=1e-3, size=8)
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        twins.check_logits(model, variables, twins.load(variables, twin), images)
    twins.load(variables, twin, flattened={"fc2": (4, 4, 4)})
    twins.check_logits(model, variables, twin, images)


def test_the_biased_variance_would_be_seen():
    """Guard the comparison of statistics: without n / (n - 1) it fails."""
    model = PlainCNN(blocks=(), dense=(8,), dropout=0.0, momentum=MOMENTUM)
    images = twins.draw_images((4, 2, 2, 1))
    variables = twins.draw_variables(model, images.shape)
    twin = InTurn(_flatten=nn.Flatten(), fc1=nn.Linear(4, 8), bn1=BatchNorm1d(8, eps=1e-3),
                  _relu=nn.ReLU(), head=nn.Linear(8, 7))
    twins.load(variables, twin)
    twins.check_training(model, variables, twin, images)
    twin.load_state_dict({**twin.state_dict(), **twins.to_state_dict(variables)})
    twin(twins.to_nchw(images))
    _, mutated = model.apply(variables, images, train=True, mutable=["batch_stats"])
    variance = mutated["batch_stats"]["bn1"]["var"]
    assert not np.allclose(variance, twin.bn1.running_var, rtol=1e-2)
