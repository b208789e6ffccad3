"""Pretrained files: their names met, their layouts turned, and wrong ones named."""

import pickle
import sys

import jax
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from fer_jax import models, pretrained
from fer_jax.errors import UserError
from fer_jax.models.alexnet import AlexNet
from fer_jax.ops.normalisation import IMAGENET_MEAN, IMAGENET_STD, normalise
from fer_jax.transfer import merge
from fer_jax.weight_files import read_weights
from fer_jax.weight_layouts import LAYOUTS
from tests.tiny import abstract_variables, fill_variables, model_config

torch = pytest.importorskip("torch", reason="needs PyTorch: the extra `reference`")
h5py = pytest.importorskip("h5py", reason="needs h5py: the extra `pretrained`")
safetensors = pytest.importorskip("safetensors.torch", reason="needs the extra `pretrained`")

from torch import nn  # noqa: E402

from tests import twins  # noqa: E402

pytestmark = pytest.mark.usefixtures("quick_compile")

FILTERS = (4, 4, "M", 8, 8, "M", 16, 16, 16, "M", 32, 32, 32, "M", 32, 32, 32, "M")
WIDTH = 1 / 16  # of ours: the same filters


class TorchVGG16(nn.Module):
    """torchvision's vgg16 or vgg16_bn, layer for layer, at a sixteenth of the filters."""

    def __init__(self, *, batch_norm: bool, extra: int = 0):
        super().__init__()
        layers, channels = [], 3
        for filters in FILTERS:
            if filters == "M":
                layers += [nn.MaxPool2d(2)]
                continue
            norm = [nn.BatchNorm2d(filters)] if batch_norm else []
            layers += [nn.Conv2d(channels, filters, 3, padding=1), *norm, nn.ReLU()]
            channels = filters
        self.features = nn.Sequential(*layers, *[nn.Conv2d(32, 32, 3) for _ in range(extra)])
        self.classifier = nn.Sequential(
            nn.Linear(32 * 49, 8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 8), nn.ReLU(),
            nn.Dropout(), nn.Linear(8, 10),
        )


class TorchAlexNet(nn.Module):
    """torchvision's alexnet, layer for layer, small and without its average pool."""

    def __init__(self, *, side: int, classes: int):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
            nn.Conv2d(8, 24, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
            nn.Conv2d(24, 48, 3, padding=1), nn.ReLU(),
            nn.Conv2d(48, 32, 3, padding=1), nn.ReLU(),
            nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2),
        )
        self.classifier = nn.Sequential(
            nn.Dropout(), nn.Linear(32 * side * side, 16), nn.ReLU(), nn.Dropout(),
            nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, classes),
        )

    def forward(self, x):
        return self.classifier(torch.flatten(self.features(x), 1))


def draw(twin: nn.Module) -> nn.Module:
    """Draw a twin's weights and statistics so that nothing is trivial and maps stay of size one."""
    generator = torch.Generator().manual_seed(0)
    for name, array in twin.state_dict().items():
        if array.ndim > 1:
            array.normal_(0, (2 / array[0].numel()) ** 0.5, generator=generator)
        elif array.ndim:
            low = 0.5 if name.endswith(("var", "weight")) else -0.2
            array.uniform_(low, 3 * abs(low), generator=generator)
    return twin.eval()


def write(twin: nn.Module, path):
    if path.suffix == ".safetensors":
        safetensors.save_file(twin.state_dict(), path)
    else:
        torch.save(twin.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def vgg16_bn():
    return draw(TorchVGG16(batch_norm=True))


@pytest.fixture(scope="module")
def vgg16():
    return draw(TorchVGG16(batch_norm=False))


def start(network: str, path, *, shape=(2, 48, 48, 3), **fields):
    """Build a network from a file: module, variables with the rest filled, what was loaded."""
    model = models.build(model_config(network, **{"width": WIDTH, **fields}))
    abstract = abstract_variables(model, shape)
    loaded = pretrained.load(path, abstract, network=network)
    return model, merge(fill_variables(abstract), loaded.variables), loaded


def rows(loaded) -> dict[str, tuple[str, str, str]]:
    return {row.name: (row.source, row.state, row.how) for row in loaded.rows}


def test_a_whole_alexnet_gives_the_twins_logits(tmp_path):
    # 127 pixels leave a map of 3x3, so the first dense kernel's order matters.
    twin = draw(TorchAlexNet(side=3, classes=7))
    path = write(twin, tmp_path / "alexnet.pth")
    model = AlexNet(dense=(128, 128), width=1 / 8)
    images = twins.draw_images((2, 127, 127, 3))
    loaded = pretrained.load(path, abstract_variables(model, images.shape), network="alexnet")
    assert {row.state for row in loaded.rows} == {"loaded", "converted"} and not loaded.unused
    assert rows(loaded)["fc6/kernel"] == (
        "classifier.1.weight", "converted", "transposed, channels last"
    )
    apply = jax.jit(lambda v, x: model.apply(v, normalise(x, name="imagenet"), train=False))
    logits, _ = apply(loaded.variables, images)
    with torch.no_grad():
        seen = (images - np.float32(IMAGENET_MEAN)) / np.float32(IMAGENET_STD)
        expected = twin(twins.to_nchw(seen)).numpy()
    assert np.ptp(expected, axis=0).max() > 0.05
    np.testing.assert_allclose(logits, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("channels", [3, 1])
def test_the_trunk_gives_the_twins_maps_in_colour_and_grey(tmp_path, vgg16_bn, channels):
    path = write(vgg16_bn, tmp_path / "vgg16_bn.safetensors")
    images = twins.draw_images((2, 48, 48, channels))
    model, variables, loaded = start("vgg16", path, shape=images.shape)
    (_, out) = jax.jit(lambda v, x: model.apply(v, x, train=False))(variables, images)
    with torch.no_grad():
        # The same grey in red, green and blue is what the summed kernel must be equal to.
        expected = vgg16_bn.features(twins.to_nchw(np.repeat(images, 3 // channels, axis=-1)))
    expected = np.moveaxis(expected.numpy(), 1, -1)
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(out["pool5"], expected, atol=1e-4, rtol=1e-4)
    found = rows(loaded)
    how = "transposed" + ", RGB summed" * (channels == 1)
    assert found["conv1_1/kernel"] == ("features.0.weight", "converted", how)
    assert found["bn5_3/var"] == ("features.41.running_var", "loaded", "")
    assert found["head/kernel"] == ("", "new", "the file has no such layer")
    described = pretrained.describe(path, loaded)
    sizes = {"params": 0, "batch_stats": 0}
    for (collection, *_), leaf in flatten_dict(variables).items():
        sizes[collection] += leaf.size
    assert sum(described[state] for state in ("loaded", "converted", "new")) == sum(sizes.values())
    # Of the dense layers nothing, and PyTorch's counts of batches are no weights.
    assert sorted(loaded.unused) == [
        f"classifier.{i}.{kind}" for i in (0, 3, 6) for kind in ("bias", "weight")
    ]


@pytest.mark.parametrize("network", ["vgg", "hybrid", "vgg16_dick"])
def test_networks_with_other_norms_take_the_convolutions(tmp_path, vgg16_bn, network):
    path = write(vgg16_bn, tmp_path / "vgg16_bn.pth")
    _, variables, loaded = start(network, path, shape=(2, 32, 32, 1))
    prefix = "vgg/" if network == "hybrid" else ""
    found = rows(loaded)
    assert found[f"{prefix}conv5_3/bias"] == ("features.40.bias", "loaded", "")
    norm = "bn1_1" if network == "vgg16_dick" else "bn1"
    assert found[f"{prefix}{norm}/scale"][1] == found[f"{prefix}{norm}/mean"][1] == "new"
    # 32x32 faces leave one pixel, torchvision's 224x224 leave 7x7.
    assert found[f"{prefix}fc6/kernel"] == ("", "new", "the file's is 1568x8")
    assert found[f"{prefix}fc7/bias"] == ("", "new", "it follows a new layer")
    taken = variables["params"]["vgg"] if prefix else variables["params"]
    theirs = vgg16_bn.state_dict()["features.3.weight"].numpy()
    np.testing.assert_array_equal(taken["conv1_2"]["kernel"], theirs.transpose(2, 3, 1, 0))


def keras_arrays(twin) -> dict[str, list[np.ndarray]]:
    """Give kernel and bias of Keras' VGG16 by layer, without its dense layers."""
    state, layers = twin.state_dict(), LAYOUTS["Keras' VGG16"].layers
    sources = LAYOUTS["torchvision's vgg16"].layers
    return {
        theirs: [
            state[f"{sources[ours]}.weight"].numpy().transpose(2, 3, 1, 0),
            state[f"{sources[ours]}.bias"].numpy(),
        ]
        for ours, theirs in layers.items() if ours.startswith("conv")
    }


# Where each version of Keras puts a layer's two arrays.
KERAS_NAMES = {
    "applications": ("{0}/{0}_W_1:0", "{0}/{0}_b_1:0"),
    "Keras 2": ("{0}/{0}/kernel:0", "{0}/{0}/bias:0"),
    "Keras 2, a whole model": ("model_weights/{0}/{0}/kernel:0", "model_weights/{0}/{0}/bias:0"),
    "Keras 3": ("layers/{0}/vars/0", "layers/{0}/vars/1"),
}


@pytest.mark.parametrize("version", KERAS_NAMES)
def test_keras_files_of_each_version_are_read(tmp_path, vgg16, version):
    path, arrays = tmp_path / "vgg16.h5", keras_arrays(vgg16)
    with h5py.File(path, "w") as file:
        for layer, pair in arrays.items():
            for name, array in zip(KERAS_NAMES[version], pair, strict=True):
                file[name.format(layer)] = array
        # As Keras writes them; layers without weights have a group too.
        file.create_group("block1_pool")
        file.attrs["layer_names"] = [layer.encode() for layer in arrays]
        file["optimizer_weights/iterations"] = 7
    _, _, loaded = start("vgg16", path)
    found = rows(loaded)
    assert loaded.layout == "Keras' VGG16" and not loaded.unused
    assert found["conv5_3/kernel"] == ("block5_conv3/kernel", "loaded", "")
    assert found["conv1_1/kernel"][2] == "to ImageNet's RGB"
    np.testing.assert_array_equal(
        loaded.variables["params"]["conv3_2"]["kernel"], arrays["block3_conv2"][0]
    )


def test_keras_first_layer_takes_imagenets_pixels():
    generator = np.random.default_rng(0)
    kernel = generator.normal(size=(3, 3, 3, 4)).astype(np.float32)
    layout = LAYOUTS["Keras' VGG16"]
    names = [layout.source("conv1_1", kind) for kind in ("kernel", "bias")]
    before = {names[0]: kernel, names[1]: np.ones(4, np.float32)}
    after, changed = pretrained.take_imagenet_pixels(before, layout)
    assert changed == tuple(names)
    patch = generator.uniform(size=(3, 3, 3))  # red, green, blue in 0..1
    caffe = 255 * patch[..., ::-1] - pretrained.CAFFE_MEAN
    ours = (patch - IMAGENET_MEAN) / IMAGENET_STD
    expected = np.einsum("hwi,hwio->o", caffe, kernel) + 1
    found = np.einsum("hwi,hwio->o", ours, after[names[0]]) + after[names[1]]
    # Sums of 27 products of up to 255 in float32.
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=0.01)
    assert np.abs(expected).min() > 1


def test_a_wrong_file_is_told_by_its_first_name(tmp_path, vgg16_bn):
    def refused(state, *, network="vgg16", **fields) -> str:
        path = tmp_path / "wrong.pth"
        torch.save(state, path)
        with pytest.raises(UserError) as told:
            start(network, path, **fields)
        return str(told.value)

    state = vgg16_bn.state_dict()
    assert "vgg16_bn: it has no 'features.8.running_mean'" in refused(
        {name: array for name, array in state.items() if name != "features.8.running_mean"}
    )
    longer = TorchVGG16(batch_norm=False, extra=1).state_dict()
    assert "vgg16: that has no 'features.31.weight'" in refused(longer)
    alexnet = TorchAlexNet(side=3, classes=7).state_dict()
    assert "(it has the names of torchvision's alexnet): it has no 'features.2.weight'" in refused(
        alexnet
    )
    assert (
        "'features.0.weight' would make 'conv1_1/kernel' 3x3x3x4, and this network's is 3x3x3x8"
        in refused(state, width=1 / 8)
    )
    with pytest.raises(UserError, match="'resnet9', for which no pretrained weights are known"):
        pretrained.convert({}, {}, network="resnet9")
    assert "OrderedDict as 'state_dict'; expected a state dict" in refused({"state_dict": state})
    state = dict(state, **{"features.0.bias": torch.full((4,), torch.nan)})
    assert "'features.0.bias' has NaN" in refused(state)


def test_a_file_without_its_dense_layers_is_as_good(tmp_path, vgg16):
    state = {f"features.{name}": array for name, array in vgg16.features.state_dict().items()}
    torch.save(state, tmp_path / "notop.pth")
    _, _, loaded = start("vgg", tmp_path / "notop.pth", shape=(2, 32, 32, 1))
    assert rows(loaded)["fc6/kernel"] == ("", "new", "the file has no such layer")


class Malice:
    """Run something of its own when it is unpickled."""

    def __reduce__(self):
        return print, ("executed",)


def test_a_pickle_that_would_run_code_is_refused(tmp_path, capsys):
    path = tmp_path / "evil.pth"
    torch.save({"features.0.weight": Malice()}, path)
    with pytest.raises(UserError, match=r"evil.pth cannot be read: .*Expected a state dict"):
        read_weights(path)
    path.write_bytes(pickle.dumps(Malice()))
    with pytest.raises(UserError, match=r"evil.pth cannot be read"):
        read_weights(path)
    assert "executed" not in capsys.readouterr().out


def test_damaged_and_foreign_files_are_refused(tmp_path, vgg16):
    for suffix in (".pth", ".safetensors", ".h5"):
        path = tmp_path / f"weights{suffix}"
        if suffix == ".h5":
            with h5py.File(path, "w") as file:
                for layer, (kernel, _) in keras_arrays(vgg16).items():
                    file[f"{layer}/kernel:0"] = kernel
        else:
            write(vgg16, path)
        whole = path.read_bytes()
        for wrong in (whole[: len(whole) // 2], b"", b"<html>404</html>" * 9):
            path.write_bytes(wrong)
            with pytest.raises(UserError, match=f"weights{suffix} cannot be read"):
                read_weights(path)
    with pytest.raises(UserError, match="there is no file .*none.pth of pretrained weights"):
        read_weights(tmp_path / "none.pth")
    with pytest.raises(UserError, match="ends in '.npz', which no file of weights has. Known"):
        read_weights(tmp_path / "weights.npz")


@pytest.mark.parametrize("package, suffix, get", [
    ("torch", ".pth", "pip install torch"),
    ("h5py", ".h5", r"pip install 'fer_jax\[pretrained\]'"),
    ("safetensors.numpy", ".safetensors", r"pip install 'fer_jax\[pretrained\]'"),
])
def test_a_missing_package_is_named_with_how_to_get_it(tmp_path, monkeypatch, package, suffix, get):
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(b"any")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=f"needs the package {package.split('.')[0]}.*: {get}"):
        read_weights(path)


def test_the_command_prints_the_table(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    twin = draw(TorchAlexNet(side=6, classes=1000))
    # The config is full size, and the file is not: the first mismatch, and exit code 1.
    path = write(twin, tmp_path / "alexnet.pth")
    assert pretrained.main([str(path), "--config=configs/alexnet.py"]) == 1
    assert "'conv1/kernel' 11x11x3x8, and this network's is 11x11x3x64" in capsys.readouterr().err
    config = tmp_path / "configs" / "narrow.py"
    config.parent.mkdir()
    config.write_text(
        "from configs import alexnet\n"
        "def get_config(variant=None):\n"
        "    config = alexnet.get_config()\n"
        "    config.model.update({'width': 1 / 8, 'dense': (128, 128)})\n"
        "    return config\n"
    )
    assert pretrained.main([str(path), f"--config={config}"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("alexnet.pth, torchvision's alexnet")
    # The head: 16 x 7 and 7.
    assert "119 new; not used: 'classifier.6.weight', 'classifier.6.bias'" in " ".join(out.split())
    cells = [line.split() for line in out.splitlines()]
    assert ["head/kernel", "16x7", "new", "the", "file's", "is", "16x1000"] in cells
    assert ["conv1/bias", "features.0.bias", "8", "loaded"] in cells
