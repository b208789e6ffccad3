"""Errors: one message, no traceback, and the exit code that says whose fault it is."""

import os
import signal
import sys
import time

import pytest

from fer_jax.errors import UsageError, UserError, run_command, suggest


@pytest.mark.parametrize(
    ("error", "code"), [(UserError("no data"), 1), (UsageError("no such flag"), 2)]
)
def test_a_users_error_is_printed_alone(capsys, error, code):
    @run_command
    def main():
        raise error

    assert main() == code
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"error: {error}\n")


def test_done_is_zero_and_arguments_pass_through():
    assert run_command(lambda a, *, b: None)(1, b=2) == 0


def test_a_bug_of_ours_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        run_command(lambda: 1 / 0)()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_a_signal_ends_a_command_with_one_line(capsys, number, code):
    before = signal.getsignal(signal.SIGTERM)

    @run_command
    def main():
        os.kill(os.getpid(), number)
        time.sleep(5)

    assert main() == code
    out, err = capsys.readouterr()
    assert not out and err.count("\n") == 1 and "the same command" in err
    assert signal.getsignal(signal.SIGTERM) == before


def test_the_nearest_name_is_suggested_and_all_are_listed():
    assert suggest("vvg", ["dae", "vgg"]) == "Did you mean 'vgg'? Known: dae, vgg."
    assert suggest("resnet", ["dae", "vgg"]) == "Known: dae, vgg."


@pytest.mark.parametrize(
    ("error", "told"),
    [(RuntimeError("Event loop is closed"), False), (RuntimeError("other"), True),
     (ValueError("Event loop is closed"), True)],
)
def test_only_what_reports_to_a_closed_event_loop_is_left_out(monkeypatch, error, told):
    class Reporter:
        def __del__(self):
            raise error

    heard = []
    monkeypatch.setattr(sys, "unraisablehook", lambda dropped: heard.append(dropped.exc_value))

    @run_command
    def main():
        reporter = Reporter()
        del reporter

    assert main() == 0
    assert heard == ([error] if told else [])


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_a_signal_that_comes_in_a_destructor_is_not_lost(capsys, number, code):
    class Held:
        def __del__(self):
            os.kill(os.getpid(), number)
            time.sleep(0.01)  # where the handler runs, and what it raises is dropped

    @run_command
    def main():
        held = Held()
        del held
        time.sleep(5)

    hook = sys.unraisablehook
    assert main() == code
    assert capsys.readouterr().err.count("\n") == 1
    assert sys.unraisablehook is hook
