"""Unpack a zip or tar archive into a temporary folder, and only if all of it is harmless."""

import bz2
import contextlib
import errno
import gzip
import lzma
import re
import shutil
import stat
import struct
import tarfile
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from fer_jax.data.read_tree import is_junk
from fer_jax.errors import UserError

MAX_MEMBERS = 200_000  # FER2013 as a tree has 35,901
MAX_BYTES = 4 << 30  # unpacked; all of the challenge's files together have 0.7 GB
MAX_RATIO = 200  # of unpacked to packed bytes; the digits of a CSV reach 4
SMALL_BYTES = 64 << 20  # unpacked: so much does no harm at any ratio
MAX_READ = 1 << 20  # at once, from a tar: only a forged header asks for more

ZIP_MARKS = (b"PK\x03\x04", b"PK\x05\x06")
COMPRESSIONS = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}

# What the standard library raises on bytes that are no archive, cut off or forged.
DAMAGE = (
    OSError, EOFError, ValueError, KeyError, IndexError, RuntimeError, ArithmeticError, MemoryError,
    struct.error, zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError,
)


class _Member(NamedTuple):
    name: str
    size: int  # bytes unpacked
    problem: str | None  # what it is instead of a file or folder
    is_folder: bool
    handle: zipfile.ZipInfo | tarfile.TarInfo


def archive_kind(path: Path) -> str | None:
    """Tell by its bytes what an archive is: "zip", "npz", "tar", "compressed tar" or None.

    An .npz is a zip of nothing but .npy members.
    """
    with open(path, "rb") as file:
        head = file.read(512)
    if head.startswith(ZIP_MARKS):
        return "npz" if _is_npz(path, head) else "zip"
    if head.startswith(tuple(COMPRESSIONS)):
        return "compressed tar"
    return "tar" if head[257:262] == b"ustar" else None


@contextlib.contextmanager
def unpacked(path: Path, *, track: Callable) -> Iterator[Path]:
    """Unpack the archive into a temporary folder and give that; it is gone afterwards.

    All members are listed and checked before the first is written, and only their bytes are
    written, no owners, modes or times. What systems leave in archives (__MACOSX, .DS_Store) is
    left out. A UserError raised inside names files as PATH/member.

    Args:
      path: the archive; see `archive_kind`.
      track: shows the progress: (members, how many there are) -> the same members.

    Raises:
      UserError: the archive is damaged or encrypted, or holds a member that would leave the
        folder, that is no file or folder, or that comes twice (also if only case tells them
        apart), or more than MAX_MEMBERS members or MAX_BYTES bytes, or bytes packed more than
        MAX_RATIO times.
    """
    with tempfile.TemporaryDirectory(prefix="fer_jax-") as folder:
        try:
            with _open(path) as (members, open_member):
                files = _checked(path, members)
                for parts, handle in track(files, len(files)):
                    target = Path(folder, *parts)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with open_member(handle) as source, open(target, "xb") as file:
                        shutil.copyfileobj(source, file)
        except DAMAGE as error:
            if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
                raise UserError(
                    f"{folder} has no room for what is in {path}. Make room there, or set TMPDIR "
                    "to a folder that has it."
                ) from error
            raise UserError(
                f"{path} cannot be unpacked into {folder} ({str(error)[:200]}). The "
                "archive is damaged or of another kind: get it again, or unpack it yourself and "
                "give the folder."
            ) from error
        try:
            yield Path(folder)
        except UserError as error:
            raise type(error)(str(error).replace(folder, str(path))) from error


def _is_npz(path: Path, head: bytes) -> bool:
    first_name = head[30 : 30 + int.from_bytes(head[26:28], "little")]
    if not first_name.endswith(b".npy"):
        return False  # without the list, which is long in a hostile zip
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except DAMAGE:
        return path.suffix.lower() == ".npz"
    return bool(names) and all(name.endswith(".npy") for name in names)


def _checked(path: Path, members: Iterable[_Member]) -> list[tuple]:
    """Return (parts of the path, handle) of the files to unpack."""
    files, seen, total = [], {}, 0
    limit = max(SMALL_BYTES, MAX_RATIO * path.stat().st_size)
    for number, member in enumerate(members, 1):
        if number > MAX_MEMBERS:
            raise UserError(f"{path} holds more than {MAX_MEMBERS:,} members; no more are read.")
        name = repr(member.name[:200])
        parts = _parts(path, member.name)
        if member.problem or member.size < 0:
            raise UserError(
                f"{path} holds {name}, which is {member.problem or 'of negative size'}. "
                "Expected are plain files and folders."
            )
        total += member.size
        if total > min(limit, MAX_BYTES):
            raise UserError(
                f"{path} would unpack to more than {min(limit, MAX_BYTES):,} bytes, and so much is "
                f"not unpacked: at most {MAX_BYTES:,} bytes, and {MAX_RATIO} times its own size. "
                "If you trust it, unpack it yourself and give the folder."
            )
        if member.is_folder or not parts or any(is_junk(part) for part in parts):
            continue
        key = unicodedata.normalize("NFC", "/".join(parts)).casefold()
        if key in seen:
            raise UserError(
                f"{path} holds {seen[key]} and {name}, which would be one file where "
                "case does not matter. Take one away."
            )
        seen[key] = name
        files.append((parts, member.handle))
    return files


def _parts(path: Path, name: str) -> list[str]:
    name_parts = re.split(r"[/\\]", name)
    outside = name.startswith(("/", "\\")) or re.match("[A-Za-z]:", name) or ".." in name_parts
    if outside or any(ord(letter) < 32 for letter in name):
        raise UserError(
            f"{path} holds a member {name[:200]!r}, which would be written outside of the folder "
            "or is no file name. Do not trust this archive."
        )
    return [part for part in name_parts if part not in ("", ".")]


@contextlib.contextmanager
def _open(path: Path) -> Iterator[tuple[Iterable[_Member], Callable]]:
    """Give the archive's members, and what opens one of them by its handle."""
    with open(path, "rb") as file:
        head = file.read(8)
    if head.startswith(ZIP_MARKS):
        with zipfile.ZipFile(path) as archive:
            yield map(_zip_member, archive.infolist()), archive.open
        return
    decompress = next((f for mark, f in COMPRESSIONS.items() if head.startswith(mark)), open)
    with decompress(path, "rb") as file:
        with tarfile.open(fileobj=_SmallReads(file), mode="r:") as archive:
            yield _tar_members(archive), archive.extractfile


def _zip_member(info: zipfile.ZipInfo) -> _Member:
    kind = stat.S_IFMT(info.external_attr >> 16)
    problem = None
    if info.flag_bits & 1:
        problem = "encrypted"
    elif kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        problem = "a symbolic link" if kind == stat.S_IFLNK else "a device, pipe or socket"
    is_folder = info.filename.endswith(("/", "\\"))  # some archivers of Windows write the latter
    return _Member(info.filename, info.file_size, problem, is_folder, info)


def _tar_members(archive: tarfile.TarFile) -> Iterator[_Member]:
    for info in archive:
        problem = None
        if info.issym() or info.islnk():
            problem = f"a link to {info.linkname[:200]!r}"
        elif info.issparse() or not (info.isreg() or info.isdir()):
            problem = "a sparse file, device or pipe"
        yield _Member(info.name, info.size, problem, info.isdir(), info)
    # tarfile takes a header it cannot read for the end, and with it a cut that leaves no half file.
    archive.fileobj.seek(archive.offset)
    if archive.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("it has no end mark")
    # The checksum of what is compressed stands behind its last byte and is compared there only.
    padding = 0
    while read := len(archive.fileobj.read(MAX_READ)):
        padding += read
        if padding > SMALL_BYTES:
            raise tarfile.ReadError(f"more than {SMALL_BYTES:,} bytes follow its end mark")


class _SmallReads:
    """Pass on to a file, but refuse to read at once what a forged header may ask for."""

    def __init__(self, file: BinaryIO):
        self._file, self.seek, self.tell, self.close = file, file.seek, file.tell, file.close

    def read(self, size: int) -> bytes:
        if not 0 <= size <= MAX_READ:
            raise tarfile.ReadError(f"a header asks for {size:,} bytes")
        return self._file.read(size)
