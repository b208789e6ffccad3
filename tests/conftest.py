"""Settings and fixtures every test shares: four CPU devices, strict ranks, the real dataset."""

import os
import pathlib
import signal

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import pytest

from fer_jax.host import keep_freed_memory
from tests import running

keep_freed_memory()
# A shell that starts the suite in the background has Ctrl-C ignored, here and in every child.
signal.signal(signal.SIGINT, signal.default_int_handler)
jax.config.update("jax_num_cpu_devices", 4)
jax.config.update("jax_numpy_rank_promotion", "raise")

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def fer2013_source() -> pathlib.Path:
    """Give the folder of the real FER2013 sheets, or skip with the reason."""
    beside = REPOSITORY.parent / "shared" / "data" / "fer2013"
    folder = pathlib.Path(os.environ.get("FER_JAX_FER2013", beside))
    if not (folder / "rows.csv").is_file():
        pytest.skip(f"the real FER2013 is not at {folder}; set FER_JAX_FER2013 to its folder")
    return folder


@pytest.fixture(scope="session")
def finished_study(tmp_path_factory) -> tuple[pathlib.Path, str, str]:
    """Run the tiny study by its command without interruption: its workdir, stdout and stderr."""
    folder = tmp_path_factory.mktemp("finished_study")
    code, out, err = running.run(*running.COMMAND, cwd=folder)
    assert code == 0, err
    return folder / "w", out, err


@pytest.fixture(scope="module")
def quick_compile():
    """Let XLA skip its optimizations: for tests whose time is compiling and whose point is not."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)
