"""What every field of a config may hold, checked before data are read or anything is compiled."""

import dataclasses
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from ml_collections import ConfigDict

from fer_jax.configuring import is_grid, is_seeds, is_study
from fer_jax.constraints import (
    Check, each, flag, like, mapping, number, one_of, pattern, record, text, whole,
)
from fer_jax.data.splits import SPLITS
from fer_jax.epochs import METRICS
from fer_jax.errors import UserError, suggest
from fer_jax.explain_maps import explain_feature_maps
from fer_jax.grid import axes_of, expand, expand_seeds
from fer_jax.models import BUILDERS, DTYPES, INITIALISERS, MODULES
from fer_jax.ops.augmentation import RANGES
from fer_jax.ops.distortion import STRONGEST
from fer_jax.ops.normalisation import NORMALISE
from fer_jax.optim import OPTIMIZERS, SCHEDULES
from fer_jax.preprocess import AVERAGES, VIEWS
from fer_jax.relations import find_complaint
from fer_jax.sharding import check_batch, make_mesh

FIELDS: dict[str, Check] = {
    "task": one_of(("classify", "denoise")),
    "seed": whole(0, 2**32 - 1),
    "seeds": whole(1, 4096),
    "batch_size": whole(1),
    "epochs": whole(0),
    "restore_best": flag,
    "data.dataset": text,
    "data.protocol": text,
    "data.sizes": each(whole(0), lengths=(3,)),
    "data.device_budget_mb": number(0),
    "balance": one_of(("none", "oversample")),
    "loss.class_weights": one_of(("none", "balanced")),
    "loss.label_smoothing": number(0, 1, below=True),
    "model.name": one_of(BUILDERS),
    "model.variant": text,
    "model.classes": whole(2),
    "model.width": number(0, above=True),
    "model.blocks": each(record(whole(1), whole(1)), least=1),
    "model.dense": each(whole(1)),
    "model.dropout": number(0, 1, below=True),
    "model.momentum": number(0, 1, below=True),
    "model.filters": each(whole(1), lengths=(2,)),
    "model.kernel_init": one_of(INITIALISERS),
    "model.freeze_dae": flag,
    "model.dtype": one_of(DTYPES),
    "init": mapping(text),
    "init_dir": text,
    "pretrained": text,
    "augmentation.rotate": each(number(*RANGES["rotate"]), lengths=(2,), rising=True),
    "augmentation.flip": flag,
    "augmentation.shift": number(*RANGES["shift"]),
    "augmentation.crop_padding": whole(*RANGES["crop_padding"]),
    "augmentation.resized_crop": each(
        number(*RANGES["resized_crop"], above=True), lengths=(0, 2), rising=True
    ),
    "augmentation.brightness": number(*RANGES["brightness"]),
    "augmentation.contrast": number(*RANGES["contrast"]),
    "augmentation.saturation": number(*RANGES["saturation"]),
    "augmentation.hue": number(*RANGES["hue"]),
    "augmentation.erase": number(*RANGES["erase"]),
    "augmentation.mixup": number(0),
    "augmentation.cutmix": number(0),
    "preprocess.size": whole(0, 4096),
    "preprocess.crop": whole(0, 4096),
    "preprocess.normalise": one_of(NORMALISE),
    "distortion.name": one_of(STRONGEST),
    "distortion.strength": number(0),
    "train_distortion": number(0, 1),
    "train_strength": each(number(0), lengths=(0, 2), rising=True),
    "reconstruction_weight": number(0),
    "optim.name": one_of(OPTIMIZERS),
    "optim.learning_rate": number(0),
    "optim.beta1": number(0, 1, below=True),
    "optim.beta2": number(0, 1, below=True),
    "optim.epsilon": number(0, above=True),
    "optim.momentum": number(0, 1, below=True),
    "optim.nesterov": flag,
    "optim.l2": number(0),
    "optim.weight_decay": number(0),
    "optim.decay": pattern,
    "optim.clip_norm": number(0),
    "optim.accumulate": whole(1),
    "optim.schedule": one_of(SCHEDULES),
    "optim.warmup_epochs": number(0),
    "optim.step_epochs": whole(0),
    "optim.step_factor": number(0, 1, above=True),
    "optim.rules": each(record(pattern, text), least=1),
    "optim.rate_factors": mapping(number(0)),
    "optim.thaw_epochs": mapping(number(0)),
    "optim.plateau.metric": one_of(METRICS),
    "optim.plateau.factor": number(0, 1, above=True, below=True),
    "optim.plateau.patience": whole(0),
    "optim.plateau.min_delta": number(0),
    "optim.plateau.min_scale": number(0, 1),
    "ema": number(0, 1, below=True),
    "early_stopping.metric": one_of(METRICS),
    "early_stopping.patience": whole(0),
    "early_stopping.min_delta": number(0),
    "evaluation.batch_size": whole(1),
    "evaluation.splits": each(one_of(SPLITS), least=1),
    "evaluation.strengths": each(number(0)),
    "evaluation.views": one_of(VIEWS),
    "evaluation.average": one_of(AVERAGES),
    "evaluation.feature_maps": each(text),
    "checkpoint_minutes": number(0),
    "mesh.data": whole(0),
    "steps_per_dispatch": whole(0),
    "points_per_program": whole(0),
}


# Fields of config.model that mean the same for every network that has them.
SHARED = ("classes", "width", "dropout", "momentum", "kernel_init", "dtype")


def check_config(config: ConfigDict) -> None:
    """Check a run, or each of a study or a grid, and that this machine can share its batch.

    Raises:
      UserError: the first thing that does not fit.
    """
    if not is_study(config):
        _check_start(config, "config")
        return
    if is_grid(config):
        _check_grid(config)
        return
    if is_seeds(config):
        _check_seeds(config)
        return
    runs = config.runs
    if not isinstance(runs, ConfigDict) or not len(runs):
        raise UserError("config.runs has no run; a study needs some, as in {NAME: a run's config}")
    beside = [name for name in config if name != "runs"]
    if beside:
        raise UserError(
            f"config.{beside[0]} stands beside config.runs, and in a study every field belongs to "
            f"a run; set config.runs.{next(iter(runs))}.{beside[0]}"
        )
    for name in runs:
        if not isinstance(runs[name], ConfigDict):
            raise UserError(f"config.runs.{name} is {runs[name]!r}; expected the config of a run")
        if is_grid(runs[name]):
            raise UserError(
                f"config.runs.{name}.grid stands in a study's run; a grid is a config of its own"
            )
        if is_seeds(runs[name]):
            raise UserError(
                f"config.runs.{name}.seeds is {runs[name].seeds}, and a study's run is one; "
                "several seeds are of a single run's config"
            )
        _check_start(runs[name], f"config.runs.{name}")


def check_run(config: ConfigDict, *, name: str = "config") -> None:
    """Check that a run has every field there is, no other, and what each may hold.

    Raises:
      UserError: the first field that does not fit, as `name` and its path.
    """
    found = _leaves(config)
    network = found.get("model.name", "vgg")
    if complaint := FIELDS["model.name"](network):
        raise UserError(f"{name}.model.name{complaint}")
    fields, optional = fields_of(network)
    extra = [path for path in found if path not in fields]
    if extra:
        raise UserError(f"nothing reads the field {name}.{extra[0]}. {_nearest(extra[0], fields)}")
    missing = [path for path in fields if path not in found and path not in optional]
    if missing:
        raise UserError(f"{name} has no field {missing[0]!r}; configs/common.py has them all")
    for path, value in found.items():
        if complaint := fields[path](value):
            raise UserError(f"{name}.{path}{complaint}")
    if complaint := find_complaint(config):
        raise UserError(f"{name}{complaint}")


def fields_of(network: str) -> tuple[dict[str, Check], set[str]]:
    """Return the checks of a run's fields by path, and the paths that need not be there.

    Of a network in `models.MODULES`, config.model has the module's own attributes.
    """
    if network not in MODULES:
        return FIELDS, set()
    own = {
        f"model.{field.name}": FIELDS[f"model.{field.name}"]
        if field.name in SHARED else like(field.default)
        for field in dataclasses.fields(MODULES[network])
        if field.name not in ("parent", "name")  # every module's
    }
    own["model.variant"] = text
    others = {path: check for path, check in FIELDS.items() if not path.startswith("model.")}
    named = {"model.name": FIELDS["model.name"]}
    return named | own | others, {*own} - {"model.classes"}


def check_faces(config: ConfigDict, image_shape: tuple[int, ...]) -> None:
    """Check what only the faces' size can tell.

    Raises:
      UserError: a crop's padding as wide as the faces of `image_shape` (h, w, c): it would show
        none of the face. Or colours of grey faces are to be changed, or a layer for
        `evaluation.feature_maps` gives no maps of them.
    """
    coloured = [name for name in ("saturation", "hue") if config.augmentation[name]]
    if coloured and image_shape[2] == 1:
        raise UserError(
            f"config.augmentation.{coloured[0]} is {config.augmentation[coloured[0]]}, and the "
            "faces are grey, which it does not change; set it to 0"
        )
    padding, side = config.augmentation.crop_padding, min(image_shape[:2])
    if padding >= side:
        raise UserError(
            f"config.augmentation.crop_padding is {padding}, as wide as the faces of {side} "
            f"pixels: a crop could miss the face; lower it"
        )
    if complaint := explain_feature_maps(config, image_shape):
        raise UserError(f"config{complaint}")


@contextmanager
def explain_network(image_shape: tuple[int, ...]) -> Iterator[None]:
    """Turn what a network says while its shapes are worked out into a user's error.

    Raises:
      UserError: the network or its optimizer refuses faces of `image_shape` (h, w, c).
    """
    try:
        yield
    except (ValueError, ZeroDivisionError) as error:
        size = "x".join(map(str, image_shape))
        raise UserError(f"the network cannot be built for faces of {size}: {error}") from error


def _check_start(config: ConfigDict, name: str) -> None:
    check_run(config, name=name)
    check_batch(config.batch_size, make_mesh(config.mesh.data, name=name), name=name)


def _check_seeds(config: ConfigDict) -> None:
    for path in ("seeds", "seed"):
        if complaint := FIELDS[path](config.get(path)):
            raise UserError(f"config.{path}{complaint}")
    for run in expand_seeds(config).values():
        _check_start(run, "config")


def _check_grid(config: ConfigDict) -> None:
    if is_seeds(config):
        raise UserError(
            f"config.seeds is {config.seeds} beside config.grid; make the seed an axis instead, as "
            "in --config.grid.seed=0,1,2"
        )
    if "runs" in config:
        raise UserError("config.grid stands beside config.runs; a grid is a config of its own")
    axes = axes_of(config) if isinstance(config.grid, ConfigDict) else {}
    if not axes:
        raise UserError(
            "config.grid has no axis; it needs some, as in --config.grid.seed=0,1,2, "
            "or else leave it out"
        )
    fields, _ = fields_of(_leaves(config).get("model.name", "vgg"))
    for path, values in axes.items():
        if path not in fields:
            raise UserError(
                f"nothing reads the field config.grid.{path}. {_nearest(path, fields)}"
            )
        if complaint := each(fields[path], least=1)(values):
            raise UserError(f"config.grid.{path}{complaint}")
        if twice := [value for value in values if list(values).count(value) > 1]:
            raise UserError(f"config.grid.{path} has {twice[0]!r} twice; a point is trained once")
    for name, run in expand(config).items():
        _check_start(run, f"config[{name}]")


def _leaves(config: ConfigDict, prefix: str = "") -> dict[str, Any]:
    """Give the values of all fields by path; a table that is one field's value stays whole."""
    found = {}
    for name in config:
        path, value = prefix + name, config[name]
        nested = isinstance(value, ConfigDict) and path not in FIELDS
        found |= _leaves(value, f"{path}.") if nested else {path: value}
    return found


def _nearest(path: str, fields: Iterable[str]) -> str:
    """Name the field nearest to one that there is not, and those that stand beside it."""
    folder, _, name = path.rpartition(".")
    start = f"{folder}." if folder else ""
    beside = [known.removeprefix(start) for known in fields if known.startswith(start)]
    return suggest(name, dict.fromkeys(known.split(".")[0] for known in beside))
