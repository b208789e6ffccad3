"""Errors that a user can mend, and how a command reports them."""

import difflib
import functools
import sys
from collections.abc import Callable, Iterable


class UserError(Exception):
    """Something the user can mend: one message, no traceback, exit code 1."""

    exit_code = 1


class UsageError(UserError):
    """A command called in a way it does not have: exit code 2."""

    exit_code = 2


def run_command(main: Callable[..., int | None]) -> Callable[..., int]:
    """Wrap a command's `main` so that it returns the exit code and prints a user's error alone.

    0 done, 1 the user can mend it, 2 wrong usage, 130 interrupted. Any other exception is a bug
    of ours and keeps its traceback.
    """

    @functools.wraps(main)
    def command(*args, **kwargs) -> int:
        try:
            return main(*args, **kwargs) or 0
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            return error.exit_code
        except KeyboardInterrupt:
            print("interrupted; the same command goes on from here", file=sys.stderr)
            return 130

    return command


def suggest(value: object, known: Iterable[object]) -> str:
    """Say which known name is nearest to `value`, and list them all."""
    names = [str(name) for name in known]
    near = difflib.get_close_matches(str(value), names, n=1)
    hint = f"Did you mean {near[0]!r}? " if near else ""
    return f"{hint}Known: {', '.join(names)}."
