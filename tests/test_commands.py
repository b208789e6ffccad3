"""The package alone names its commands."""

import importlib

import pytest

from fer_jax import __main__ as alone


def test_the_package_alone_names_its_commands(capsys):
    assert alone.main() == 2
    said = capsys.readouterr().err
    assert all(f"python -m {name} " in said for name in alone.COMMANDS)
    assert max(map(len, said.splitlines())) <= 80


@pytest.mark.parametrize("name", alone.COMMANDS)
def test_each_named_command_has_help(capsys, monkeypatch, name):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as stopped:
        importlib.import_module(name).main(["--help"])
    out = capsys.readouterr().out
    assert stopped.value.code == 0 and out.startswith(f"usage: python -m {name}")
    assert max(map(len, out.splitlines())) <= 80
