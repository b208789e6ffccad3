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
    names = "jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs"
    before = {name: getattr(jax.config, name) for name in names}
    try:
        host.cache_programs()
        assert jax.config.jax_compilation_cache_dir == expected
        # The quickstart's step takes less than a second to compile, JAX's own limit.
        assert jax.config.jax_persistent_cache_min_compile_time_secs < 0.5
    finally:
        for name, value in before.items():
            jax.config.update(name, value)


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


def test_accelerators_keep_xlas_own_flags(monkeypatch):
    monkeypatch.setattr(host.importlib.util, "find_spec", lambda name: name == "jax_plugins")
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    host.compile_quickly()
    host.convolve_on_all_cores()
    assert "XLA_FLAGS" not in os.environ


def test_convolutions_are_left_to_eigen_where_there_are_cores_to_share_them(monkeypatch):
    flag = "--xla_cpu_experimental_ynn_fusion_type"
    without = f"{flag}=-LIBRARY_FUSION_TYPE_INDIVIDUAL_CONVOLUTION"

    monkeypatch.setattr(host.importlib.util, "find_spec", lambda name: None)  # no accelerator

    def flags(given="", *, cores=(0, 1), version="0.10.2"):
        monkeypatch.setenv("XLA_FLAGS", given)
        monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(cores))
        monkeypatch.setattr(host.importlib.metadata, "version", lambda package: version)
        host.convolve_on_all_cores()
        return os.environ["XLA_FLAGS"]

    assert flags() == without
    other = "--xla_cpu_enable_fast_math=false"
    assert flags(other) == f"{other} {without}"
    assert flags(cores=(0,)) == ""
    assert flags("--xla_cpu_multi_thread_eigen=false") == "--xla_cpu_multi_thread_eigen=false"
    assert flags(f"{flag}=") == f"{flag}="  # the user's own
    assert flags(version="0.11.0") == ""  # which may not know the flag, and would end the process


@pytest.mark.skipif(sys.platform != "linux", reason="cores are counted otherwise elsewhere")
def test_the_installed_xla_knows_every_flag():
    # XLA ends a process whose flags it does not know. Its library is named in what it compiles.
    code = (
        "from fer_jax import host; host.prepare_process(); import jax, jax.numpy as jnp; "
        "x, k = jnp.ones((2, 8, 8, 32)), jnp.ones((3, 3, 32, 32)); "
        "f = jax.jit(lambda x, k: jax.lax.conv_general_dilated(x, k, (1, 1), 'SAME', "
        "dimension_numbers=('NHWC', 'HWIO', 'NHWC'))); "
        "print('ynn' in f.lower(x, k).compile().as_text())"
    )
    environment = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    version = host.importlib.metadata.version("jaxlib")
    if len(os.sched_getaffinity(0)) > 1 and version.startswith(host.YNNPACK_VERSIONS):
        assert ran.stdout.strip() == "False"
