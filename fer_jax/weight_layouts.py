"""Tables: what torchvision and Keras call the layers of a network that we have too."""

from typing import NamedTuple

from fer_jax.models.vgg import VGG16_BLOCKS


class Layout(NamedTuple):
    """Describe the names in a file of weights.

    Attributes:
      layers: our layer's name to the file's, in the order in which they run.
      arrays: our array's name to the file's, which follows the layer's.
      ignored: ends of names that are not weights.
      transposed: kernels are PyTorch's: OIHW, dense ones [outputs, inputs], and what the first
        dense one reads is flattened with the channels first.
      caffe: it was trained on blue, green, red in 0..255 less their mean, as Keras' was.
    """

    layers: dict[str, str]
    arrays: dict[str, str]
    ignored: tuple[str, ...] = ()
    transposed: bool = True
    caffe: bool = False

    def source(self, layer: str, kind: str) -> str:
        """Name the file's array that is ours of a layer, such as `features.0.weight`."""
        return self.layers[layer] + self.arrays[kind]


class Network(NamedTuple):
    """Say what a network of ours can take.

    Attributes:
      layouts: names of the layouts that fit it.
      kinds: beginnings of the names of the layers that mean the same in both.
      prefix: where the layers stand among the network's parameters.
    """

    layouts: tuple[str, ...]
    kinds: tuple[str, ...]
    prefix: str = ""


TORCH_ARRAYS = {
    "kernel": ".weight", "scale": ".weight", "bias": ".bias",
    "mean": ".running_mean", "var": ".running_var",
}
DENSE = ("fc", "head")  # begin the names of dense layers


def _vgg16(*, batch_norm: bool) -> dict[str, str]:
    """Count torchvision's `features`: every layer has a number, ReLUs and pools too."""
    layers, number = {}, 0
    for i, (_, depth) in enumerate(VGG16_BLOCKS, start=1):
        for j in range(1, depth + 1):
            layers[f"conv{i}_{j}"] = f"features.{number}"
            if batch_norm:
                layers[f"bn{i}_{j}"] = f"features.{number + 1}"
            number += 3 if batch_norm else 2  # with its ReLU
        number += 1  # the pool
    return {**layers, "fc6": "classifier.0", "fc7": "classifier.3", "head": "classifier.6"}


LAYOUTS = {
    "torchvision's vgg16": Layout(_vgg16(batch_norm=False), TORCH_ARRAYS),
    "torchvision's vgg16_bn": Layout(
        _vgg16(batch_norm=True), TORCH_ARRAYS, ignored=(".num_batches_tracked",)
    ),
    "torchvision's alexnet": Layout(
        {
            **{f"conv{i}": f"features.{n}" for i, n in enumerate((0, 3, 6, 8, 10), start=1)},
            "fc6": "classifier.1", "fc7": "classifier.4", "head": "classifier.6",
        },
        TORCH_ARRAYS,
    ),
    "Keras' VGG16": Layout(
        {
            **{
                f"conv{i}_{j}": f"block{i}_conv{j}"
                for i, (_, depth) in enumerate(VGG16_BLOCKS, start=1)
                for j in range(1, depth + 1)
            },
            "fc6": "fc1", "fc7": "fc2", "head": "predictions",
        },
        {"kernel": "/kernel", "bias": "/bias"},
        transposed=False,
        caffe=True,
    ),
}

VGG_LAYOUTS = ("torchvision's vgg16", "torchvision's vgg16_bn", "Keras' VGG16")
# Only where BatchNorm stands between convolution and ReLU, as torchvision's does, is it the same.
NETWORKS = {
    "vgg16": Network(VGG_LAYOUTS, ("conv", "bn")),
    "lip_vgg16": Network(VGG_LAYOUTS, ("conv", "bn")),
    "vgg": Network(VGG_LAYOUTS, ("conv", *DENSE)),
    "hybrid": Network(VGG_LAYOUTS, ("conv", *DENSE), prefix="vgg/"),
    "vgg16_dick": Network(VGG_LAYOUTS, ("conv", *DENSE)),
    "alexnet": Network(("torchvision's alexnet",), ("conv", *DENSE)),
}
