"""Start a network from a file of weights: `python -m fer_jax.pretrained FILE --config=...`."""

from fer_jax.commands.pretrained import main

if __name__ == "__main__":  # before the imports that --help need not wait for
    raise SystemExit(main())

from collections import Counter
from collections.abc import Iterable
from math import isqrt, prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict
from ml_collections import ConfigDict
from rich import box
from rich.table import Table

from fer_jax.errors import UserError, suggest
from fer_jax.ops.normalisation import IMAGENET_MEAN, IMAGENET_STD
from fer_jax.weight_files import hash_file, read_weights
from fer_jax.weight_layouts import DENSE, LAYOUTS, NETWORKS, Layout

# What Keras' VGG16 takes off blue, green and red, in 0..255, as Caffe did.
CAFFE_MEAN = (103.939, 116.779, 123.68)


class Row(NamedTuple):
    """Where one array of ours comes from.

    Attributes:
      name: its path, as in `conv1_1/kernel`.
      source: what the file calls it, "" if it is not from there.
      shape: ours.
      state: "loaded" as it is, "converted", or "new": drawn as without the file.
      how: what was done to it, or why it is new.
    """

    name: str
    source: str
    shape: tuple[int, ...]
    state: str
    how: str = ""


class Pretrained(NamedTuple):
    """A file's weights for a network.

    Attributes:
      variables: `params` and `batch_stats` that it fills, nested as the network's, and no others.
      rows: what becomes of each array of the network.
      layout: whose names the file has, as in "torchvision's vgg16".
      unused: names of the file's arrays that went nowhere.
    """

    variables: dict[str, Any]
    rows: list[Row]
    layout: str
    unused: list[str]


def convert(
    arrays: dict[str, np.ndarray], variables: dict[str, Any], *, network: str, file: str = "it"
) -> Pretrained:
    """Turn a file's arrays into a network's, as far as both have the same layers.

    Kernels become HWIO, dense ones [inputs, outputs] with the map's channels last. Of a network on
    grey faces the first kernel is the sum over red, green and blue: the same as those three from
    one grey. Convolutions and BatchNorms must fit; a dense layer of another shape, and those after
    it, are new. All expect pixels as torchvision does, in 0..1 less ImageNet's mean and over its
    standard deviation; Keras' first layer, made for Caffe's pixels, is changed to take them.

    Args:
      arrays: as `read_weights` gives them.
      variables: shapes, or arrays, of the network's `params` and `batch_stats`.
      network: its name, `config.model.name`.

    Raises:
      UserError: the network can take no such file, or the first name or shape in which it is not
        what the network needs.
    """
    if network not in NETWORKS:
        raise UserError(
            f"config.model.name is {network!r}, for which no pretrained weights are known. "
            f"{suggest(network, NETWORKS)}"
        )
    known = NETWORKS[network]
    title = recognise(arrays, known.layouts, file=file)
    layout = LAYOUTS[title]
    given, repixelled = take_imagenet_pixels(arrays, layout) if layout.caffe else (arrays, ())
    leaves = flatten_dict(variables)
    shapes = {
        "/".join(path[1:]).removeprefix(known.prefix): leaf.shape for path, leaf in leaves.items()
    }
    left_new = _dense_left_new(given, shapes, layout)
    # The filters of the last convolution are the channels of the map that is flattened.
    first_dense = next(layer for layer in layout.layers if layer.startswith(DENSE))
    channels = given[layout.source(_last_convolution(layout), "bias")].size
    rows, taken = [], {}
    for path in _in_order(leaves, layout, known.prefix):
        name, shape = "/".join(path[1:]), tuple(leaves[path].shape)
        layer, _, kind = name.removeprefix(known.prefix).rpartition("/")
        ours = name.startswith(known.prefix) and layer.startswith(known.kinds)
        if not ours or layer not in layout.layers or kind not in layout.arrays:
            rows.append(Row(name, "", shape, "new", "the file has no such layer"))
        elif layer in left_new:
            rows.append(Row(name, "", shape, "new", left_new[layer]))
        else:
            source = layout.source(layer, kind)
            array, how = to_ours(
                given[source], shape, transposed=layout.transposed,
                flattened=channels if layer == first_dense else 0,
            )
            if array.shape != shape:
                raise UserError(
                    f"{file} does not fit: its {source!r} would make {name!r} {_by(array.shape)}, "
                    f"and this network's is {_by(shape)}; choose model.width and blocks to fit"
                )
            how = [*(["to ImageNet's RGB"] if source in repixelled else []), *how]
            taken[path] = array
            rows.append(Row(name, source, shape, "converted" if how else "loaded", ", ".join(how)))
    used = {row.source for row in rows}
    unused = [name for name in arrays if name not in used and not name.endswith(layout.ignored)]
    return Pretrained(unflatten_dict(taken), rows, title, unused)


def recognise(arrays: Iterable[str], layouts: Iterable[str], *, file: str = "it") -> str:
    """Return which of the layouts has a file's names; its dense layers may be left out.

    Raises:
      UserError: none of them; the first name that is missing from the nearest, or not in it.
    """
    names = list(arrays)
    near = max(layouts, key=lambda title: _likeness(names, LAYOUTS[title]))
    layout = LAYOUTS[near]
    wanted = _names(layout)
    dense = {name for layer, found in wanted.items() if layer.startswith(DENSE) for name in found}
    required = [name for found in wanted.values() for name in found]
    if not dense & set(names):
        required = [name for name in required if name not in dense]
    other = next((t for t in LAYOUTS if _likeness(names, LAYOUTS[t]) == 1), None)
    hint = f" (it has the names of {other})" if other else ""
    for name in required:
        if name not in names:
            raise UserError(f"{file} is not {near}{hint}: it has no {name!r}, but {_some(names)}")
    extra = [n for n in names if n not in required and not n.endswith(layout.ignored)]
    if extra:
        raise UserError(f"{file} is not {near}{hint}: that has no {extra[0]!r}")
    return near


def to_ours(
    array: np.ndarray, shape: tuple[int, ...], *, transposed: bool, flattened: int = 0
) -> tuple[np.ndarray, list[str]]:
    """Bring an array into our order, and if `shape` has one input channel, to that.

    Args:
      array: a kernel or a vector; vectors stay as they are.
      shape: of ours; the array may come out with another one.
      transposed: its order is PyTorch's.
      flattened: channels of the square map that a dense kernel reads flattened; 0 if it does not.

    Returns the array and what was done.
    """
    how = []
    if transposed and array.ndim == 4:
        array, how = array.transpose(2, 3, 1, 0), ["transposed"]
    elif transposed and array.ndim == 2:
        array, how = array.T, ["transposed"]
        if flattened and len(array) > flattened:
            array, how = channels_last(array, flattened), [*how, "channels last"]
    if array.ndim == 4 and (array.shape[2], shape[2]) == (3, 1):
        array, how = array.sum(axis=2, keepdims=True), [*how, "RGB summed"]
    return array, how


def channels_last(kernel: np.ndarray, channels: int) -> np.ndarray:
    """Reorder a dense kernel `[c * s * s, o]` that reads a map `[c, s, s]` to one of `[s, s, c]`.

    Raises:
      UserError: its inputs are no such map.
    """
    inputs, outputs = kernel.shape
    side = isqrt(inputs // channels)
    if channels * side * side != inputs:
        raise UserError(
            f"a dense layer of the file reads {inputs} numbers, which are no square map of its "
            f"last convolution's {channels} channels; get the file anew"
        )
    maps = kernel.reshape(channels, side, side, outputs)
    return maps.transpose(1, 2, 0, 3).reshape(inputs, outputs)


def take_imagenet_pixels(
    arrays: dict[str, np.ndarray], layout: Layout
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Let a first layer made for Caffe's pixels take torchvision's.

    Caffe's are blue, green, red in 0..255 less their mean; a pixel n of torchvision's, which is
    (x - m) / s of one x in 0..1, is 255 s n + (255 m - mean) there. The factor goes into the
    kernel, the rest, at most half a grey level, into the bias; only in the outermost pixels, where
    padding has no rest, do the two differ.

    Returns the arrays and the names of the two that are changed.
    """
    first = next(iter(layout.layers))
    kernel_name, bias_name = (layout.source(first, kind) for kind in ("kernel", "bias"))
    if arrays[kernel_name].shape[2:3] != (3,):
        return arrays, ()  # whatever it is, it will not fit
    kernel = arrays[kernel_name][:, :, ::-1]
    mean, std = np.float32(IMAGENET_MEAN), np.float32(IMAGENET_STD)
    rest = 255 * mean - np.float32(CAFFE_MEAN[::-1])
    changed = {
        kernel_name: kernel * (255 * std)[:, None],
        bias_name: arrays[bias_name] + np.einsum("hwio,i->o", kernel, rest),
    }
    return {**arrays, **changed}, (kernel_name, bias_name)


def load(file: Path | str, shapes: dict[str, Any], *, network: str) -> Pretrained:
    """Read a file of pretrained weights for a network; see `read_weights` and `convert`.

    Raises:
      UserError: the file cannot be read or does not fit; the first mismatch is named.
    """
    return convert(read_weights(file), shapes, network=network, file=str(file))


def describe(file: Path | str, pretrained: Pretrained) -> dict[str, Any]:
    """Say for the results what came from where; the counts are of numbers, not of arrays."""
    sizes = Counter()
    for row in pretrained.rows:
        sizes[row.state] += prod(row.shape)
    counts = {state: sizes[state] for state in ("loaded", "converted", "new")}
    return {
        "file": Path(file).name, "sha256": hash_file(file), "layout": pretrained.layout, **counts
    }


def make_table(pretrained: Pretrained, *, title: str) -> Table:
    """Make the rich table of what was loaded, converted and left new."""
    sizes = Counter()
    for row in pretrained.rows:
        sizes[row.state] += prod(row.shape)
    caption = ", ".join(f"{sizes[state]:,} {state}" for state in ("loaded", "converted", "new"))
    if pretrained.unused:
        caption += f"; not used: {_some(pretrained.unused)}"
    table = Table(
        title=title, title_justify="left", caption=caption, caption_justify="left",
        box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0),
    )
    for column in ("Ours", "The file's", "Shape", "State", "How"):
        right = column == "Shape"
        wraps = column == "How"
        table.add_column(
            column, justify="right" if right else "left", no_wrap=not wraps,
            min_width=len("transposed,") if wraps else None,
        )
    for row in pretrained.rows:
        table.add_row(row.name, row.source, _by(row.shape), row.state, row.how)
    return table


def _dense_left_new(given, shapes, layout) -> dict[str, str]:
    """Say of each dense layer that cannot be taken why: what follows a new one reads noise."""
    reasons: dict[str, str] = {}
    complete = f"{_last_convolution(layout)}/kernel" in shapes
    for layer in layout.layers:
        if not layer.startswith(DENSE):
            continue
        source = layout.source(layer, "kernel")
        if reasons:
            reasons[layer] = "it follows a new layer"
        elif source not in given:
            reasons[layer] = "the file has no such layer"
        else:
            shape = given[source].shape[:: -1 if layout.transposed else 1]
            if not complete or shape != shapes.get(f"{layer}/kernel"):
                reasons[layer] = f"the file's is {_by(shape)}"
    return reasons


def _in_order(paths: Iterable[tuple[str, ...]], layout: Layout, prefix: str) -> list:
    """Sort paths as the layers run, a kernel before its bias; those of no such layer come last."""
    place = {layer: i for i, layer in enumerate(layout.layers)}

    def key(path):
        layer = "/".join(path[1:-1]).removeprefix(prefix)
        return place.get(layer, len(place)), path[0] == "batch_stats", path[:-1], path[-1] == "bias"

    return sorted(paths, key=key)


def _last_convolution(layout: Layout) -> str:
    return [layer for layer in layout.layers if layer.startswith("conv")][-1]


def _names(layout: Layout) -> dict[str, list[str]]:
    """List the file's names of each layer of ours."""
    norm, other = ("scale", "bias", "mean", "var"), ("kernel", "bias")
    return {
        layer: [layout.source(layer, kind) for kind in (norm if layer[:2] == "bn" else other)]
        for layer in layout.layers
    }


def _likeness(names: Iterable[str], layout: Layout) -> float:
    """Return how many of all names both have, 0..1."""
    given = {name for name in names if not name.endswith(layout.ignored)}
    wanted = {name for found in _names(layout).values() for name in found}
    return len(given & wanted) / len(given | wanted)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(map(repr, names[:3])) + more


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
