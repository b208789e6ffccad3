"""Configs: load them by path, name them by hash, and say what is wrong with one."""

import copy
import hashlib
import importlib.util
import json
import sys
import traceback
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from fer_jax.errors import UsageError, UserError, suggest

REPOSITORY = Path(__file__).resolve().parent.parent


def load_config(reference: str) -> ConfigDict:
    """Load `FILE.py[:VARIANT]`, looked for here and then beside the package.

    A config file has `get_config(variant=None) -> ConfigDict`.

    Raises:
      UserError: no such file, a file that fails (its line is named) or refuses the variant.
    """
    path, _, variant = reference.partition(":")
    found = find_config(path)
    # Configs share configs/common.py, so the folder above them must be importable.
    root = str(found.resolve().parent.parent)
    if root not in sys.path:
        sys.path.insert(0, root)
    # Named here, because a loader is also to be found for a file that does not end in .py.
    loader = SourceFileLoader(f"config_{found.stem}", str(found))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    try:
        loader.exec_module(module)
        config = module.get_config(variant or None)
    except UserError:
        raise
    except Exception as error:  # whatever a user may have written
        raise UserError(_explain(error, found)) from error
    if not isinstance(config, ConfigDict):
        raise UserError(
            f"{found}: get_config returns a {type(config).__name__}; expected an "
            "ml_collections.ConfigDict, as configs/common.py makes"
        )
    return config


def find_config(path: str) -> Path:
    """Find a config file here, or else beside the package.

    Raises:
      UserError: no such file; the known ones are listed.
    """
    candidates = [Path(path), REPOSITORY / path]
    found = next((candidate for candidate in candidates if candidate.is_file()), None)
    if found is None:
        if candidates[0].is_dir():
            raise UserError(f"the config {path!r} is a folder; name a file in it")
        raise UserError(f"there is no config file {path!r}. {suggest(path, known_configs())}")
    return found


def known_configs() -> list[str]:
    """List the config files that stand beside the package."""
    return sorted(f"configs/{file.name}" for file in (REPOSITORY / "configs").glob("[!_]*.py"))


def find_field(config: ConfigDict, path: str) -> Any:
    """Return what a field holds that is named by its path, such as `optim.beta1`.

    Raises:
      UsageError: there is no such field; those that stand beside it are listed.
    """
    node = config
    for name in path.split("."):
        if not isinstance(node, ConfigDict) or name not in node:
            beside = suggest(name, node) if isinstance(node, ConfigDict) else "That is one value."
            raise UsageError(f"the config has no field {path!r}. {beside}")
        node = node[name]
    return node


def pick_variant(variant: str | None, known: dict[str, Any], *, default: str) -> Any:
    """Return the entry of `known` that a config's variant names.

    Raises:
      UserError: an unknown variant; the known ones are listed.
    """
    name = variant or default
    if name not in known:
        raise UserError(f"this config has no variant {name!r}. {suggest(name, known)}")
    return known[name]


def to_json(config: ConfigDict) -> dict[str, Any]:
    """Return the config as plain JSON values: tuples become lists."""
    return json.loads(json.dumps(config.to_dict()))


# Fields that training does not depend on: how it is measured and how it reaches the devices. So is
# data.device_budget_mb.
OUTSIDE_TRAINING = (
    "evaluation", "init_dir", "mesh", "steps_per_dispatch", "points_per_program",
    "checkpoint_minutes",
)


# Fields that came when there were results already, and the value that changes nothing: a config
# without them means these, and has the same hash as one with them.
LATER = {
    "balance": "none",
    "loss.class_weights": "none",
    "loss.label_smoothing": 0.0,
    "augmentation.resized_crop": [],
    "augmentation.brightness": 0.0,
    "augmentation.contrast": 0.0,
    "augmentation.saturation": 0.0,
    "augmentation.hue": 0.0,
    "augmentation.mixup": 0.0,
    "augmentation.cutmix": 0.0,
    "preprocess.size": 0,
    "preprocess.crop": 0,
    "preprocess.normalise": "none",
    "evaluation.average": "probabilities",
    "optim.momentum": 0.9,
    "optim.nesterov": False,
    "optim.l2": 0.0,
    "optim.weight_decay": 0.0,
    "optim.decay": "kernel$",
    "optim.clip_norm": 0.0,
    "optim.accumulate": 1,
    "optim.step_epochs": 0,
    "optim.step_factor": 0.1,
    "optim.plateau.metric": "loss",
    "ema": 0.0,
    "early_stopping.metric": "loss",
    "pretrained": "",
    "optim.thaw_epochs": {},
    "evaluation.feature_maps": [],
    "points_per_program": 0,
    "seeds": 1,
    "data.device_budget_mb": 2048.0,
}


def config_hash(config: ConfigDict) -> str:
    """Return twelve hexadecimal digits that differ when what is trained does.

    The study's distortion counts only for a run that trains on it.
    """
    fields = to_json(config)
    fields.get("data", {}).pop("device_budget_mb", None)
    fields = _without_later(fields)
    outside = [*OUTSIDE_TRAINING, *([] if config.train_distortion else ["distortion"])]
    trained = {name: value for name, value in fields.items() if name not in outside}
    return hashlib.sha256(json.dumps(trained, sort_keys=True).encode()).hexdigest()[:12]


def from_json(held: dict[str, Any]) -> ConfigDict:
    """Return the config of a results.json, with the fields that came after it was written."""
    fields = copy.deepcopy(held)
    for path, value in LATER.items():
        *folders, name = path.split(".")
        node = fields
        for folder in folders:
            node = node.setdefault(folder, {})
        node.setdefault(name, value)
    return ConfigDict(fields)


def _without_later(fields: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Leave out the fields in LATER that hold their value there, and tables that have no others."""
    kept = {}
    for name, value in fields.items():
        path = prefix + name
        if path in LATER and value == LATER[path]:
            continue
        if isinstance(value, dict):
            inner = _without_later(value, f"{path}.")
            if value and not inner:
                continue
            value = inner
        kept[name] = value
    return kept


def is_study(config: ConfigDict) -> bool:
    """Tell whether the config stands for several runs instead of being one: `grid.runs_of`."""
    return "runs" in config or is_grid(config) or is_seeds(config)


def is_grid(config: ConfigDict) -> bool:
    """Tell whether the config lists values of some fields, and is a run at each point of them."""
    return "grid" in config


def is_seeds(config: ConfigDict) -> bool:
    """Tell whether the config asks for several seeds, and is a run of each."""
    return config.get("seeds", 1) != 1


def is_pattern(key: str) -> bool:
    """Tell whether a key of `config.init` is a regex of parameters' names, or else a part's."""
    return key.startswith("^")


def differences(old: dict[str, Any], new: dict[str, Any], prefix: str = "") -> list[str]:
    """List the fields in which two JSON configs differ, as `field: old -> new`."""
    lines = []
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name, "absent"), new.get(name, "absent")
        if isinstance(before, dict) and isinstance(after, dict):
            lines += differences(before, after, f"{prefix}{name}.")
        elif before != after:
            lines.append(f"{prefix}{name}: {before} -> {after}")
    return lines


def _explain(error: Exception, path: Path) -> str:
    """Say what went wrong in a config file, and in which line of it."""
    if isinstance(error, SyntaxError) and error.lineno:
        return f"{error.filename}, line {error.lineno}: {error.msg}: {(error.text or '').strip()}"
    if isinstance(error, AttributeError) and error.name == "get_config":
        return f"{path} has no function get_config(variant=None), which every config has"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(path)]
    line = f", line {lines[-1]}" if lines else ""
    return f"{path}{line}: {type(error).__name__}: {' '.join(str(error).split())}"
