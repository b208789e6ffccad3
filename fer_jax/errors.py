"""Errors that a user can mend, and how a command reports them."""

import _thread
import difflib
import errno
import functools
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any, NoReturn


class UserError(Exception):
    """Something the user can mend: one message, no traceback, exit code 1."""

    exit_code = 1


class UsageError(UserError):
    """A command called in a way it does not have: exit code 2."""

    exit_code = 2


class Terminated(SystemExit):
    """SIGTERM came where nothing needs saving: exit code 143.

    No Exception, so that nothing that recovers from errors holds it up; and of the kind that an
    event loop, such as Orbax's, lets through too.
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
        hook, sys.unraisablehook = sys.unraisablehook, _deliver_again(sys.unraisablehook)
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
            sys.unraisablehook = hook
            signal.signal(signal.SIGTERM, before)

    return command


def suggest(value: object, known: Iterable[object]) -> str:
    """Say which known name is nearest to `value`, and list them all."""
    names = [str(name) for name in known]
    near = difflib.get_close_matches(str(value), names, n=1)
    hint = f"Did you mean {near[0]!r}? " if near else ""
    return f"{hint}Known: {', '.join(names)}."


def _deliver_again(report: Callable) -> Callable:
    """Make a hook for errors that Python drops: a signal's among them comes again soon.

    A handler may run inside a destructor or a weak reference's callback, out of which no exception
    comes. What TensorStore still writes when a save has failed, as on a full disk, reports to
    Orbax's event loop, which is closed by then: the save's own error says all.
    """

    def hook(dropped: Any) -> None:
        error = dropped.exc_value
        if isinstance(error, RuntimeError) and str(error) == "Event loop is closed":
            return
        for kind, number in ((KeyboardInterrupt, signal.SIGINT), (Terminated, signal.SIGTERM)):
            if isinstance(dropped.exc_value, kind):
                # Not from here, which is still inside.
                threading.Timer(0.05, _thread.interrupt_main, [number]).start()
                return
        report(dropped)

    return hook


def _terminate(number: int, frame: object) -> NoReturn:
    raise Terminated("terminated; the same command goes on from here")
