"""Model files come back bit by bit; what is damaged, foreign or of another version is refused."""

import errno
import json
import struct

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy

from fer_jax import files, model_file
from fer_jax.configuring import to_json
from fer_jax.data import EMOTIONS
from fer_jax.errors import UserError, run_command
from fer_jax.trained import Trained, expected_variables
from tests import tiny_study
from tests.tiny import fill_variables

SHAPE = (48, 48, 1)


@pytest.fixture(scope="module")
def trained():
    config = tiny_study.get_config("A")
    variables = fill_variables(expected_variables(config, image_shape=SHAPE))
    return Trained(config, variables, EMOTIONS, SHAPE, {"run": "A", "seed": 0})


@pytest.fixture
def path(trained, tmp_path):
    model_file.save(tmp_path / "m.safetensors", trained)
    return tmp_path / "m.safetensors"


def rewrite(path, **changes):
    """Write the file's metadata anew with some changed."""
    with safetensors.safe_open(path, framework="numpy") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}
        metadata = file.metadata() | changes
    path.write_bytes(safetensors.numpy.save(arrays, metadata=metadata))


def test_float32_comes_back_bit_by_bit(trained, path):
    held = model_file.load(path)
    jax.tree.map(np.testing.assert_array_equal, held.variables, trained.variables)
    assert held._replace(variables=None, config=None) == trained._replace(
        variables=None, config=None
    )
    assert to_json(held.config) == to_json(trained.config)


def test_float16_halves_the_parameters_and_keeps_the_statistics(trained, path):
    half = path.with_name("half.safetensors")
    model_file.save(half, trained, dtype="float16")
    held = model_file.load(half).variables
    # Ten bits of mantissa: a relative error of at most 2**-11.
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=2**-11, atol=1e-7),
        held["params"], trained.variables["params"],
    )
    jax.tree.map(
        np.testing.assert_array_equal, held["batch_stats"], trained.variables["batch_stats"]
    )
    assert half.stat().st_size < path.stat().st_size


def test_a_parameter_that_float16_cannot_hold_is_refused(trained, tmp_path):
    params = jax.tree.map(lambda leaf: leaf + 1e6, trained.variables["params"])
    large = trained._replace(variables={**trained.variables, "params": params})
    with pytest.raises(UserError, match="more than float16 can; keep float32"):
        model_file.save(tmp_path / "m", large, dtype="float16")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "damage, message",
    [
        (lambda data: b"", "is empty; get it anew"),
        (lambda data: b"not a model at all", "cannot be read as a model"),
        (lambda data: b"\x89PNG\r\n\x1a\n" + bytes(100), "cannot be read as a model"),
        (lambda data: data[:-100], "damaged or cut off"),
        (lambda data: data[:200], "damaged or cut off"),
        # A header said to be of 2**60 bytes, which nobody must try to read.
        (lambda data: struct.pack("<Q", 1 << 60) + data[8:], "cannot be read as a model"),
        (lambda data: data[:-1] + bytes([data[-1] ^ 1]), "not those that were written"),
    ],
)
def test_a_damaged_file_is_refused(path, damage, message):
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UserError, match=message) as refused:
        model_file.load(path)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"version": "2"}, "model file of version '2', and this code reads version 1"),
        ({"format": "pt"}, "no model of fer_jax"),
        ({"config": "{"}, "does not describe a network"),
        ({"labels": "null"}, "does not describe a network"),
        ({"config": "{}"}, "config"),
        ({"image_shape": "[32, 32, 1]"}, "arrays do not fit the network"),
        ({"labels": json.dumps(EMOTIONS[:3])}, "3 labels for 7 classes"),
    ],
)
def test_a_header_that_does_not_fit_is_refused(path, changes, message):
    rewrite(path, **changes)
    with pytest.raises(UserError, match=message):
        model_file.load(path)


def test_values_that_are_no_numbers_are_refused(trained, tmp_path):
    params = jax.tree.map(lambda leaf: jnp.full_like(leaf, jnp.nan), trained.variables["params"])
    model_file.save(
        tmp_path / "m", trained._replace(variables={**trained.variables, "params": params})
    )
    with pytest.raises(UserError, match="NaN or infinite"):
        model_file.load(tmp_path / "m")


def test_a_full_disk_leaves_the_old_file_and_nothing_beside_it(trained, path, monkeypatch, capsys):
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    code = run_command(lambda: model_file.save(path, trained))()
    assert code == 1 and "make room there" in capsys.readouterr().err
    assert path.read_bytes() == before and list(path.parent.iterdir()) == [path]
