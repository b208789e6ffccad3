"""Files that stand whole or not at all, and that nobody writes otherwise."""

import errno
import re
from pathlib import Path

import pytest

from fer_jax import files

PACKAGE = Path(files.__file__).parent
# What leaves half a file behind if it is cut off.
UNSAFE = re.compile(r"""\.write_(text|bytes)\(|open\([^)]*["'][wx]b?["']|copyfile\(""")


def test_the_old_stands_until_the_new_is_whole(tmp_path):
    path = tmp_path / "a.txt"
    files.write_text(path, "old")
    with files.replacing(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_and_nothing_beside(tmp_path, failure):
    path = tmp_path / "a.txt"
    files.write_text(path, "old")
    with pytest.raises(failure), files.replacing(path) as file:
        file.write(b"half")
        raise failure
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_kill_left_beside_is_written_over(tmp_path):
    (tmp_path / "a.txt.tmp").write_text("half of something longer")
    files.write_text(tmp_path / "a.txt", "é")
    assert (tmp_path / "a.txt").read_bytes() == "é".encode()
    assert list(tmp_path.iterdir()) == [tmp_path / "a.txt"]


def test_a_full_disks_error_names_the_file(tmp_path):
    with pytest.raises(OSError, match="a.txt") as raised, files.replacing(tmp_path / "a.txt"):
        raise OSError(errno.ENOSPC, "No space left on device")  # as write() does: without a name
    assert raised.value.errno == errno.ENOSPC
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_nothing_is_written_in_place(path):
    # The one does it for all; the other unpacks into a folder that it takes away again.
    if path.name in ("files.py", "read_archive.py"):
        return
    lines = path.read_text().splitlines()
    found = [line for line in lines if UNSAFE.search(re.sub(r"\bfiles\.\w+\(", "", line))]
    assert not found, "use fer_jax.files"
