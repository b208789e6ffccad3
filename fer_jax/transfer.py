"""Take over another run's parameters: which of them a network takes, and that they fit."""

import re
from typing import Any

import jax.numpy as jnp
from flax.traverse_util import flatten_dict, unflatten_dict
from ml_collections import ConfigDict

from fer_jax.configuring import is_pattern
from fer_jax.errors import UserError, suggest
from fer_jax.summary import abstract_state

Variables = dict[str, Any]  # nested arrays of "params", and of "batch_stats" where there are any


def select(entry: str, given: Variables, shapes: Variables) -> Variables:
    """Return what an entry of `config.init` brings from another run's variables.

    An entry that begins with "^" is a regex of the names of parameters, as `optim.rules` have them:
    each of ours that `re.search` finds is the other run's of the same name, and running statistics
    come with the parameters of their layer. Any other names a part of this network, such as
    "dae", which is the other run's whole network.

    Args:
      given: the other run's `params` and `batch_stats`, arrays or only their shapes.
      shapes: this run's.

    Raises:
      UserError: the first parameter that the other run has not, or in another shape.
    """
    chosen = _select_matching if is_pattern(entry) else _select_part
    return chosen(entry, given, shapes)


def shapes_of(config: ConfigDict, *, data_dir: str | None = None) -> Variables:
    """Return the shapes of a run's `params` and `batch_stats`.

    Raises:
      UserError: as `summary.abstract_state` does.
    """
    state = abstract_state(config, data_dir=data_dir)
    return {"params": state.params, "batch_stats": state.batch_stats}


def merge(variables: Variables, other: Variables) -> Variables:
    """Put the arrays of `other` into a tree, in place of those of the same name."""
    return unflatten_dict({**flatten_dict(variables), **flatten_dict(other)})


def count(variables: Variables) -> int:
    """Count the numbers in `params`."""
    return sum(leaf.size for leaf in flatten_dict(variables.get("params", {})).values())


def _select_part(name: str, given: Variables, shapes: Variables) -> Variables:
    if name not in shapes["params"]:
        raise UserError(
            f"config.init has the key {name!r}, and this network has no such part. "
            f"{suggest(name, shapes['params'])} A regex of parameters begins with '^'"
        )
    taken = {}
    for kind in ("params", "batch_stats"):
        expected, found = (
            {"/".join(path): jnp.shape(leaf) for path, leaf in flatten_dict(tree or {}).items()}
            for tree in (shapes[kind].get(name), given.get(kind))
        )
        for path in [*expected, *found]:
            if expected.get(path) != found.get(path):
                raise UserError(
                    f"config.init[{name!r}] brings {path!r} of shape {found.get(path)}, and the "
                    f"model's is {expected.get(path)}; use the same model fields in both configs"
                )
        if found:
            taken[kind] = {name: given[kind]}
    return taken


def _select_matching(pattern: str, given: Variables, shapes: Variables) -> Variables:
    ours, theirs = flatten_dict(shapes), flatten_dict(given)
    names = {path: "/".join(path[1:]) for path in ours if path[0] == "params"}
    matching = [path for path, name in names.items() if re.search(pattern, name)]
    if not matching:
        raise UserError(
            f"config.init has the regex {pattern!r}, which is found in no parameter's name; they "
            f"are such as {next(iter(names.values()))!r}"
        )
    layers = {path[1:-1] for path in matching}
    statistics = [path for path in ours if path[0] == "batch_stats" and path[1:-1] in layers]
    for path in (*matching, *statistics):
        name, wanted = "/".join(path[1:]), jnp.shape(ours[path])
        found = jnp.shape(theirs[path]) if path in theirs else None
        if found != wanted:
            has = "does not have" if found is None else f"has in shape {found}"
            layer = path[1] if len(path) > 2 else name
            raise UserError(
                f"config.init[{pattern!r}] takes {name!r} of shape {wanted}, which the run it "
                f"comes from {has}; leave it out by a regex such as '^(?!{layer}/)'"
            )
    return unflatten_dict({path: theirs[path] for path in (*matching, *statistics)})
