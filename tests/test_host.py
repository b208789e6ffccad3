"""Settings of the process: they change no result, only how long it takes."""

import os
import subprocess
import sys

import jax
import pytest

from fer_jax import host


@pytest.mark.skipif(sys.platform != "linux", reason="mallopt is glibc's")
def test_glibc_takes_every_option():
    # In a process of its own: the options hold for good.
    code = "from fer_jax import host; raise SystemExit(not host.keep_freed_memory())"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"FER_JAX_CACHE": "/x/programs", "XDG_CACHE_HOME": "/y"}, "/x/programs"),
        ({"XDG_CACHE_HOME": "/y"}, "/y/fer_jax"),
        ({"HOME": "/home/someone"}, "/home/someone/.cache/fer_jax"),
    ],
)
def test_compiled_programs_are_kept_where_the_user_says(monkeypatch, variables, expected):
    for name in ("FER_JAX_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    before = jax.config.jax_compilation_cache_dir
    try:
        host.cache_programs()
        assert jax.config.jax_compilation_cache_dir == expected
    finally:
        jax.config.update("jax_compilation_cache_dir", before)


def test_the_users_own_xla_flags_win(monkeypatch):
    monkeypatch.setattr(host.importlib.util, "find_spec", lambda name: None)  # no accelerator
    monkeypatch.setenv("XLA_FLAGS", "--xla_backend_optimization_level=3")
    host.compile_quickly()
    assert os.environ["XLA_FLAGS"] == "--xla_backend_optimization_level=3"
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=false")
    host.compile_quickly()
    assert os.environ["XLA_FLAGS"].split() == [
        "--xla_cpu_enable_fast_math=false", "--xla_backend_optimization_level=2"
    ]


def test_accelerators_keep_xlas_own_level(monkeypatch):
    monkeypatch.setattr(host.importlib.util, "find_spec", lambda name: name == "jax_plugins")
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    host.compile_quickly()
    assert "XLA_FLAGS" not in os.environ
