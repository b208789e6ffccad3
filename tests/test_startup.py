"""What a command imports before it is known what to do: nothing that takes a second."""

import subprocess
import sys

import pytest

from experiments import harness, launch
from fer_jax import export, feature_maps, flags, model_file, preprocess
from fer_jax.__main__ import COMMANDS
from fer_jax.commands import export as export_flags
from fer_jax.commands import feature_maps as feature_map_flags
from fer_jax.ops import distortion
from tests.running import REPOSITORY

HEAVY = (
    "jax", "flax", "optax", "orbax", "matplotlib", "sklearn", "scipy.stats", "scipy.optimize",
    "tensorflow_datasets", "torch",
)
OTHERS = (
    "fer_jax.corruption_picture", "experiments.li2023", "experiments.hybrid_ablation",
    "experiments.ledger", "experiments.readme", "benchmarks.pypi_fer",
)
# Runs commands as `python -m` does, all in one process, and tells what each has imported first.
RUN = """
import runpy, sys
for line in sys.argv[1:]:
    module, flag = line.split()
    sys.argv = [module, flag]
    before = set(sys.modules)
    try:
        runpy.run_module(module, run_name="__main__")
    except SystemExit as stopped:
        code = stopped.code or 0
    heavy = [name for name in {heavy!r} if name in set(sys.modules) - before]
    print("ANSWERED", module, code, *heavy)
"""


def answer(flag: str, modules) -> list[str]:
    """Call commands with a flag in a fresh process; give of each name, exit code and the heavy."""
    lines = [f"{module} {flag}" for module in modules]
    done = subprocess.run(
        [sys.executable, "-c", RUN.format(heavy=HEAVY), *lines],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=200,
    )
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.splitlines() if line.startswith("ANSWERED")]


@pytest.mark.parametrize("flag, code", [("--help", 0), ("--no_such_flag", 2)])
def test_help_and_wrong_flags_are_answered_without_what_is_slow_to_import(flag, code):
    modules = [*COMMANDS, *OTHERS]
    assert answer(flag, modules) == [f"ANSWERED {module} {code}" for module in modules]


def test_names_that_flags_list_are_those_there_are():
    assert flags.DISTORTIONS == tuple(distortion.DISTORTIONS)
    assert flags.VIEWS == tuple(preprocess.VIEWS)
    assert flags.AVERAGES == preprocess.AVERAGES
    assert feature_map_flags.SCALES == tuple(feature_maps.SCALES)
    assert export_flags.FORMATS == tuple(export.FORMATS)
    assert export_flags.DTYPES == tuple(model_file.DTYPES)
    assert harness.LAUNCHERS == tuple(launch.LAUNCHERS)


def test_the_summary_compiles_nothing():
    # In a process of its own, where nothing is compiled yet.
    code = """
import jax, jax.monitoring
compiled = []
jax.monitoring.register_event_duration_secs_listener(
    lambda name, seconds, **_: compiled.append(name) if "backend_compile" in name else None
)
from fer_jax import summary
for config in ("vgg_dae.py:A", "resnet9.py"):
    assert summary.main([f"--config=configs/{config}", "--json"]) == 0
print("compiled", len(compiled))
jax.numpy.ones(3).sum()
print("heard", bool(compiled))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, timeout=200
    )
    # Without the last line a renamed event would pass.
    assert done.stdout.splitlines()[-2:] == ["compiled 0", "heard True"], done.stderr
