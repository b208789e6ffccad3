"""Unpacking archives: the same files from every kind, and nothing from a hostile one."""

import gzip
import io
import stat
import tarfile
import tempfile
import zipfile

import numpy as np
import pytest

from fer_jax.data import read_archive as module
from fer_jax.data.read_archive import archive_kind, unpacked
from fer_jax.errors import UserError

FILES = {"a/x.txt": b"face" * 9, "a/b/y.txt": b"", "z.txt": bytes(range(256)) * 99}
KINDS = {
    "f.zip": "zip",
    "f.tar": "tar",
    "f.tar.gz": "compressed tar",
    "f.tgz": "compressed tar",
    "f.tar.bz2": "compressed tar",
    "f.tar.xz": "compressed tar",
}


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """Let archives be unpacked into a folder of the test, which must be empty at the end."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


@pytest.fixture
def folder(tmp_path):
    for name, content in FILES.items():
        path = tmp_path / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "files"


def unpack(path):
    """Return {name: content} of what was unpacked."""
    with unpacked(path, track=lambda items, total: items) as folder:
        return {
            file.relative_to(folder).as_posix(): file.read_bytes()
            for file in folder.rglob("*")
            if file.is_file()
        }


def zip_of(path, *members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in members:
            archive.writestr(member, content)
    return path


def tar_of(path, *members):
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as archive:
        for member, content in members:
            info = member if isinstance(member, tarfile.TarInfo) else tarfile.TarInfo(member)
            info.size = info.size or len(content)
            info.type = tarfile.DIRTYPE if info.name.endswith("/") else info.type
            archive.addfile(info, io.BytesIO(content) if content else None)
    return path


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_unpacks_to_the_same_files(folder, pack, name):
    archive = pack(folder, name)
    assert archive_kind(archive) == KINDS[name]
    assert unpack(archive) == FILES
    # The bytes decide, not the name.
    assert unpack(archive.rename(archive.with_name("data.bin"))) == FILES


def test_npz_is_told_apart_by_its_members(tmp_path):
    np.savez(tmp_path / "a.npz", images=np.zeros(3))
    (tmp_path / "a.npz").rename(tmp_path / "a.zip")
    assert archive_kind(tmp_path / "a.zip") == "npz"
    assert archive_kind(zip_of(tmp_path / "b.npz", ("x.npy", b""), ("y.png", b""))) == "zip"
    (tmp_path / "c.npz").write_bytes((tmp_path / "a.zip").read_bytes()[:50])
    assert archive_kind(tmp_path / "c.npz") == "npz"
    (tmp_path / "d.csv").write_text("emotion,pixels,Usage\n")
    assert archive_kind(tmp_path / "d.csv") is None


def test_what_systems_leave_in_archives_is_left_out(tmp_path):
    names = ["__MACOSX/a/._x.png", "a/.DS_Store", "a/Thumbs.db", "./a//x.png", "a/"]
    assert unpack(zip_of(tmp_path / "f.zip", *((name, b"") for name in names))) == {"a/x.png": b""}


def test_names_of_windows_become_folders(tmp_path):
    path = zip_of(tmp_path / "f.zip", ("a\\", b""), ("a\\b\\x.png", b"1"))
    assert unpack(path) == {"a/b/x.png": b"1"}


def test_errors_inside_name_the_archive_and_the_folder_goes(folder, pack, temporary):
    archive = pack(folder, "f.zip")
    with pytest.raises(UserError, match=f"^{archive}/a/x.txt is no face$"):
        with unpacked(archive, track=lambda items, total: items) as inside:
            assert temporary in inside.parents
            raise UserError(f"{inside / 'a' / 'x.txt'} is no face")
    with pytest.raises(KeyboardInterrupt):
        with unpacked(archive, track=lambda items, total: items):
            raise KeyboardInterrupt


def test_progress_counts_members(folder, pack):
    seen = []

    def track(items, total):
        seen.append(total)
        return items

    for name in ("f.zip", "f.tgz"):
        with unpacked(pack(folder, name), track=track):
            pass
    assert seen == [3, 3]


OUTSIDE = ["../x", "a/../../x", "/x", "//x", "\\x", "..\\x", "C:\\x", "c:x", "a\nb", "a\x1b[2J"]


@pytest.mark.parametrize("write", [zip_of, tar_of])
@pytest.mark.parametrize("name", OUTSIDE)
def test_member_that_leaves_the_folder_is_refused(tmp_path, write, name):
    path = write(tmp_path / "f", ("good", b"1"), (name, b"2"))
    with pytest.raises(UserError, match="outside of the folder") as error:
        unpack(path)
    assert repr(name) in str(error.value)
    assert not (tmp_path / "x").exists()


def zip_info(kind):
    info = zipfile.ZipInfo("x")
    info.external_attr = (kind | 0o777) << 16
    return info


def tar_info(kind, link=""):
    info = tarfile.TarInfo("x")
    info.type, info.linkname = kind, link
    return info


SPECIAL = {
    "zip link": (lambda p: zip_of(p, (zip_info(stat.S_IFLNK), "/etc")), "a symbolic link"),
    "zip pipe": (lambda p: zip_of(p, (zip_info(stat.S_IFIFO), "")), "a device, pipe or socket"),
    "tar link": (lambda p: tar_of(p, (tar_info(tarfile.SYMTYPE, "/etc"), b"")), "link to '/etc'"),
    "tar hard link": (lambda p: tar_of(p, (tar_info(tarfile.LNKTYPE, "a"), b"")), "link to 'a'"),
    "tar pipe": (lambda p: tar_of(p, (tar_info(tarfile.FIFOTYPE), b"")), "device or pipe"),
    "tar device": (lambda p: tar_of(p, (tar_info(tarfile.CHRTYPE), b"")), "device or pipe"),
}


@pytest.mark.parametrize(("write", "message"), SPECIAL.values(), ids=SPECIAL)
def test_member_that_is_no_file_is_refused(tmp_path, write, message):
    with pytest.raises(UserError, match=f"holds 'x', which is .*{message}"):
        unpack(write(tmp_path / "f"))


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
@pytest.mark.parametrize("write", [zip_of, tar_of])
@pytest.mark.parametrize("second", ["a/x.png", "./a/x.png", "a/X.PNG", "A/x.png"])
def test_name_that_comes_twice_is_refused(tmp_path, write, second):
    path = write(tmp_path / "f", ("a/x.png", b"1"), (second, b"2"))
    with pytest.raises(UserError, match="holds 'a/x.png' and .* one file where"):
        unpack(path)


def test_composed_and_decomposed_letters_are_one_name(tmp_path):
    path = zip_of(tmp_path / "f", ("\u00e9.png", b"1"), ("e\u0301.png", b"2"))
    with pytest.raises(UserError, match="one file where"):
        unpack(path)


def test_file_in_the_place_of_a_folder_is_refused(tmp_path):
    with pytest.raises(UserError, match="cannot be unpacked"):
        unpack(zip_of(tmp_path / "f", ("a", b"1"), ("a/x.png", b"2")))


@pytest.mark.parametrize("write", [zip_of, tar_of])
def test_more_members_than_the_limit_are_refused(tmp_path, monkeypatch, write):
    monkeypatch.setattr(module, "MAX_MEMBERS", 100)
    members = [(f"{n}/", b"") for n in range(101)]  # folders count too
    assert unpack(write(tmp_path / "f", *members[:100])) == {}
    with pytest.raises(UserError, match="more than 100 members"):
        unpack(write(tmp_path / "f", *members))


@pytest.mark.parametrize("name", ["f.zip", "f.tgz"])
def test_more_bytes_than_the_limits_are_refused(tmp_path, monkeypatch, name):
    write = zip_of if name == "f.zip" else tar_of
    bomb = write(tmp_path / name, *((f"{n}.csv", bytes(1_000_000)) for n in range(3)))
    assert sum(map(len, unpack(bomb).values())) == 3_000_000  # harmless: less than SMALL_BYTES
    monkeypatch.setattr(module, "SMALL_BYTES", 1_000_000)
    with pytest.raises(UserError, match="200 times its own size") as error:
        unpack(bomb)
    assert f"more than {max(1_000_000, 200 * bomb.stat().st_size):,} bytes" in str(error.value)
    monkeypatch.setattr(module, "SMALL_BYTES", 1 << 30)
    monkeypatch.setattr(module, "MAX_BYTES", 2_999_999)
    with pytest.raises(UserError, match="more than 2,999,999 bytes"):
        unpack(bomb)


def test_forged_sizes_in_a_tar_are_refused(tmp_path):
    # A file of 1 TB; an extended header of 1 TB, which tarfile would read at once.
    for kind, message in ((tarfile.REGTYPE, "would unpack"), (tarfile.XHDTYPE, "asks for")):
        info = tar_info(kind)
        info.size = 1 << 40
        (tmp_path / "f").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(10_240))
        with pytest.raises(UserError, match=message):
            unpack(tmp_path / "f")


def test_chain_of_headers_is_refused(tmp_path):
    # Each long name stands for the next header, to which tarfile goes by calling itself.
    link = tar_info(tarfile.GNUTYPE_LONGNAME)
    link.size = 1
    block = link.tobuf(tarfile.GNU_FORMAT) + b"a" + bytes(511)
    (tmp_path / "f").write_bytes(block * 5000)
    with pytest.raises(UserError, match="cannot be unpacked"):
        unpack(tmp_path / "f")


def test_encrypted_zip_is_refused(tmp_path):
    path = zip_of(tmp_path / "f.zip", ("x.png", b"1"))
    content = bytearray(path.read_bytes())
    content[6] |= 1  # the flags of the member
    content[content.index(b"PK\x01\x02") + 8] |= 1  # and of its entry in the directory
    path.write_bytes(content)
    with pytest.raises(UserError, match="'x.png', which is encrypted"):
        unpack(path)


@pytest.mark.parametrize("name", KINDS)
def test_truncated_archive_is_refused(folder, pack, name):
    path = pack(folder, name)
    whole = path.read_bytes()
    cuts = [0.1, 0.3, 0.5, 0.7, 0.9]
    if name == "f.tar":  # it ends in zeros, and only a cut before them loses a thing
        whole = whole.rstrip(b"\0") + bytes(512)
        path.write_bytes(whole + bytes(1024))
        assert unpack(path) == FILES
        cuts = [0.5, 0.9, 1.0]
    for cut in cuts:
        path.write_bytes(whole[: int(cut * len(whole))])
        with pytest.raises(UserError, match=f"{name} cannot be unpacked"):
            unpack(path)


def test_cut_between_two_members_of_a_tar_is_noticed(tmp_path):
    path = tar_of(tmp_path / "f.tar", ("a", b"1" * 512), ("b", b"2" * 512))
    path.write_bytes(path.read_bytes()[:1024])  # a's header and content
    with pytest.raises(UserError, match="no end mark"):
        unpack(path)


def test_changed_byte_is_noticed(tmp_path):
    path = zip_of(tmp_path / "f.zip", ("x", bytes(range(256))))
    content = bytearray(path.read_bytes())
    content[100] ^= 4
    path.write_bytes(content)
    with pytest.raises(UserError, match="f.zip cannot be unpacked"):
        unpack(path)


@pytest.mark.parametrize("name", ["f.tar.gz", "f.tar.bz2", "f.tar.xz"])
def test_changed_checksum_of_what_is_compressed_is_noticed(folder, pack, name):
    path = pack(folder, name)
    content = bytearray(path.read_bytes())
    content[-5] ^= 4  # in gzip's and bzip2's checksum, and in xz's of its index
    path.write_bytes(content)
    with pytest.raises(UserError, match=f"{name} cannot be unpacked"):
        unpack(path)


def test_long_tail_of_a_tar_is_not_read_to_its_end(tmp_path, monkeypatch):
    path = tar_of(tmp_path / "f.tar", ("a", b"1"))
    path.write_bytes(path.read_bytes() + bytes(10_000))
    assert unpack(path) == {"a": b"1"}
    monkeypatch.setattr(module, "SMALL_BYTES", 9_999)
    with pytest.raises(UserError, match="bytes follow its end mark"):
        unpack(path)


def test_compressed_file_that_is_no_tar_is_refused(tmp_path):
    (tmp_path / "fer2013.csv.gz").write_bytes(gzip.compress(b"emotion,pixels,Usage\n" * 99))
    with pytest.raises(UserError, match="csv.gz cannot be unpacked .*of another kind"):
        unpack(tmp_path / "fer2013.csv.gz")


def test_full_disk_is_told_and_leaves_nothing(folder, pack, monkeypatch):
    def fail(source, file):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    archive = pack(folder, "f.zip")
    monkeypatch.setattr(module.shutil, "copyfileobj", fail)
    with pytest.raises(UserError, match="no room for what is in .*f.zip.*TMPDIR"):
        unpack(archive)
