"""Draw what a run's layers make of some faces, and which pixels its answer hangs on."""

from fer_jax.commands.feature_maps import main

if __name__ == "__main__":  # before the imports that --help need not wait for
    raise SystemExit(main())

import json
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from fer_jax import writers
from fer_jax.data import Split
from fer_jax.errors import UserError
from fer_jax.evaluate import draw_keys
from fer_jax.ops.distortion import distort_each
from fer_jax.preprocess import input_shape, prepare, read_preprocess
from fer_jax.report.tables import Table
from fer_jax.saliency import (
    MapLayer, capture_maps, constant_maps, explain_layers, first_convolutions, list_map_layers,
    maps_inside, saliency, smooth_saliency,
)
from fer_jax.steps import to_unit

FEATURE_MAPS = "feature_maps.npz"  # in a run's workdir
LARGEST = 64  # pixels a side of a map that is drawn; greater ones are averaged down
SCALES = {
    "map": "each map scaled to its own range",
    "layer": "one scale for all maps of a layer and face",
}


class Wanted(NamedTuple):
    """What to show.

    Attributes:
      layers: names, as `list_map_layers` has them; None is the first two convolutions.
      split: name of the split whose faces are shown.
      faces: how many: the first of each class in the split's order, then the second, ...
      maps: most maps of a layer to show, its first ones.
      distortion, strength: what is done to the faces first.
      of: whose logit the saliency is of: "predicted" or "true" class.
      smooth: noisy copies that SmoothGrad averages over; 0 is the plain gradient.
      scale: one of `SCALES`.
      signed: show negative values too; else 0 and below is black, as a ReLU leaves it.
    """

    layers: tuple[str, ...] | None = None
    split: str = "validation"
    faces: int = 4
    maps: int = 32
    distortion: str = "clean"
    strength: float = 0.0
    of: str = "predicted"
    smooth: int = 0
    scale: str = "map"
    signed: bool = False


def look(
    config: ConfigDict, weights: dict[str, Any], split: Split, wanted: Wanted, *, model: nn.Module
) -> dict[str, np.ndarray]:
    """Give the pictures of a network at work, as the arrays that `report` draws.

    Returns `faces` u8 `[n, h, w, c]` as the network saw them but for their units, `saliency` u8
    `[n, h, w]`, `labels`, `predicted` and `confidence` `[n]`, for layer i `maps_i` u8
    `[n, h', w', m]` and `constant_i` bool `[n, c]` of all its maps, and `about`, the rest as JSON.

    Raises:
      UserError: a network that names no class, or no such layer.
    """
    if config.task != "classify":
        raise UserError(
            f"a {config.model.name} names no class, and saliency is the gradient of a class' "
            "logit; choose a run that classifies, such as a hybrid, whose DAE's layers it shows too"
        )
    preprocess = read_preprocess(config)
    layers = list_map_layers(model, input_shape(split.images.shape[1:], preprocess=preprocess))
    names = first_convolutions(layers) if wanted.layers is None else tuple(wanted.layers)
    if complaint := explain_layers(names, layers):
        raise UserError(complaint)
    index = choose_faces(split.labels, wanted.faces)
    seen, pixels = _see(
        config.seed, split.keys[index], split.images[index], wanted.strength,
        name=wanted.distortion, preprocess=preprocess,
    )
    logits, maps = capture_maps(weights, seen, model=model, names=names)
    predicted = logits.argmax(-1)
    classes = predicted if wanted.of == "predicted" else jnp.asarray(split.labels[index])
    if getattr(model, "freeze_dae", False):
        model = model.clone(freeze_dae=False)  # which computes the same, and lets gradients pass
    if wanted.smooth:
        key = jax.random.key(config.seed)
        map_of = smooth_saliency(key, weights, seen, classes, model=model, samples=wanted.smooth)
    else:
        map_of = saliency(weights, seen, classes, model=model)
    # In the order of the names, which a dict that went through jit has lost.
    shown = [maps[name] if wanted.signed else jnp.maximum(maps[name], 0) for name in names]
    about = {
        "layers": list(names),
        "totals": [each.shape[-1] for each in shown],
        **{n: getattr(wanted, n) for n in wanted._fields if n not in ("layers", "faces", "maps")},
    }
    arrays = {
        "faces": np.asarray(jnp.round(255 * jnp.clip(jnp.nan_to_num(pixels), 0, 1)), np.uint8),
        "saliency": _brightest(map_of),
        "labels": np.asarray(split.labels[index]),
        "predicted": np.asarray(predicted),
        "confidence": np.asarray(jax.nn.softmax(logits).max(-1)),
        "about": np.str_(json.dumps(about)),
    }
    for i, each in enumerate(shown):
        arrays[f"maps_{i}"] = _picture(each[..., : wanted.maps], scale=wanted.scale)
        arrays[f"constant_{i}"] = np.asarray(constant_maps(each))
    return arrays


def write(
    config: ConfigDict, workdir: Path, weights: dict[str, Any], splits: dict[str, Split], *,
    model: nn.Module,
) -> None:
    """Write the feature maps that `config.evaluation.feature_maps` names, of validation faces."""
    wanted = Wanted(layers=tuple(config.evaluation.feature_maps))
    save(workdir, look(config, weights, splits[wanted.split], wanted, model=model))


def save(workdir: Path, arrays: dict[str, np.ndarray]) -> None:
    """Put what `look` gave into a run's workdir, where its report finds it."""
    writers.write_npz(Path(workdir) / FEATURE_MAPS, **arrays)


def choose_faces(labels: np.ndarray, count: int) -> np.ndarray:
    """Choose the first face of each class in order, then the second of each, ..., `count` in all.

    Returns their places `[count]`, or fewer if there are no more.
    """
    turn = np.zeros(len(labels), int)
    for label in np.unique(labels):
        mine = labels == label
        turn[mine] = np.arange(mine.sum())
    return np.lexsort((labels, turn))[:count]


def make_table(layers: list[MapLayer], *, title: str) -> Table:
    """Make the table of the layers that can be shown."""
    rows = [
        (layer.name, layer.kind, f"{layer.shape[0]}x{layer.shape[1]}", f"{layer.shape[2]:,}")
        for layer in layers
    ]
    notes = ("Show one with --layer=NAME.",) if rows else ("No layer of this network gives maps.",)
    return Table(title, ("layer", "kind", "height x width", "maps"), rows, notes)


@partial(jax.jit, static_argnames=("name", "preprocess"))
def _see(seed, face_keys, images, strength, *, name, preprocess) -> tuple[jax.Array, jax.Array]:
    """Distort faces as testing does; give what the network sees, and the same in 0..1."""
    faces = distort_each(draw_keys(seed, face_keys), to_unit(images), strength, name=name)
    plain = preprocess._replace(normalise="none")
    return prepare(faces, preprocess=preprocess), prepare(faces, preprocess=plain)


def _brightest(values: jax.Array) -> np.ndarray:
    """Scale maps `[n, h, w]` each so that its brightest hundredth is white: u8."""
    values = jnp.nan_to_num(values)
    most = jnp.percentile(values, 99, axis=(1, 2), keepdims=True)
    # Where so few pixels matter that the percentile is 0, the largest is white.
    most = jnp.where(most > 0, most, values.max((1, 2), keepdims=True))
    return np.asarray(jnp.round(255 * jnp.clip(_ratio(values, most), 0, 1)), np.uint8)


def _picture(maps: jax.Array, *, scale: str) -> np.ndarray:
    """Turn maps `[n, h, w, m]` into u8 of at most 64 pixels a side; constant ones are black.

    The range is that inside; what goes beyond it at the border is cut off.
    """
    maps = jnp.nan_to_num(maps)
    n, height, width, m = maps.shape
    if max(height, width) > LARGEST:
        factor = LARGEST / max(height, width)
        shape = (n, max(1, round(height * factor)), max(1, round(width * factor)), m)
        maps = jax.image.resize(maps, shape, "linear")
    axes = (1, 2) if scale == "map" else (1, 2, 3)
    inside = maps_inside(maps)
    low, high = inside.min(axes, keepdims=True), inside.max(axes, keepdims=True)
    shares = jnp.clip(_ratio(maps - low, high - low), 0, 1)
    return np.asarray(jnp.round(255 * jnp.where(high > low, shares, 0)), np.uint8)


def _ratio(part: jax.Array, whole: jax.Array) -> jax.Array:
    return part / jnp.where(whole > 0, whole, 1)
