"""Configs: load them by path, name them by hash, and say what is wrong with one."""

import hashlib
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from fer_jax.errors import UsageError, UserError, suggest

REPOSITORY = Path(__file__).resolve().parent.parent


def load_config(reference: str) -> ConfigDict:
    """Load `FILE.py[:VARIANT]`, looked for here and then beside the package.

    A config file has `get_config(variant=None) -> ConfigDict`.

    Raises:
      UserError: no such file, or the file refuses the variant.
    """
    path, _, variant = reference.partition(":")
    found = find_config(path)
    # Configs share configs/common.py, so the folder above them must be importable.
    root = str(found.resolve().parent.parent)
    if root not in sys.path:
        sys.path.insert(0, root)
    spec = importlib.util.spec_from_file_location(f"config_{found.stem}", found)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.get_config(variant or None)


def find_config(path: str) -> Path:
    """Find a config file here, or else beside the package.

    Raises:
      UserError: no such file; the known ones are listed.
    """
    candidates = [Path(path), REPOSITORY / path]
    found = next((candidate for candidate in candidates if candidate.is_file()), None)
    if found is None:
        known = sorted(f"configs/{file.name}" for file in (REPOSITORY / "configs").glob("[!_]*.py"))
        raise UserError(f"there is no config file {path!r}. {suggest(path, known)}")
    return found


def check_field(config: ConfigDict, path: str) -> None:
    """Check that the config has a field of that path, such as `optim.learning_rate`.

    Raises:
      UsageError: it has not; the fields that stand beside it are listed.
    """
    node = config
    for name in path.split("."):
        name = name.split("[", 1)[0]  # `data.sizes[0]` sets one of a tuple
        if not isinstance(node, ConfigDict) or name not in node:
            beside = suggest(name, node) if isinstance(node, ConfigDict) else "That is one value."
            raise UsageError(f"the config has no field {path!r}. {beside}")
        node = node[name]


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


# Fields that training does not depend on: how it is measured and how it reaches the devices.
OUTSIDE_TRAINING = ("evaluation", "init_dir", "mesh", "steps_per_dispatch", "checkpoint_minutes")


def config_hash(config: ConfigDict) -> str:
    """Return twelve hexadecimal digits that differ when what is trained does.

    The study's distortion counts only for a run that trains on it.
    """
    fields = to_json(config)
    outside = [*OUTSIDE_TRAINING, *([] if config.train_distortion else ["distortion"])]
    trained = {name: value for name, value in fields.items() if name not in outside}
    return hashlib.sha256(json.dumps(trained, sort_keys=True).encode()).hexdigest()[:12]


def is_study(config: ConfigDict) -> bool:
    """Tell whether the config lists runs instead of being one."""
    return "runs" in config


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
