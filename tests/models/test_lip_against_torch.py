"""Dong's VGG16 and the SE-separable family against PyTorch twins of the same weights."""

from functools import partial

import pytest

from fer_jax.models.se_separable import SESeparable
from fer_jax.models.vgg16 import VGG16

torch = pytest.importorskip("torch", reason="needs PyTorch: the extra `reference`")

from torch import nn  # noqa: E402

from tests import twins  # noqa: E402

pytestmark = pytest.mark.usefixtures("quick_compile")

# Half of each running average is the batch's, so that a wrong batch statistic shows.
MOMENTUM = 0.5
BatchNorm2d = partial(nn.BatchNorm2d, momentum=1 - MOMENTUM)


class SETwin(nn.Module):
    """Squeeze-and-excitation."""

    def __init__(self, channels, ratio):
        super().__init__()
        self.reduce = nn.Linear(channels, channels // ratio)
        self.expand = nn.Linear(channels // ratio, channels)

    def forward(self, x):
        weights = torch.sigmoid(self.expand(torch.relu(self.reduce(x.mean((2, 3))))))
        return x * weights[:, :, None, None]


class ECATwin(nn.Module):
    """Efficient channel attention."""

    def __init__(self, size):
        super().__init__()
        self.conv = nn.Conv1d(1, 1, size, padding=size // 2, bias=False)

    def forward(self, x):
        weights = torch.sigmoid(self.conv(x.mean((2, 3))[:, None, :]))
        return x * weights.transpose(1, 2)[..., None]


class LIPTwin(nn.Module):
    """Local importance pooling, by the formula as it stands."""

    def __init__(self, channels, kind, width):
        super().__init__()
        shapes = {
            "projection": [(channels, channels, 1)],
            "simplified": [(channels, channels, 3)],
            "bottleneck": [(channels, width, 1), (width, width, 3), (width, channels, 1)],
        }[kind]
        self.depth = len(shapes)
        for i, (inputs, outputs, kernel) in enumerate(shapes, start=1):
            conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
            self.add_module(f"conv{i}", conv)
            self.add_module(f"norm{i}", nn.InstanceNorm2d(outputs, affine=True))

    def forward(self, x):
        y = x
        for i in range(1, self.depth + 1):
            y = self.get_submodule(f"norm{i}")(self.get_submodule(f"conv{i}")(y))
            y = y if i == self.depth else torch.relu(y)
        importance = torch.exp(12 * torch.sigmoid(y))
        average = nn.AvgPool2d(2)
        return average(x * importance) / average(importance)


class VGG16Twin(nn.Sequential):
    """Dong's VGG16: `head` is (filters, kernel), `attend` stands before or after it."""

    def __init__(self, channels, blocks, head, *, pool, attend, attention_at, units=0):
        super().__init__()
        for i, (filters, depth) in enumerate(blocks, start=1):
            for j in range(1, depth + 1):
                self.add_unit(f"{i}_{j}", channels, filters, 3)
                channels = filters
            self.add_module(f"pool{i}", pool(channels))
        if attention_at == "trunk":
            self.attend = attend
        for i, filters in enumerate(head[0], start=len(blocks) + 1):
            self.add_unit(str(i), channels, filters, head[1])
            channels = filters
        if attention_at == "head":
            self.attend = attend
        self._mean = nn.Identity() if units else nn.AdaptiveAvgPool2d(1)
        self._flatten = nn.Flatten()
        self.head = nn.Linear(units or channels, 7)

    def add_unit(self, place, inputs, outputs, kernel):
        self.add_module(f"conv{place}", nn.Conv2d(inputs, outputs, kernel, padding="same"))
        self.add_module(f"bn{place}", BatchNorm2d(outputs))
        self.add_module(f"_relu{place}", nn.ReLU())


class ModuleTwin(nn.Module):
    """A residual module of separable convolutions."""

    def __init__(self, inputs, outputs, ratio):
        super().__init__()
        for i, channels in ((1, inputs), (2, outputs)):
            sep = nn.Sequential()
            sep.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
            sep.pointwise = nn.Conv2d(channels, outputs, 1, bias=False)
            self.add_module(f"sep{i}", sep)
            self.add_module(f"bn{i}", BatchNorm2d(outputs, eps=1e-3))
        self.attend = SETwin(outputs, ratio)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride=2, bias=False)
        self.shortcut_bn = BatchNorm2d(outputs, eps=1e-3)

    def forward(self, x):
        y = self.bn2(self.sep2(torch.relu(self.bn1(self.sep1(x)))))
        y = self.attend(nn.functional.max_pool2d(y, 2))
        # An odd last row and column fall away on both ways.
        rows, columns = y.shape[2:]
        return y + self.shortcut_bn(self.shortcut(x)[:, :, :rows, :columns])


def check(model, twin, images, **options):
    variables = twins.draw_variables(model, images.shape)
    twins.load(variables, twin, **options)
    twins.check_logits(model, variables, twin, images)
    twins.check_training(model, variables, twin, images)


# Both networks at full depth and a sixteenth of the width, on faces as of RAF-DB and of FER2013.
FULL = ((4, 2), (8, 2), (16, 3), (32, 3), (32, 3))


def test_vgg16_with_max_pool():
    model = VGG16(width=1 / 16, dropout=0.0, momentum=MOMENTUM)
    twin = VGG16Twin(
        3, FULL, ((32, 32), 3), attend=nn.Identity(), attention_at="head",
        pool=lambda channels: nn.MaxPool2d(2),
    )
    check(model, twin, twins.draw_images((4, 90, 90, 3)))


def test_lip_vgg16():
    model = VGG16(
        width=1 / 16, pool="projection", attention="eca", dropout=0.0, momentum=MOMENTUM
    )
    twin = VGG16Twin(
        1, FULL, ((32, 32), 3), attend=ECATwin(3), attention_at="head",
        pool=lambda channels: LIPTwin(channels, "projection", 8),
    )
    # Five times the contrast: pools near the average leave little of noise.
    check(model, twin, 5 * twins.draw_images((4, 48, 48, 1)))


@pytest.mark.parametrize("pool, kernel", [("simplified", 1), ("bottleneck", 3)])
def test_the_other_logit_networks_and_the_other_choices(pool, kernel):
    # An odd map before the second pool; attention after the trunk; the head reads all pixels.
    blocks = ((4, 1), (8, 2))
    model = VGG16(
        blocks=blocks, head_filters=(8, 6), head_kernel=kernel, pool=pool, bottleneck=5,
        attention="se", attention_at="trunk", ratio=4, flatten=True, dropout=0.0,
        momentum=MOMENTUM,
    )
    twin = VGG16Twin(
        1, blocks, ((8, 6), kernel), attend=SETwin(8, 4), attention_at="trunk", units=3 * 3 * 6,
        pool=lambda channels: LIPTwin(channels, pool, 5),
    )
    check(model, twin, twins.draw_images((4, 14, 14, 1)), flattened={"head": (3, 3, 6)})


def test_se_separable():
    # 45 - 22 - 11 - 5 - 2 pixels: odd rows and columns in three of the four modules.
    stem, modules = (4, 6), (8, 8, 12, 16)
    model = SESeparable(stem=stem, modules=modules, ratio=4, dropout=0.0, momentum=MOMENTUM)
    twin, channels = nn.Sequential(), 1
    for i, filters in enumerate(stem, start=1):
        conv = nn.Conv2d(channels, filters, 3, padding=1, bias=False)
        twin.add_module(f"conv{i}", conv)
        twin.add_module(f"bn{i}", BatchNorm2d(filters, eps=1e-3))
        twin.add_module(f"_relu{i}", nn.ReLU())
        channels = filters
    for i, filters in enumerate(modules, start=1):
        twin.add_module(f"module{i}", ModuleTwin(channels, filters, 4))
        channels = filters
    twin.head = nn.Conv2d(channels, 7, 3, padding=1)
    twin._mean, twin._flatten = nn.AdaptiveAvgPool2d(1), nn.Flatten()
    check(model, twin, twins.draw_images((4, 45, 45, 1)))
