"""A dataset's files after kills, full disks and failures: the old ones or the new, never half."""

import os
import shutil
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from fer_jax.data.builders import open_records
from fer_jax.data.faces import Faces, load_faces
from fer_jax.data.store import recover, store
from fer_jax.errors import UserError


def faces_of(value: int) -> Faces:
    """Give two faces of one grey value."""
    images = np.full((2, 4, 4), value, np.uint8)
    usage = np.array(["Test", "Training"])
    return Faces(images, np.zeros(2, np.uint8), usage, np.full(2, ""), np.full(2, -1))


def stored(data_dir) -> list[int]:
    """Return the grey value in the arrays and in the records."""
    arrays = load_faces(data_dir / "own.npz").images
    records = open_records("own", data_dir=data_dir).as_data_source("train")
    return [int(arrays[0, 0, 0]), int(records[0]["image"][0, 0, 0])]


def names(data_dir) -> list[str]:
    return sorted(path.name for path in data_dir.iterdir())


def test_store_writes_both_and_replaces_both(tmp_path):
    for value in (1, 2):
        assert store("own", faces_of(value), data_dir=tmp_path) == tmp_path / "own.npz"
        assert stored(tmp_path) == [value, value]
        assert names(tmp_path) == ["own", "own.npz"]


# In a process of its own, for the kill is SIGKILL: it forks a child for each call of `os` that
# moves a file, which dies at that call.
KILLED = """
    import os, pathlib, shutil, signal, sys
    import fer_jax.data.builders  # once, not in each child
    from fer_jax.data.store import store
    from tests.data.test_store import faces_of

    folder = pathlib.Path(sys.argv[1])
    (folder / "old").mkdir()
    store("own", faces_of(1), data_dir=folder / "old")
    code, fatal_call = -signal.SIGKILL, 0
    while code == -signal.SIGKILL:
        fatal_call += 1
        data_dir = shutil.copytree(folder / "old", folder / str(fatal_call))
        child = os.fork()
        if not child:
            made = []
            for name in ("rename", "replace"):
                def move(*args, real=getattr(os, name), **options):
                    made.append(args)
                    if len(made) == fatal_call:
                        os.kill(os.getpid(), signal.SIGKILL)
                    return real(*args, **options)
                setattr(os, name, move)
            store("own", faces_of(2), data_dir=data_dir)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(fatal_call, code)
"""


def test_a_killed_store_leaves_old_or_new_and_the_next_clears_up(tmp_path):
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    survivor, code = map(int, done.stdout.split())
    assert code == 0
    assert stored(tmp_path / str(survivor)) == [2, 2]
    seen = set()
    for call in range(1, survivor):
        data_dir = tmp_path / str(call)
        arrays = int(load_faces(data_dir / "own.npz").images[0, 0, 0])
        recover("own", data_dir=data_dir)
        assert names(data_dir) == ["own", "own.npz"]
        value, same = stored(data_dir)
        assert value == same
        # What was not whole is gone; what was whole has come.
        assert value >= arrays
        seen.add((arrays, value))
    # The last move is the arrays', so a dataset that is half moved still trains on the old ones.
    assert seen == {(1, 1), (1, 2)}


def test_a_failure_leaves_the_old_dataset(tmp_path, monkeypatch):
    store("own", faces_of(1), data_dir=tmp_path)

    def fail(*args, **options):
        raise OSError(28, "No space left on device")

    for place in ("store.save_faces", "builders.write_records"):
        with monkeypatch.context() as patch:
            patch.setattr(f"fer_jax.data.{place}", fail)
            with pytest.raises(UserError, match="cannot write.*No space left.*Make room"):
                store("own", faces_of(2), data_dir=tmp_path)
        assert names(tmp_path) == ["own", "own.npz"]
        assert stored(tmp_path) == [1, 1]


FULL = """
    import pathlib, subprocess, sys
    import numpy as np
    from fer_jax.data.store import store
    from fer_jax.errors import UserError
    from tests.data.test_store import faces_of

    disk = pathlib.Path(sys.argv[1])
    images = np.random.default_rng(0).integers(0, 256, (40, 48, 48, 3), np.uint8)
    faces = faces_of(0)
    faces = type(faces)(images, *(np.resize(field, 40) for field in faces[1:5]))
    # The arrays take 277 kB, the records as much again.
    for kilobytes in (200, 400, 1000):
        size = f"size={kilobytes}k"
        subprocess.run(["mount", "-t", "tmpfs", "-o", size, "none", disk], check=True)
        try:
            store("own", faces, data_dir=disk)
            print("stored")
        except UserError as error:
            print(error)
        print(*sorted(path.name for path in disk.iterdir()))
"""


def test_a_full_disk_is_one_message(tmp_path):
    enter = ["unshare", "--user", "--map-root-user", "--mount"]
    if not shutil.which("unshare") or subprocess.run(
        [*enter, "mount", "-t", "tmpfs", "none", str(tmp_path)], capture_output=True
    ).returncode:
        pytest.skip("this system lets no user mount a tmpfs")
    command = [*enter, sys.executable, "-c", textwrap.dedent(FULL), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    in_arrays, nothing, in_records, still_nothing, stored, both = done.stdout.splitlines()
    for message in (in_arrays, in_records):
        assert "No space left on device" in message
        assert f"cannot write the dataset to {tmp_path}" in message
    assert nothing == still_nothing == ""
    assert (stored, both) == ("stored", "own own.npz")


def test_a_folder_that_cannot_be_written_is_one_message(tmp_path):
    (tmp_path / "data").write_text("a file")
    with pytest.raises(UserError, match="cannot write the dataset to .*data"):
        store("own", faces_of(1), data_dir=tmp_path / "data")


def test_leftovers_of_other_datasets_are_left_alone(tmp_path):
    for name in ("own.tmp", "other.tmp", "other.new"):
        (tmp_path / name).mkdir()
    recover("own", data_dir=tmp_path)
    assert names(tmp_path) == ["other.new", "other.tmp"]
    assert os.listdir(tmp_path / "other.tmp") == []
