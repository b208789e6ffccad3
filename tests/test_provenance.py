"""Where a result comes from, as the results say it."""

import re
import subprocess
import sys

import jax

from fer_jax import provenance


def test_versions_are_those_that_are_installed():
    found = provenance.versions()
    assert found["jax"] == jax.__version__
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))


def test_the_commit_is_that_of_the_code_and_says_if_files_differ(monkeypatch):
    answers = {"rev-parse": "f" * 40, "status": " M fer_jax/train.py"}
    monkeypatch.setattr(provenance, "_output", lambda arguments: answers[arguments[3]])
    assert provenance.commit() == "f" * 40 + "-dirty"
    answers["status"] = ""
    assert provenance.commit() == "f" * 40


def test_outside_a_checkout_there_is_no_commit(monkeypatch):
    def fail(arguments):
        raise subprocess.CalledProcessError(128, arguments)

    monkeypatch.setattr(provenance, "_output", fail)
    assert provenance.commit() is None


def test_the_device_names_processor_and_cores():
    # The suite runs on the CPU.
    assert re.fullmatch(r"\d+ CPU cores \(.+\)", provenance.device())


def test_the_command_can_be_typed_again(monkeypatch):
    class Main:
        class __spec__:
            name = "fer_jax.main"

    monkeypatch.setitem(sys.modules, "__main__", Main)
    monkeypatch.setattr(sys, "argv", ["/somewhere/main.py", "--config=a b.py", "--config.epochs=2"])
    assert provenance.command() == (
        "python -m fer_jax.main '--config=a b.py' --config.epochs=2"
    )
    monkeypatch.setitem(sys.modules, "__main__", object())
    assert provenance.command().startswith("main.py ")
