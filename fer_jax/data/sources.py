"""Read FER2013 from the forms it is handed round in: CSV files, folders, archives, an .npz."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from fer_jax.data.emotion_names import emotion_of
from fer_jax.data.faces import EMOTIONS, Faces, canonical_order, take
from fer_jax.data.read_archive import archive_kind, unpacked
from fer_jax.data.read_csv import read_csv, read_csv_pair
from fer_jax.data.read_npz import read_npz
from fer_jax.data.read_tree import read_tree, split_of, visible
from fer_jax.errors import UserError

LAYOUTS = (
    "the challenge's fer2013.csv or icml_face_data.csv, a folder with its train.csv and test.csv, "
    "a folder {train,test,validation}/{" + ",".join(EMOTIONS) + "}/*.png (also with other names "
    "of the emotions), an .npz with images, emotion and usage, a prepared directory, a folder "
    "that holds one of these, or a zip or tar.gz of it"
)
WHOLE_FILES = ("fer2013.csv", "icml_face_data.csv", "fer2013.npz")  # the first found is read
ARCHIVE_SUFFIXES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz")
MAX_DEPTH = 3  # of folders that hold nothing but the dataset's folder
MAX_FOLDERS = 20  # in one folder: where there are more, the dataset is not looked for inside

# Wraps the iteration over a source's faces: (items, how many there are) -> the same items.
Track = Callable[[Iterable, int], Iterable]


class Source(NamedTuple):
    """Hold what was read from a source, and what is to be said about it."""

    faces: Faces  # in canonical order
    layout: str
    remarks: list[str]


class _Found(NamedTuple):
    path: Path
    read: Callable  # (path, *, skip_bad_rows, track) -> (faces, layout, remarks)
    passed_over: list[str]  # names of other forms of the dataset beside it


def read_source(
    path: Path, *, skip_bad_rows: bool = False, track: Track = lambda items, total: items
) -> Source:
    """Detect the layout of FER2013 at `path` and read every face.

    Args:
      path: a file or a folder; see LAYOUTS.
      skip_bad_rows: leave bad rows of a CSV out and count them, where else the first is an error.
      track: shows the progress: of an archive's members first, then of the faces.

    Raises:
      UserError: there is nothing at `path`, its layout is none of those known, or a face cannot
        be read; the message names the row or file.
    """
    options = dict(skip_bad_rows=skip_bad_rows, track=track)
    try:
        if not path.exists():
            raise UserError(f"there is no source at {path.absolute()}. It can be {LAYOUTS}.")
        faces, layout, remarks = _read(path, options)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error}).") from error
    if not len(faces.images):
        said = "".join(f" ({remark})" for remark in remarks)
        raise UserError(f"{path} ({layout}) holds no face{said}. It can be {LAYOUTS}.")
    return Source(take(faces, canonical_order(faces)), layout, remarks)


def _read(path: Path, options: dict) -> tuple[Faces, str, list[str]]:
    if path.is_dir():
        return _read_folder(path, options)
    if not path.is_file():
        raise UserError(f"{path} is neither a file nor a folder. A source is {LAYOUTS}.")
    kind = archive_kind(path)
    if kind is None:
        return read_csv(path, **options)
    if kind == "npz":
        return read_npz(path)
    with unpacked(path, track=options["track"]) as folder:
        faces, layout, remarks = _read_folder(folder, options)
    return faces, f"{kind} archive, {layout}", remarks


def _read_folder(folder: Path, options: dict) -> tuple[Faces, str, list[str]]:
    found = _locate(folder)
    if found is None:
        raise UserError(f"{folder} holds no known form of the dataset. {_hint(folder)}")
    faces, layout, remarks = found.read(found.path, options)
    inside = found.path.relative_to(folder).as_posix()
    if inside != ".":
        layout = f"{layout} at {inside}"
    if found.passed_over:
        beside = ", ".join(found.passed_over)
        remarks = [f"read {inside}, and not what lies beside it: {beside}", *remarks]
    return faces, layout, remarks


def _locate(folder: Path, depth: int = 0) -> _Found | None:
    """Find the dataset in a folder, or in the one folder inside that holds it."""
    entries = visible(folder)
    files = {path.name.lower(): path for path in entries if path.is_file()}
    folders = [path for path in entries if path.is_dir()]
    forms = [(files[name], _read_file, name) for name in WHOLE_FILES if name in files]
    if any(split_of(path.name) for path in folders):
        forms.append((folder, _read_tree, "folders of faces"))
    if "train.csv" in files:
        forms.append((folder, _read_pair, "train.csv"))
    lone = [path for path in files.values() if path.suffix.lower() in (".csv", ".npz")]
    if not forms and len(lone) == 1:
        forms.append((lone[0], _read_file, lone[0].name))
    if forms:
        (path, read, _), *others = forms
        return _Found(path, read, [name for _, _, name in others])
    if depth == MAX_DEPTH or len(folders) > MAX_FOLDERS:
        return None
    inside = [found for found in (_locate(path, depth + 1) for path in folders) if found]
    if len(inside) > 1:
        raise UserError(
            f"{folder} holds more than one dataset: {inside[0].path} and {inside[1].path}. Give "
            "one of them as the source."
        )
    return inside[0] if inside else None


def _read_file(path: Path, options: dict) -> tuple[Faces, str, list[str]]:
    return read_npz(path) if path.suffix.lower() == ".npz" else read_csv(path, **options)


def _read_tree(folder: Path, options: dict) -> tuple[Faces, str, list[str]]:
    return read_tree(folder, track=options["track"])


def _read_pair(folder: Path, options: dict) -> tuple[Faces, str, list[str]]:
    files = {path.name.lower(): path for path in visible(folder)}
    return read_csv_pair(files["train.csv"], files.get("test.csv"), **options)


def _hint(folder: Path) -> str:
    """Say what to do with a folder that holds no known form of the dataset."""
    names = [path.name for path in visible(folder)]
    packed = [name for name in names if name.lower().endswith(ARCHIVE_SUFFIXES)]
    if packed:
        return f"It holds {packed[0]}: give that as the source (unpack what is packed around it)."
    if any(emotion_of(name) is not None for name in names):
        return (
            "It holds folders of emotions, but train and test are not told apart. Expected are "
            "train/EMOTION and test/EMOTION."
        )
    inside = ", ".join(names[:8]) or "nothing"
    return f"It holds {inside}. A source is {LAYOUTS}."
