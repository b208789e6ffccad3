"""A grid: one config that lists values of some fields, and stands for a run at each point.

`config.grid` mirrors the config, with a tuple of values where the config has one:
`{"optim": {"learning_rate": (1e-3, 1e-2)}, "model": {"dropout": (0.0, 0.3)}}` is four runs. The
first axis, in alphabetical order, varies slowest. A grid is trained as a study of its points.
So is `config.seeds = 4`: four runs that differ in their seed alone.
"""

import itertools
import re
from typing import Any

from ml_collections import ConfigDict

from fer_jax.configuring import is_grid, is_seeds

# Longer names become `point-007`: with the names of files inside, some file systems end at 255.
LONGEST_NAME = 100


def runs_of(config: ConfigDict) -> dict[str, ConfigDict]:
    """Return the runs of a study, a grid or several seeds by their names, which are folders'."""
    if is_seeds(config):
        return expand_seeds(config)
    return expand(config) if is_grid(config) else dict(config.runs)


def expand_seeds(config: ConfigDict) -> dict[str, ConfigDict]:
    """Return the run of each seed, as `seed0`, `seed1`, ...: the runs that these seeds are alone.

    They are numbered from 0, wherever `config.seed` begins.
    """
    runs = {}
    for i in range(config.seeds):
        runs[f"seed{i}"] = config.copy_and_resolve_references()
        runs[f"seed{i}"].update({"seed": config.seed + i, "seeds": 1})
    return runs


def expand(config: ConfigDict) -> dict[str, ConfigDict]:
    """Return the run at each point of a grid, as in `{"dropout=0.3,learning_rate=0.01": run}`.

    An axis of one value sets that field at every point and is not in the names. Choosing between
    points is no use of test faces: unless the only axis is the seed, which chooses nothing, points
    are evaluated on validation faces alone. `grid.evaluation.splits = (("validation", "test"),)`
    says otherwise.
    """
    axes = axes_of(config)
    base = config.copy_and_resolve_references()
    with base.unlocked():
        del base["grid"]
    if any(len(values) > 1 for path, values in axes.items() if path != "seed"):
        base.evaluation.splits = ("validation",)
    runs = {}
    for name, point in points_of(config).items():
        runs[name] = base.copy_and_resolve_references()
        runs[name].update_from_flattened_dict(point)
    return runs


def axes_of(config: ConfigDict) -> dict[str, Any]:
    """Return the values of each axis by the path of its field, such as `optim.l2`."""
    return _flatten(config.grid)


def set_axis(config: ConfigDict, path: str, values: tuple[Any, ...]) -> None:
    """List the values of a field of a config, which makes it a grid if it was none."""
    # Here and not above: it takes a second, which no flag should wait for.
    from flax.traverse_util import unflatten_dict

    axes = axes_of(config) if is_grid(config) else {}
    with config.unlocked():
        config.grid = ConfigDict(unflatten_dict({**axes, path: values}, sep="."))


def points_of(config: ConfigDict) -> dict[str, dict[str, Any]]:
    """Return what each point sets, by its name: the value of each axis by the field's path."""
    axes = axes_of(config)
    varied = [path for path, values in axes.items() if len(values) > 1]
    short = _short_names(varied)
    points = {}
    for i, chosen in enumerate(itertools.product(*axes.values())):
        point = dict(zip(axes, chosen, strict=True))
        name = ",".join(f"{short[path]}={_text(point[path])}" for path in varied) or "point"
        if len(name) > LONGEST_NAME or name in points:
            name = f"point-{i:03d}"
        points[name] = point
    return points


def _flatten(table: ConfigDict, prefix: str = "") -> dict[str, Any]:
    found = {}
    for name, value in table.items():
        nested = isinstance(value, ConfigDict)
        found |= _flatten(value, f"{prefix}{name}.") if nested else {prefix + name: value}
    return found


def _short_names(paths: list[str]) -> dict[str, str]:
    """Name each path by its last part, or by the whole of it where two end alike."""
    last = [path.rpartition(".")[2] for path in paths]
    return {
        path: name if last.count(name) == 1 else path
        for path, name in zip(paths, last, strict=True)
    }


def _text(value: Any) -> str:
    """Write a value for a file's name that no shell takes apart."""
    if isinstance(value, (tuple, list)):
        return "-".join(map(_text, value))
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    plain = str(value).lower() if isinstance(value, bool) else str(value)
    return re.sub("[^A-Za-z0-9._+-]+", "_", plain)
