"""What a network looks at: the gradient of a class' logit, and the maps that its layers give."""

from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from fer_jax.errors import suggest

Variables = dict[str, Any]


class MapLayer(NamedTuple):
    """A layer whose output for one face is a stack of maps.

    Attributes:
      name: path of its parameters, as in `vgg/conv1_1`.
      kind: name of its module's class.
      shape: `(h, w, c)`: `c` maps of `h` by `w`.
      follows: the layer whose output it takes as it is, with nothing between; or "".
    """

    name: str
    kind: str
    shape: tuple[int, int, int]
    follows: str


@partial(jax.jit, static_argnames="model")
def saliency(
    variables: Variables, images: jax.Array, classes: jax.Array, *, model: nn.Module
) -> jax.Array:
    """Give the size of each pixel's gradient of one class' logit (Simonyan et al. 2014, section 3).

    Args:
      images: `[b, h, w, c]` as the network sees them.
      classes: `[b]`: whose logit, for each image.

    Returns `[b, h, w]`, not negative: of several channels the largest, as the paper takes it.
    """
    return jnp.abs(_gradient(variables, images, classes, model=model)).max(-1)


def smooth_saliency(
    key: jax.Array,
    variables: Variables,
    images: jax.Array,
    classes: jax.Array,
    *,
    model: nn.Module,
    samples: int,
    noise: float = 0.15,
) -> jax.Array:
    """Give the size of the mean gradient over noisy copies (SmoothGrad, Smilkov et al. 2017).

    Args as `saliency`; `noise` is the standard deviation of what is added, as a share of the range
    of all pixels (the paper finds .1 to .2 best), `samples` how many copies there are.
    """
    gradient = jax.jit(partial(_gradient, model=model))
    total = jnp.zeros_like(images)
    deviation = noise * (images.max() - images.min())
    for one in jax.random.split(key, samples):
        noisy = images + deviation * jax.random.normal(one, images.shape)
        total += gradient(variables, noisy, classes)
    return jnp.abs(total / samples).max(-1)


def list_map_layers(model: nn.Module, image_shape: tuple[int, ...]) -> list[MapLayer]:
    """List the layers that give maps, in the order they run, from shapes alone.

    A layer is a module that has parameters, or one that is made of such.

    Args:
      image_shape: (h, w, c) of the faces.

    Raises:
      ValueError: the network refuses such faces.
    """
    calls = []

    def record(call, args, kwargs, context):
        output = call(*args, **kwargs)
        if context.method_name == "__call__":
            calls.append((context.module, args[0] if args else None, output))
        return output

    image = jax.ShapeDtypeStruct((1, *image_shape), jnp.float32)
    with nn.intercept_methods(record):
        made = jax.eval_shape(lambda x: model.init(jax.random.key(0), x, train=False), image)
    names = _names_of(made["params"])
    maps = {}
    for module, taken, output in calls:
        name = "/".join(module.path)
        if name in names and isinstance(output, jax.Array) and output.ndim == 4:
            # The very array and not its like: nothing, no ReLU either, came between the two.
            source = next((n for n, (_, given) in maps.items() if given is taken), "")
            maps[name] = MapLayer(name, type(module).__name__, output.shape[1:], source), output
    return [layer for layer, _ in maps.values()]


def first_convolutions(layers: list[MapLayer], *, count: int = 2) -> tuple[str, ...]:
    """Name the first convolutions, each by the BatchNorm that directly follows it, if one does.

    A ReLU comes after that norm. Of a hybrid the classifier's are meant, not the autoencoder's.
    """
    own = [layer for layer in layers if not layer.name.startswith("dae/")]
    convolutions = [layer.name for layer in own if "Conv" in layer.kind][:count]
    norm_of = {layer.follows: layer.name for layer in own if layer.kind == "BatchNorm"}
    return tuple(norm_of.get(name, name) for name in convolutions)


def explain_layers(names: tuple[str, ...], layers: list[MapLayer]) -> str:
    """Say which of the names is no layer that gives maps, and which is nearest; "" if all are."""
    known = [layer.name for layer in layers]
    unknown = [name for name in names if name not in known]
    if not unknown:
        return ""
    if not known:
        return f"there is no layer {unknown[0]!r}: no layer of this network gives maps"
    return f"there is no layer {unknown[0]!r} that gives maps. {suggest(unknown[0], known)}"


@partial(jax.jit, static_argnames=("model", "names"))
def capture_maps(
    variables: Variables, images: jax.Array, *, model: nn.Module, names: tuple[str, ...]
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Run a network as in testing; return its logits and what the named layers gave.

    Args:
      images: `[b, h, w, c]` as the network sees them.
      names: of layers that `list_map_layers` lists.

    Returns logits `[b, k]`, and for each name maps `[b, h', w', c']` in float32.
    """
    outputs, state = model.apply(
        variables,
        images,
        train=False,
        mutable=["intermediates"],
        capture_intermediates=lambda module, method: (
            method == "__call__" and "/".join(module.path) in names
        ),
    )
    found = {}
    for name in names:
        node = state["intermediates"]
        for part in name.split("/"):
            node = node[part]
        found[name] = node["__call__"][0].astype(jnp.float32)
    return outputs[0], found


def constant_maps(maps: jax.Array) -> jax.Array:
    """Tell which of the maps `[b, h, w, c]` are constant inside, up to rounding: bool `[b, c]`.

    After a ReLU such a map is black: its unit is dead for that face.
    """
    low, high = maps_inside(maps).min((1, 2)), maps_inside(maps).max((1, 2))
    return high - low <= 1e-6 * jnp.maximum(jnp.abs(low), jnp.abs(high))


def maps_inside(maps: jax.Array) -> jax.Array:
    """Leave out the outer eighth of maps `[b, h, w, c]`.

    There the zeros that a convolution pads with show, whatever the face, and outshine the rest.
    """
    height, width = maps.shape[1] // 8, maps.shape[2] // 8
    return maps[:, height : maps.shape[1] - height, width : maps.shape[2] - width]


def _gradient(variables, images, classes, *, model) -> jax.Array:
    def score(x):
        logits = model.apply(variables, x, train=False)[0]
        # No face's logit depends on another's pixels, so the sum's gradient is each one's own.
        return jnp.take_along_axis(logits, classes[:, None], axis=1).sum()

    return jax.grad(score)(images)


def _names_of(params, prefix: str = "") -> set[str]:
    """Name every subtree of the parameters by its path."""
    found = set()
    for name, value in params.items():
        if isinstance(value, dict):
            found |= {prefix + name} | _names_of(value, f"{prefix}{name}/")
    return found
