"""Set-up: what pyproject declares, what the locks pin, what `make` and CI do with them."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import fer_jax

ROOT = Path(__file__).resolve().parent.parent
LOCKS = {f"3.{minor}": ROOT / f"requirements/lock-3.{minor}.txt" for minor in (11, 12)}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

# What a package is called where its import name is another one.
IMPORTED_AS = {
    "absl-py": "absl",
    "orbax-checkpoint": "orbax",
    "pillow": "PIL",
    "scikit-image": "skimage",
    "scikit-learn": "sklearn",
    "tensorboardx": "tensorboardX",
}


def requirements(*extras: str) -> list[Requirement]:
    lines = list(PROJECT["dependencies"])
    for extra in extras:
        lines += PROJECT["optional-dependencies"][extra]
    return [Requirement(line) for line in lines]


def locked(lock: Path) -> dict[str, str]:
    lines = [line for line in lock.read_text().splitlines() if not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in (x.split("==") for x in lines)}


def imported_modules(folder: Path) -> set[str]:
    found = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add(node.module.split(".")[0])
    return found


def test_every_import_is_declared():
    extras = ("playground", "robustness", "tensorboard")
    declared = {canonicalize_name(r.name) for r in requirements(*extras)}
    modules = {IMPORTED_AS.get(name, name.replace("-", "_")) for name in declared}
    imported = imported_modules(ROOT / "fer_jax") | imported_modules(ROOT / "configs")
    assert imported - sys.stdlib_module_names - modules - {"fer_jax", "configs"} == set()


def test_dependencies_have_lower_bounds_only():
    extras = (
        "cuda", "docs", "export", "playground", "predict", "pretrained", "robustness",
        "tensorboard", "test",
    )
    for requirement in requirements(*extras):
        # OpenCV 5 left out the cascades that find faces.
        allowed = {"<", ">="} if requirement.name == "opencv-python-headless" else {">="}
        assert {s.operator for s in requirement.specifier} == allowed, requirement


def test_the_reference_is_one_exact_version_outside_the_locks():
    [reference] = map(Requirement, PROJECT["optional-dependencies"]["reference"])
    assert str(reference) == "torch==2.13.0"
    assert not any(reference.name in locked(lock) for lock in LOCKS.values())


def test_version_stands_in_one_place():
    assert "version" in PROJECT["dynamic"] and "version" not in PROJECT
    assert re.fullmatch(r"\d+\.\d+\.\d+", fer_jax.__version__)


def test_each_supported_python_has_a_lock():
    named = {c.removeprefix("Programming Language :: Python :: ") for c in PROJECT["classifiers"]}
    assert named >= set(LOCKS)
    assert sorted((ROOT / "requirements").glob("lock-*.txt")) == sorted(LOCKS.values())


@pytest.mark.parametrize("python", LOCKS)
def test_lock_pins_exact_versions_and_names_no_address(python):
    for line in LOCKS[python].read_text().splitlines()[1:]:
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line), line


@pytest.mark.parametrize("python", LOCKS)
def test_lock_satisfies_pyproject(python):
    versions = locked(LOCKS[python])
    for requirement in requirements("playground", "pretrained", "tensorboard", "test"):
        version = versions[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{requirement} but {version} is locked"


@pytest.fixture
def checkout(tmp_path) -> Path:
    """Give a checkout with the real Makefile and a fake Python that writes down what it is asked.

    It calls itself Python 3.11 and makes virtual environments of itself; nothing is installed.
    """
    for name in ("Makefile", "pyproject.toml", ".ci/run", "requirements/lock-3.11.txt"):
        target = tmp_path / name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes())
        target.chmod((ROOT / name).stat().st_mode)
    python = tmp_path / "python"
    python.write_text(
        "#!/bin/sh\n"
        'case "$1 $2" in\n'
        '  "-c "*) echo ${FAKE_VERSION:-3.11} ;;\n'
        '  "-m venv") mkdir -p .venv/bin .venv/lib/python3.11; cp "$0" .venv/bin/python\n'
        "    cp .venv/bin/python .venv/bin/pip ;;\n"
        '  "-m pip") case "$*" in *torch*) echo "$@" >> calls; exit ${REFERENCE_EXIT:-0}; esac ;;\n'
        '  "-m pytest") echo "$@" >> calls; echo "$PYTEST_SAYS"; exit ${PYTEST_EXIT:-0} ;;\n'
        "esac\n"
        'echo "$@" >> calls\n'
    )
    python.chmod(0o755)
    return tmp_path


def run(checkout: Path, *command: str, **variables: str) -> subprocess.CompletedProcess:
    # This test may itself run under `make test WORKERS=4`, whose variables would be handed on.
    ours = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES", "VENV", "WORKERS", "PYTEST",
            "REFERENCE")
    inherited = {name: value for name, value in os.environ.items() if name not in ours}
    return subprocess.run(
        command,
        cwd=checkout,
        env=inherited | {"PATH": f"{checkout}:{os.environ['PATH']}"} | variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def calls(checkout: Path) -> list[str]:
    """Return what the fake Python was asked to do, without the questions for its version."""
    lines = (checkout / "calls").read_text().splitlines()
    return [line for line in lines if line.startswith("-m")]


def test_make_setup_installs_the_lock_once(checkout):
    first = run(checkout, "make", "setup", "PYTHON=./python")
    assert first.returncode == 0, first.stdout
    venv, lock, package = calls(checkout)
    assert venv == "-m venv --clear .venv"
    assert lock.endswith("-r requirements/lock-3.11.txt")
    assert package.endswith("--no-deps -e .")
    again = run(checkout, "make", "setup")  # the .venv that is there decides, so no PYTHON
    assert again.returncode == 0, again.stdout
    assert len(calls(checkout)) == 3


def test_make_setup_installs_again_after_pyproject_changed(checkout):
    run(checkout, "make", "setup", "PYTHON=./python")
    later = (checkout / ".venv/.fer_jax-3.11").stat().st_mtime + 10
    os.utime(checkout / "pyproject.toml", (later, later))
    run(checkout, "make", "setup")
    assert [call.split()[1] for call in calls(checkout)] == ["venv", "pip", "pip", "pip", "pip"]


def test_make_setup_refuses_a_python_without_lock(checkout):
    done = run(checkout, "make", "setup", "PYTHON=./python", FAKE_VERSION="3.99")
    assert done.returncode == 2
    assert "Python 3.99" in done.stdout and "use Python 3.11 or 3.12" in done.stdout
    assert not (checkout / ".venv").exists()


def test_make_setup_names_a_missing_python(checkout):
    done = run(checkout, "make", "setup", "PYTHON=python3.98")
    assert done.returncode == 2
    assert "there is no python3.98 here" in done.stdout


def test_make_setup_keeps_a_venv_of_another_python(checkout):
    run(checkout, "make", "setup", "PYTHON=./python")
    (checkout / "requirements/lock-3.12.txt").write_text("")
    done = run(checkout, "make", "setup", "PYTHON=./python", FAKE_VERSION="3.12")
    assert done.returncode == 2
    assert "was made with another Python than 3.12" in done.stdout
    assert len(calls(checkout)) == 3


def test_make_test_runs_the_suite(checkout):
    run(checkout, "make", "test", "PYTHON=./python", "WORKERS=3", "PYTEST=-k dae")
    assert calls(checkout)[-1] == "-m pytest -q -n 3 -k dae"


def test_make_test_installs_the_reference_first(checkout):
    run(checkout, "make", "test", "PYTHON=./python")
    reference, suite = calls(checkout)[-2:]
    assert reference.endswith("-c requirements/lock-3.11.txt torch==2.13.0")
    assert suite.startswith("-m pytest")


def test_make_test_goes_on_without_the_reference(checkout):
    done = run(checkout, "make", "test", "PYTHON=./python", REFERENCE_EXIT="1")
    assert done.returncode == 0
    assert "could not install torch==2.13.0; the tests that compare with it" in done.stdout
    run(checkout, "make", "test", "REFERENCE=")
    pip, first, second = [call.split()[1] for call in calls(checkout)][-3:]
    assert (pip, first, second) == ("pip", "pytest", "pytest")


@pytest.mark.parametrize("says, fails", [("7 passed in 2s", 0), ("1 failed, 6 passed in 2s", 1)])
def test_ci_run_ends_as_pytest_did(checkout, says, fails):
    run(checkout, "make", "setup", "PYTHON=./python")
    done = run(checkout, ".ci/run", PYTEST_SAYS=says, PYTEST_EXIT=str(fails))
    assert (done.returncode != 0) == bool(fails)
    assert done.stdout.splitlines()[-1] == f"pytest: {says}"
