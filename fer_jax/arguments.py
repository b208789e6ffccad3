"""Command lines: one kind of parser for all commands, and the fields that main sets on a config."""

import argparse
import ast
import sys
from pathlib import Path
from typing import Any, NoReturn

from absl import flags
from ml_collections import ConfigDict, config_flags

from fer_jax.configuring import find_field
from fer_jax.errors import UsageError, UserError, suggest
from fer_jax.grid import set_axis

FIELD = "--config."  # begins a flag that sets a field of the config
AXIS = "--config.grid."  # begins one that lists a field's values
# What the text of such a flag must be, by the type that the field has in the config.
KINDS = {bool: "true or false", int: "a whole number", float: "a number"}


class Parser(argparse.ArgumentParser):
    """Parse a command's flags; what is wrong is one message and exit code 2."""

    def __init__(self, module: str, description: str | None, **options: Any):
        """Make the parser of `python -m MODULE`, described by a docstring's first paragraph."""
        self._known: list[str] = []
        super().__init__(
            prog=f"python -m {module}", description=(description or "").split("\n\n")[0],
            allow_abbrev=False, **options,
        )

    def add_argument(self, *names: str, **options: Any) -> argparse.Action:
        """Add an argument as argparse does."""
        action = super().add_argument(*names, **options)
        self._known += action.option_strings
        return action

    def parse_known_args(self, args=None, namespace=None):
        """Parse as argparse does, but answer a flag that there is not with the nearest.

        Raises:
          UsageError: an unknown flag, a missing one or a value that does not fit.
        """
        args = sys.argv[1:] if args is None else list(args)
        for argument in args:
            name = argument.split("=", 1)[0]
            if name.startswith("--") and name not in self._known and not is_field(name):
                self.error(f"there is no flag {name}. {suggest(name, self._known)}")
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Raise the error that `run_command` prints."""
        raise UsageError(f"{message}\n{self.format_usage().strip()}")


def is_field(name: str) -> bool:
    """Tell whether a flag sets a config's field, as `--config.X=V` and `--noconfig.X` do."""
    return name.startswith((FIELD, f"--no{FIELD[2:]}"))


def set_fields(config: ConfigDict, arguments: list[str]) -> ConfigDict:
    """Set the fields that `--config.FIELD=VALUE` arguments name.

    Raises:
      UsageError: no such field, or a value of another type.
    """
    arguments = [argument for argument in arguments if not _set_axis(config, argument)]
    for argument in filter(is_field, arguments):
        find_field(config, argument.split("=", 1)[0].split(".", 1)[1])
    # Flags of its own, so that no call leaves anything to the next.
    values = flags.FlagValues()
    argv = ["main", *arguments]
    holder = config_flags.DEFINE_config_dict("config", config, flag_values=values, sys_argv=argv)
    try:
        rest = values(argv)
    except (flags.Error, AttributeError, LookupError, TypeError, ValueError) as error:
        raise UsageError(_explain(error, config, arguments)) from None
    if len(rest) > 1:
        raise UsageError(f"unexpected argument {rest[1]!r}")
    return holder.value


def _set_axis(config: ConfigDict, argument: str) -> bool:
    """Set an axis of a grid as `--config.grid.FIELD=VALUE,VALUE` says; False for other arguments.

    Any run's config becomes a grid so.
    """
    if not argument.startswith(AXIS):
        return False
    path, equals, text = argument.removeprefix(AXIS).partition("=")
    if not equals:
        raise UsageError(f"{argument} has no values; write them as in {AXIS}seed=0,1,2")
    if "runs" in config:
        raise UsageError(f"{argument}: the config is a study, and a grid is of a single run")
    field = find_field(config, path)
    if isinstance(field, ConfigDict):
        raise UsageError(f"{AXIS}{path} is a table; name one of its fields")
    try:
        values = ast.literal_eval(text)
    except (SyntaxError, ValueError):
        values = tuple(text.split(","))  # names, as in --config.grid.optim.name=adam,sgd
    # A single value that is itself a tuple is written with a comma behind it: (0.9, 0.99),
    if not isinstance(values, tuple) or (isinstance(field, tuple) and _is_one(values)):
        values = (values,)
    set_axis(config, path, values)
    return True


def _is_one(values: tuple) -> bool:
    return not all(isinstance(value, tuple) for value in values)


def check_folder(path: Path, *, flag: str = "workdir") -> None:
    """Check that the folder that a flag names is one or can become one.

    Raises:
      UserError: it, or a folder above it, is a file.
    """
    file = next((part for part in (path, *path.parents) if part.is_file()), None)
    if file:
        raise UserError(f"--{flag}={path}: {file} is a file; name a folder")


def _explain(error: Exception, config: ConfigDict, arguments: list[str]) -> str:
    """Say in our words which argument does not fit and what was expected, where that is known."""
    for argument in arguments:
        name, _, text = argument.partition("=")
        if not str(error).startswith(f"flag {argument}:"):
            continue
        path = name.split(".", 1)[1]
        value = find_field(config, path)
        if isinstance(value, ConfigDict):
            field = next(iter(value), "NAME")
            return f"{name} is a table; set its fields one by one, as in {name}.{field}=..."
        if type(value) in KINDS:
            return f"{argument}: expected {KINDS[type(value)]}, as in {name}={value}"
    return str(error)
