"""A folder has one process at a time; what is left of a dead one locks nothing."""

import errno
import logging
import os

import pytest

from fer_jax import lock
from fer_jax.errors import UserError


def refuse(*folders):
    with pytest.raises(UserError, match="is in use by process .* wait until it ends") as refused:
        with lock.hold(*folders):
            pass
    return str(refused.value)


def test_a_held_folder_is_refused_and_given_back(tmp_path):
    with lock.hold(tmp_path / "new" / "a"):
        assert f"process {os.getpid()} on " in refuse(tmp_path / "new" / "a")
    with lock.hold(tmp_path / "new" / "a"):
        pass


def test_all_or_none_are_held(tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    with lock.hold(b):
        assert str(b) in refuse(a, b)
        with lock.hold(a):
            pass


def test_the_file_of_a_dead_process_locks_nothing(tmp_path):
    (tmp_path / ".lock").write_text("process 1 on elsewhere, of a longer name than ours")
    with lock.hold(tmp_path):
        assert (tmp_path / ".lock").read_text().startswith(f"process {os.getpid()} on ")
        assert "longer" not in (tmp_path / ".lock").read_text()


def test_a_file_system_without_locks_is_a_warning(tmp_path, monkeypatch, caplog):
    def flock(descriptor, how):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(lock.fcntl, "flock", flock)
    with caplog.at_level(logging.WARNING), lock.hold(tmp_path):
        pass
    assert "cannot be locked (No locks available); start no second" in caplog.text
