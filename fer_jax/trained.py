"""A trained network with all that its use needs, opened from a workdir or a model file."""

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from fer_jax import checkpoint, models, results
from fer_jax.checks import check_run, explain_network
from fer_jax.configuring import from_json
from fer_jax.data.splits import class_names, face_shape
from fer_jax.errors import UserError
from fer_jax.model_card import describe
from fer_jax.preprocess import Preprocess, input_shape, read_preprocess, view

SHIPPED = Path(__file__).parent / "weights" / "robust.safetensors"


class Trained(NamedTuple):
    """A trained network and what it was trained for.

    Attributes:
      config: of its run.
      variables: what `model.apply` takes: `params` and `batch_stats`, float32.
      labels: the names of its classes, in order.
      image_shape: `(h, w, c)` of the faces as its dataset stores them.
      card: its model card as plain JSON values; `report.model_card` makes text of it.
    """

    config: ConfigDict
    variables: dict[str, Any]
    labels: tuple[str, ...]
    image_shape: tuple[int, int, int]
    card: dict[str, Any]


def load_trained(path: Path | str | None = None) -> Trained:
    """Open a finished run's workdir, a model file, or the shipped model for None.

    Raises:
      UserError: there is no such model, it is not finished, damaged or of another version.
    """
    from fer_jax import model_file

    if path is None and not SHIPPED.is_file():
        raise UserError(
            "this copy of fer_jax has no shipped weights (fer_jax/weights/robust.safetensors); "
            "name a model: the workdir of a finished run or an exported .safetensors"
        )
    path = Path(SHIPPED if path is None else path).expanduser()
    if path.is_dir():
        return load_workdir(path)
    if not path.exists():
        raise UserError(
            f"there is no model {path}; name a finished run's workdir or an exported .safetensors"
        )
    return model_file.load(path)


def load_workdir(workdir: Path) -> Trained:
    """Open a finished run with the weights that its results were made with; needs no data of ours.

    Raises:
      UserError: the workdir is not a finished run's, or its checkpoint is damaged.
    """
    held = results.read_run(workdir)
    config = from_json(held["config"])
    config.mesh.data = 1  # wherever it was trained
    check_run(config)
    shape = face_shape(config.data.dataset)
    # On one device, wherever it was trained.
    here = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    like = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=here),
        expected_variables(config, image_shape=shape),
    )
    variables = checkpoint.load_variables(
        workdir, step=held["weights_step"], like=like, average=config.ema > 0
    )
    labels = class_names(config.data.dataset, protocol=config.data.protocol)
    return Trained(config, variables, labels, shape, describe(held, image_shape=shape))


def expected_variables(config: ConfigDict, *, image_shape: tuple[int, int, int]) -> dict[str, Any]:
    """Give the shapes of a config's `params` and `batch_stats`, computing nothing.

    Raises:
      UserError: the network does not fit such faces.
    """
    model = models.build(config.model)
    seen = input_shape(image_shape, preprocess=read_preprocess(config))
    with explain_network(seen):
        made = jax.eval_shape(
            lambda: model.init(jax.random.key(0), jnp.zeros((2, *seen)), train=False)
        )
    return {"params": made["params"], "batch_stats": made.get("batch_stats", {})}


def answer(
    variables: dict[str, Any],
    images: jax.Array,
    *,
    model: nn.Module,
    views: str,
    average: str,
    preprocess: Preprocess,
) -> jax.Array:
    """Give the probabilities `[b, k]` of faces u8 `[b, h, w, c]` as they are stored; pure.

    They are those that `steps.eval_step` gives of undistorted faces.
    """
    seen = view(_unit(images), preprocess=preprocess, views=views)
    faces = jnp.concatenate([faces[:, None] for faces in seen], axis=1)
    # Not by the batch's size: it may be symbolic.
    logits, _ = model.apply(variables, faces.reshape(-1, *faces.shape[2:]), train=False)
    logits = logits.reshape(-1, faces.shape[1], logits.shape[-1])
    if average == "logits":
        return jax.nn.softmax(logits.mean(axis=1))
    return jax.nn.softmax(logits).mean(axis=1)


def reconstruct(
    variables: dict[str, Any], images: jax.Array, *, model: nn.Module, preprocess: Preprocess
) -> jax.Array:
    """Give what the DAE makes of faces u8 `[b, h, w, c]`: `[b, h', w', c']` in 0..1; pure."""
    (seen,) = view(_unit(images), preprocess=preprocess)
    return model.apply(variables, seen, train=False)[1]["recon"]


def answer_of(trained: Trained) -> Any:
    """Return `answer` with everything filled in but variables and images."""
    config = trained.config
    return partial(
        answer, model=models.build(config.model), views=config.evaluation.views,
        average=config.evaluation.average, preprocess=read_preprocess(config),
    )


def reconstruct_of(trained: Trained) -> Any:
    """Return `reconstruct` with everything filled in but variables and images."""
    return partial(
        reconstruct, model=models.build(trained.config.model),
        preprocess=read_preprocess(trained.config),
    )


def has_dae(trained: Trained) -> bool:
    """Tell whether the network reconstructs faces."""
    return trained.config.model.name in ("dae", "hybrid")


def _unit(images: jax.Array) -> jax.Array:
    return images.astype(jnp.float32) / 255
