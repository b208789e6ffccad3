"""Errors that a user can mend, and how a command reports them."""

import difflib
import errno
import functools
import signal
import sys
from collections.abc import Callable, Iterable
from typing import NoReturn


class UserError(Exception):
    """Something the user can mend: one message, no traceback, exit code 1."""

    exit_code = 1


class UsageError(UserError):
    """A command called in a way it does not have: exit code 2."""

    exit_code = 2


class Terminated(BaseException):
    """SIGTERM came where nothing needs saving: exit code 143.

    No Exception, as KeyboardInterrupt is none: nothing that recovers from errors shall hold it up.
    """

    exit_code = 128 + signal.SIGTERM


# What a system's refusal of a file asks of the user. Other errors of files are bugs of ours.
MENDABLE = {
    errno.ENOSPC: "make room there",
    errno.EDQUOT: "make room there, or have your quota raised",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f)",
    errno.EROFS: "choose a folder that can be written",
    errno.EACCES: "give yourself the right to it, or choose another folder",
    errno.EPERM: "give yourself the right to it, or choose another folder",
    errno.EIO: "check that disk",
    errno.ENOTDIR: "choose another folder",
}


def run_command(main: Callable[..., int | None]) -> Callable[..., int]:
    """Wrap a command's `main` so that it returns the exit code and prints a user's error alone.

    0 done, 1 the user can mend it, 2 wrong usage, 130 interrupted, 143 terminated. A full disk or
    a folder that cannot be written is the user's to mend too. Any other exception is a bug of ours
    and keeps its traceback.
    """

    @functools.wraps(main)
    def command(*args, **kwargs) -> int:
        before = signal.signal(signal.SIGTERM, _terminate)
        try:
            return main(*args, **kwargs) or 0
        except (UserError, Terminated) as error:
            stopped = error.exit_code > 128
            print(error if stopped else f"error: {error}", file=sys.stderr)
            return error.exit_code
        except OSError as error:
            if error.errno not in MENDABLE or not error.filename:
                raise
            print(
                f"error: {error.filename}: {error.strerror}; {MENDABLE[error.errno]}, then the "
                "same command goes on from here",
                file=sys.stderr,
            )
            return 1
        except KeyboardInterrupt:
            print("interrupted; the same command goes on from here", file=sys.stderr)
            return 128 + signal.SIGINT
        finally:
            signal.signal(signal.SIGTERM, before)

    return command


def suggest(value: object, known: Iterable[object]) -> str:
    """Say which known name is nearest to `value`, and list them all."""
    names = [str(name) for name in known]
    near = difflib.get_close_matches(str(value), names, n=1)
    hint = f"Did you mean {near[0]!r}? " if near else ""
    return f"{hint}Known: {', '.join(names)}."


def _terminate(number: int, frame: object) -> NoReturn:
    raise Terminated("terminated; the same command goes on from here")
