"""Draw the figures that are made of faces: a network's maps of them, and what it called them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from fer_jax.report.plots import styled
from fer_jax.report.style import INK, MUTED, NETWORKS
from fer_jax.report.wording import percent

DEAD = NETWORKS["vgg"][0]  # of what marks a constant map, and a wrong answer
RIGHT = NETWORKS["finetune"][0]
WIDTH, LABELS, FACE, GRIDS = 10.0, 0.95, 1.4, 2  # inches of the figure's parts; grids in a line
GAP, HEAD, FOOT = 0.12, 0.3, 0.2

Arrays = Mapping[str, np.ndarray]


@styled
def feature_maps(arrays: Arrays, *, title: str, classes: Sequence[str]) -> Figure:
    """Draw a row a face: the face as the network saw it, its saliency, and each layer's maps.

    A map that is constant is crossed out, and their number stands beneath; `arrays` are those that
    `feature_maps.npz` holds.
    """
    about = read_about(arrays)
    layers = about["layers"]
    lines = max(1, -(-len(layers) // GRIDS))
    rows = len(arrays["faces"])
    left = LABELS + 2 * (FACE + GAP)
    width = WIDTH if layers else left
    top = 0.42
    row_height = lines * (HEAD + FACE + FOOT) + 0.06
    height = top + rows * row_height
    figure = Figure(figsize=(width, height))

    def place(x, y, w, h):
        """Give the axes whose top left corner is at (x, y) inches from the figure's."""
        axes = figure.add_axes((x / width, 1 - (y + h) / height, w / width, h / height))
        axes.set_axis_off()
        return axes

    figure.text(0.0, 1 - 0.14 / height, title, va="center", fontsize=10, color=INK)
    slot = (width - left - 0.1) / min(max(len(layers), 1), GRIDS)
    for row in range(rows):
        y = top + row * row_height + HEAD
        _describe(figure, arrays, row, classes, (0.0, 1 - (y + FACE / 2) / height))
        axes = place(LABELS, y, FACE, FACE)
        _show(axes, arrays["faces"][row])
        axes.set_title("as the network saw it", fontsize=7.5, color=MUTED, pad=4)
        axes = place(LABELS + FACE + GAP, y, FACE, FACE)
        axes.imshow(arrays["saliency"][row], cmap="inferno", vmin=0, vmax=255, interpolation="none")
        axes.set_title(f"saliency of “{_whose(arrays, row, classes)}”", fontsize=7.5, color=MUTED,
                       pad=4)
        for i, name in enumerate(layers):
            line, place_in_line = divmod(i, GRIDS)
            x = left + 0.1 + place_in_line * slot
            y_line = y + line * (HEAD + FACE + FOOT)
            axes = place(x, y_line, slot - GAP, FACE)
            maps, dead = arrays[f"maps_{i}"][row], arrays[f"constant_{i}"][row]
            _draw_grid(axes, maps, dead, ratio=(slot - GAP) / FACE)
            axes.set_title(f"{name}: {_how_many(maps.shape[-1], len(dead))}", fontsize=7.5,
                           color=INK, pad=4)
            said = count_constant(dead)
            figure.text(
                x / width, 1 - (y_line + FACE + 0.06) / height, said, va="top", fontsize=7.5,
                color=DEAD if dead.any() else MUTED,
            )
    return figure


@styled
def examples(arrays: Arrays, *, title: str, classes: Sequence[str]) -> Figure:
    """Draw the faces of `examples.npz`: a column a class, above named right, beneath wrong."""
    labels, predicted = arrays["labels"], arrays["predicted"]
    shown = sorted({int(label) for label in labels})
    side, gap, left, line = 1.05, 0.14, 0.95, 0.42
    width = left + max(len(shown), 3) * (side + gap)
    height = 0.75 + 2 * (side + line)
    figure = Figure(figsize=(width, height))
    figure.text(0.0, 1 - 0.14 / height, title, va="center", fontsize=10, color=INK)
    for row, right in enumerate((True, False)):
        y = 0.68 + row * (side + line)
        figure.text(
            0.0, 1 - (y + side / 2) / height, "named right" if right else "named wrong",
            va="center", color=RIGHT if right else DEAD,
        )
        for column, label in enumerate(shown):
            x = left + column * (side + gap)
            middle = (x + side / 2) / width
            if row == 0:
                figure.text(middle, 1 - 0.55 / height, _name(classes, label), ha="center",
                            color=INK, fontsize=9)
            found = np.flatnonzero((labels == label) & ((predicted == label) == right))
            if not len(found):
                figure.text(middle, 1 - (y + side / 2) / height, "none", ha="center",
                            va="center", color=MUTED)
                continue
            at = found[0]
            axes = figure.add_axes((x / width, 1 - (y + side) / height, side / width,
                                    side / height))
            axes.set_axis_off()
            _show(axes, arrays["faces"][at])
            said = percent(float(arrays["confidence"][at]), 0)
            if not right:
                said = f"{_name(classes, predicted[at])}, {said}"
            figure.text(middle, 1 - (y + side + 0.05) / height, said, ha="center", va="top",
                        fontsize=8, color=RIGHT if right else DEAD)
    return figure


def read_about(arrays: Arrays) -> dict[str, Any]:
    """Read how the maps were made."""
    return json.loads(str(arrays["about"]))


def count_constant(dead: np.ndarray) -> str:
    """Say how many of a layer's maps are constant for one face, as `5 of 64 maps are constant`."""
    return f"{int(dead.sum()) or 'none'} of {len(dead)} maps {_be(dead.sum())} constant"


def grid_shape(count: int, ratio: float) -> tuple[int, int]:
    """Give the (rows, columns) in which `count` squares are largest where width / height = ratio.

    Of equals that with the fewest empty places.
    """
    def cell(columns):
        rows = -(-count // columns)
        return min(ratio / columns, 1 / rows), -rows * columns

    columns = max(range(1, count + 1), key=cell)
    return -(-count // columns), columns


def tile(maps: np.ndarray, *, columns: int, gap: int = 2) -> tuple[np.ndarray, int]:
    """Set maps u8 `[h, w, m]` beside and beneath one another, transparent between them.

    Returns grey and alpha as RGBA u8, and the side in pixels of a place with its gap. Small maps
    are enlarged by repeating their pixels, and all stand in square places.
    """
    height, width, count = maps.shape
    factor = max(1, 48 // max(height, width))
    maps = maps.repeat(factor, 0).repeat(factor, 1)
    side = max(maps.shape[:2]) + gap
    rows = -(-count // columns)
    picture = np.zeros((rows * side, columns * side, 4), np.uint8)
    for i in range(count):
        y, x = (side * part for part in divmod(i, columns))
        spot = picture[y : y + maps.shape[0], x : x + maps.shape[1]]
        spot[..., :3] = maps[..., i, None]
        spot[..., 3] = 255
    return picture, side


def _draw_grid(axes, maps: np.ndarray, dead: np.ndarray, *, ratio: float) -> None:
    _, columns = grid_shape(maps.shape[-1], ratio)
    picture, side = tile(maps, columns=columns)
    axes.imshow(picture, interpolation="none")
    axes.set_anchor("NW")
    h, w = (side - 2 if size == max(maps.shape[:2]) else
            size * (side - 2) // max(maps.shape[:2]) for size in maps.shape[:2])
    for i in np.flatnonzero(dead[: maps.shape[-1]]):
        y, x = (side * part for part in divmod(int(i), columns))
        for ends in ((y, y + h), (y + h, y)):
            axes.plot((x, x + w), ends, color=DEAD, linewidth=1.0)


def _describe(figure, arrays: Arrays, row: int, classes: Sequence[str], at: tuple) -> None:
    """Say beside a face what it is labelled, and what it was called with which probability."""
    label, said = int(arrays["labels"][row]), int(arrays["predicted"][row])
    right = label == said
    sure = percent(float(arrays["confidence"][row]), 0)
    x, y = at
    lines = (
        (f"labelled\n{_name(classes, label)}", INK, "bottom", 4),
        (f"named {'right' if right else 'wrong'}:\n{_name(classes, said)}, {sure}",
         RIGHT if right else DEAD, "top", -4),
    )
    for text, colour, side, shift in lines:
        figure.text(x, y + shift / 72 / figure.get_figheight(), text, va=side, color=colour,
                    fontsize=8, linespacing=1.35)


def _show(axes, face: np.ndarray) -> None:
    grey = face.shape[-1] == 1
    axes.imshow(face[..., 0] if grey else face, cmap="gray" if grey else None, vmin=0, vmax=255,
                interpolation="none")


def _whose(arrays: Arrays, row: int, classes: Sequence[str]) -> str:
    name = "predicted" if read_about(arrays)["of"] == "predicted" else "labels"
    return _name(classes, arrays[name][row])


def _how_many(shown: int, total: int) -> str:
    return f"all {total} maps" if shown == total else f"the first {shown} of {total} maps"


def _name(classes: Sequence[str], number: int) -> str:
    return classes[number] if number < len(classes) else f"class {number}"


def _be(count: int) -> str:
    return "is" if count == 1 else "are"
