"""Our networks written in PyTorch, from the same `config.model`; imports nothing of ours."""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import nn


class Twin(NamedTuple):
    """A network of PyTorch's, and what `torch_weights.load` needs to give it our weights."""

    network: nn.Module
    names: dict[str, str]
    flattened: dict[str, tuple[int, int, int]]


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


def build(model: Mapping[str, Any], image_shape: tuple[int, int, int]) -> Twin:
    """Build the twin of the network that `config.model` describes, for images `(h, w, c)`.

    Raises:
      KeyError: there is no twin of that network; `TWINS` has the names of those there are.
    """
    return TWINS[model["name"]](model, image_shape)


def _scaled(units, model):
    return max(1, round(units * model["width"]))


def _norms(model, epsilon=None):
    options = {"eps": epsilon or model["epsilon"], "momentum": 1 - model["momentum"]}
    return partial(nn.BatchNorm1d, **options), partial(nn.BatchNorm2d, **options)


def _plain_cnn(model, image_shape):
    size, _, channels = image_shape
    norm1d, norm2d = _norms(model)
    layers = {}
    for i, (filters, kernel) in enumerate(model["blocks"], start=1):
        filters = _scaled(filters, model)
        layers[f"conv{i}"] = nn.Conv2d(channels, filters, kernel, padding="same")
        if model["batch_norm"]:
            layers[f"bn{i}"] = norm2d(filters)
        layers |= {f"_relu{i}": nn.ReLU(), f"_drop{i}": nn.Dropout(model["dropout"])}
        layers[f"_pool{i}"] = nn.MaxPool2d(2)
        channels, size = filters, size // 2
    first = len(model["blocks"]) + 1
    layers["_flatten"], units = nn.Flatten(), channels * size * size
    for i, outputs in enumerate(model["dense"], start=first):
        outputs = _scaled(outputs, model)
        layers[f"fc{i}"] = nn.Linear(units, outputs)
        if model["batch_norm"]:
            layers[f"bn{i}"] = norm1d(outputs)
        layers |= {f"_relu{i}": nn.ReLU(), f"_drop{i}": nn.Dropout(model["dropout"])}
        units = outputs
    network = InTurn(**layers, head=nn.Linear(units, model["classes"]))
    name = f"fc{first}" if model["dense"] else "head"
    return Twin(network, {}, {name: (size, size, channels)})


def _agrawal(model, image_shape):
    """Write the fully convolutional network: "SAME" pads a kernel of eight by three and four."""
    channels, layers = image_shape[-1], {}
    _, norm2d = _norms(model)
    for i, filters in enumerate(model["widths"], start=1):
        for j, inputs in ((1, channels), (2, filters)):
            layers[f"_pad{i}_{j}"] = nn.ZeroPad2d((3, 4, 3, 4))
            layers[f"conv{i}_{j}"] = nn.Conv2d(inputs, filters, 8)
        layers[f"bn{i}"], layers[f"_relu{i}"] = norm2d(filters), nn.ReLU()
        if i in model["pool_after"]:
            layers[f"_pool{i}"] = nn.MaxPool2d(2)
        channels = filters
    head = nn.Conv2d(channels, model["classes"], 1)
    network = InTurn(**layers, head=head, _mean=nn.AdaptiveAvgPool2d(1), _flatten=nn.Flatten())
    return Twin(network, {}, {})


def _alexnet(model, image_shape):
    """Write torchvision.models.alexnet: its layers, and its names."""
    size, _, channels = image_shape
    features, ours, theirs = [], [], []
    for i, (filters, kernel, stride, padding, pooled) in enumerate(model["layers"], start=1):
        filters = _scaled(filters, model)
        ours.append(f"conv{i}")
        theirs.append(f"features.{len(features)}")
        features += [nn.Conv2d(channels, filters, kernel, stride, padding), nn.ReLU()]
        channels, size = filters, (size + 2 * padding - kernel) // stride + 1
        if pooled:
            features.append(nn.MaxPool2d(3, 2))
            size = (size - 3) // 2 + 1
    classifier, units, first = [], channels * size * size, len(ours) + 1
    for i, outputs in enumerate(model["dense"], start=first):
        outputs = _scaled(outputs, model)
        ours.append(f"fc{i}")
        theirs.append(f"classifier.{len(classifier) + 1}")
        classifier += [nn.Dropout(model["dropout"]), nn.Linear(units, outputs), nn.ReLU()]
        units = outputs
    ours.append("head")
    theirs.append(f"classifier.{len(classifier)}")
    classifier.append(nn.Linear(units, model["classes"]))
    network = InTurn(
        features=nn.Sequential(*features), _flatten=nn.Flatten(),
        classifier=nn.Sequential(*classifier),
    )
    names = dict(zip(ours, theirs, strict=True))
    return Twin(network, names, {f"fc{first}": (size, size, channels)})


def _vgg(model, image_shape):
    """Write Li's VGG: BatchNorm once a block, after the last ReLU."""
    norm1d, norm2d = _norms(model, epsilon=1e-3)
    size, _, channels = image_shape
    layers = {}
    for i, (filters, depth) in enumerate(model["blocks"], start=1):
        filters = _scaled(filters, model)
        for j in range(1, depth + 1):
            layers[f"conv{i}_{j}"] = nn.Conv2d(channels, filters, 3, padding=1)
            layers[f"_relu{i}_{j}"], channels = nn.ReLU(), filters
        layers |= {f"bn{i}": norm2d(filters), f"_pool{i}": nn.MaxPool2d(2)}
        layers[f"_drop{i}"], size = nn.Dropout(model["dropout"]), size // 2
    return _with_dense(layers, model, norm1d, maps=(size, size, channels))


def _vgg16_dick(model, image_shape):
    norm1d, norm2d = _norms(model)
    size, _, channels = image_shape
    layers = {}
    for i, (filters, depth) in enumerate(model["blocks"], start=1):
        filters = _scaled(filters, model)
        for j in range(1, depth + 1):
            layers[f"conv{i}_{j}"] = nn.Conv2d(channels, filters, 3, padding=1)
            layers |= {f"_relu{i}_{j}": nn.ReLU(), f"bn{i}_{j}": norm2d(filters)}
            layers[f"_drop{i}_{j}"], channels = nn.Dropout(model["dropout"]), filters
        stride = model["last_stride"] if i == len(model["blocks"]) else 2
        layers[f"_pool{i}"], size = nn.MaxPool2d(2, stride=stride), (size - 2) // stride + 1
    return _with_dense(layers, model, norm1d, maps=(size, size, channels))


def _with_dense(layers, model, norm1d, *, maps):
    """End a VGG: fully connected layers and the head on the last maps, `maps` their shape."""
    first, (height, width, channels) = len(model["blocks"]) + 1, maps
    layers["_flatten"], units = nn.Flatten(), height * width * channels
    for i, outputs in enumerate(model["dense"], start=first):
        outputs = _scaled(outputs, model)
        layers |= {f"fc{i}": nn.Linear(units, outputs), f"_relu{i}": nn.ReLU()}
        layers |= {f"bn{i}": norm1d(outputs), f"_drop{i}": nn.Dropout(model["dropout"])}
        units = outputs
    network = InTurn(**layers, head=nn.Linear(units, model["classes"]))
    return Twin(network, {}, {f"fc{first}": maps})


class ResNet9(nn.Module):
    """Dick's figure 3."""

    def __init__(self, model, channels):
        super().__init__()
        _, norm2d = _norms(model)
        self.stages, self.last_pool = model["stages"], model["last_pool"]

        def unit(name, inputs, outputs):
            self.add_module(f"{name}_conv", nn.Conv2d(inputs, outputs, 3, padding=1))
            self.add_module(f"{name}_bn", norm2d(outputs))

        for i, (filters, _, residual) in enumerate(self.stages, start=1):
            filters = _scaled(filters, model)
            unit(f"stage{i}", channels, filters)
            if residual:
                unit(f"stage{i}_res1", filters, filters)
                unit(f"stage{i}_res2", filters, filters)
            channels = filters
        self.channels = channels

    def unit(self, name, x):
        x = self.get_submodule(f"{name}_conv")(x)
        return torch.relu(self.get_submodule(f"{name}_bn")(x))

    def forward(self, x):
        for i, (_, pooled, residual) in enumerate(self.stages, start=1):
            x = self.unit(f"stage{i}", x)
            if pooled:
                x = nn.functional.max_pool2d(x, 2)
            if residual:
                x = x + self.unit(f"stage{i}_res2", self.unit(f"stage{i}_res1", x))
        return self.head(nn.functional.max_pool2d(x, self.last_pool).flatten(1))


def _resnet9(model, image_shape):
    size, _, channels = image_shape
    network = ResNet9(model, channels)
    for _, pooled, _ in model["stages"]:
        size = size // 2 if pooled else size
    size //= model["last_pool"]
    network.head = nn.Linear(network.channels * size * size, model["classes"])
    return Twin(network, {}, {"head": (size, size, network.channels)})


class DAE(nn.Module):
    """Li's denoising autoencoder, which returns the reconstruction's logits."""

    def __init__(self, model, channels):
        super().__init__()
        outer, inner = model["filters"]
        conv = partial(nn.Conv2d, kernel_size=3, padding=1)
        self.encode1, self.encode2 = conv(channels, outer), conv(outer, inner)
        self.decode1, self.decode2 = conv(inner, inner), conv(inner, outer)
        self.decode3 = conv(outer, channels)

    def forward(self, x):
        double = partial(nn.functional.interpolate, scale_factor=2, mode="nearest")
        x = nn.functional.max_pool2d(torch.relu(self.encode1(x)), 2)
        x = nn.functional.max_pool2d(torch.relu(self.encode2(x)), 2)
        x = double(torch.relu(self.decode1(x)))
        return self.decode3(double(torch.relu(self.decode2(x))))


class SqueezeExcite(nn.Module):
    """Weigh channels by two dense layers on their means."""

    def __init__(self, channels, ratio):
        super().__init__()
        self.reduce = nn.Linear(channels, max(1, channels // ratio))
        self.expand = nn.Linear(max(1, channels // ratio), channels)

    def forward(self, x):
        weights = torch.sigmoid(self.expand(torch.relu(self.reduce(x.mean((2, 3))))))
        return x * weights[:, :, None, None]


class SeparableConv(InTurn):
    """A convolution of each channel by itself, then one that mixes them."""

    def __init__(self, inputs, outputs):
        super().__init__(
            depthwise=nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False),
            pointwise=nn.Conv2d(inputs, outputs, 1, bias=False),
        )


class ResidualModule(nn.Module):
    """Two separable convolutions, a pool and attention, beside a strided 1x1 convolution."""

    def __init__(self, model, inputs, outputs):
        super().__init__()
        _, norm2d = _norms(model)
        self.sep1, self.bn1 = SeparableConv(inputs, outputs), norm2d(outputs)
        self.sep2, self.bn2 = SeparableConv(outputs, outputs), norm2d(outputs)
        attends = model["attention"] == "se"
        self.attend = SqueezeExcite(outputs, model["ratio"]) if attends else nn.Identity()
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride=2, bias=False)
        self.shortcut_bn = norm2d(outputs)

    def forward(self, x):
        y = torch.relu(self.bn1(self.sep1(x)))
        y = nn.functional.max_pool2d(self.bn2(self.sep2(y)), 2)
        return self.attend(y) + self.shortcut_bn(self.shortcut(x))


def _se_separable(model, image_shape):
    channels, layers = image_shape[-1], {}
    _, norm2d = _norms(model)
    for i, filters in enumerate(model["stem"], start=1):
        filters = _scaled(filters, model)
        layers[f"conv{i}"] = nn.Conv2d(channels, filters, 3, padding=1, bias=False)
        layers |= {f"bn{i}": norm2d(filters), f"_relu{i}": nn.ReLU()}
        channels = filters
    for i, filters in enumerate(model["modules"], start=1):
        filters = _scaled(filters, model)
        layers[f"module{i}"] = ResidualModule(model, channels, filters)
        layers[f"_drop{i}"], channels = nn.Dropout(model["dropout"]), filters
    head = nn.Conv2d(channels, model["classes"], 3, padding=1)
    network = InTurn(**layers, head=head, _mean=nn.AdaptiveAvgPool2d(1), _flatten=nn.Flatten())
    return Twin(network, {}, {})


TWINS = {
    "agrawal_fcn": _agrawal,
    "alexnet": _alexnet,
    "alizadeh_deep": _plain_cnn,
    "alizadeh_shallow": _plain_cnn,
    "custom_cnn": _plain_cnn,
    "dae": lambda model, image_shape: Twin(DAE(model, image_shape[-1]), {}, {}),
    "resnet9": _resnet9,
    "se_separable": _se_separable,
    "vgg": _vgg,
    "vgg16_dick": _vgg16_dick,
}
