"""Read a folder tree of faces: {train,test,validation}/{emotion}/*.png, all mapped by name."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fer_jax.data.emotion_names import emotion_of
from fer_jax.data.faces import EMOTIONS, SIZE, USAGES, Faces, stack_faces
from fer_jax.data.read_image import IMAGE_SUFFIXES, read_image
from fer_jax.errors import UserError, suggest

# What a folder's name, in lower case and without separators, says of its faces. The usage of a
# face in "test" or "validation" depends on the file names and on what other folders there are.
SPLIT_FOLDERS = {
    "train": "Training",
    "training": "Training",
    "publictest": "PublicTest",
    "privatetest": "PrivateTest",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "test": "test",
    "testing": "test",
}
HALF_OF_FOLDER = {"validation": "PublicTest", "test": "PrivateTest"}
JUNK = ("__macosx", "thumbs.db", "desktop.ini")  # besides all that begins with a dot
LOSSY_SUFFIXES = (".jpg", ".jpeg")
N_ROWS = 35_887  # of fer2013.csv


class _File(NamedTuple):
    path: Path
    split: str  # a value of SPLIT_FOLDERS
    label: int


def read_tree(root: Path, *, track: Callable) -> tuple[Faces, str, list[str]]:
    """Read every face of the tree.

    The usage of a face in a test or validation folder is the beginning of its file name,
    PublicTest_ or PrivateTest_, if all of them have one. Else a validation folder beside a test
    folder is PublicTest and the test folder PrivateTest; one such folder alone is "Test".
    `source_name` is the path inside the tree. `source_row` is the number in names like
    Training_0000012.png where these can be the rows of fer2013.csv (none is above its last row or
    comes twice; in the copy that most people have the numbers are others), else -1. Links are
    followed: the tree is never deeper than a face's file, so none can lead in a circle.

    Returns:
      The faces in the order of their paths, what the layout is called, and remarks for the user.

    Raises:
      UserError: the tree is not of this kind, or an image cannot be read; names the file.
    """
    files, remarks = _list_tree(root)
    usages, usage_remarks = _usages(files)
    rows, row_remarks = _rows([file.path for file in files])
    images, converted = [], []
    for file in track(files, len(files)):
        image, changed = read_image(file.path, size=(SIZE, SIZE))
        images.append(image)
        if changed:
            converted.append(file.path.name)
    names = [name_inside(root, file.path) for file in files]
    labels = [file.label for file in files]
    faces = stack_faces(list(zip(images, labels, usages, names, rows, strict=True)))
    if converted:
        remarks.append(
            f"converted {len(converted):,} images to 8-bit grey of {SIZE}x{SIZE}; the first: "
            f"{converted[0]}"
        )
    lossy = sum(file.path.suffix.lower() in LOSSY_SUFFIXES for file in files)
    if lossy:
        remarks.append(
            f"{lossy:,} faces are JPEG, which is lossy: their pixels, and with them the order of "
            "the faces and the draws at test time, are not those of the CSV"
        )
    by_split = {file.split: file.path.parent.parent.name for file in files}
    folders = ",".join(by_split[split] for split in dict.fromkeys(SPLIT_FOLDERS.values())
                       if split in by_split)
    return faces, f"folder tree {{{folders}}}/{{emotion}}", [*usage_remarks, *row_remarks, *remarks]


def split_of(name: str) -> str | None:
    """Return what a folder's name says of the faces in it, a value of SPLIT_FOLDERS, or None."""
    return SPLIT_FOLDERS.get(re.sub(r"[\s._-]", "", name.lower()))


def name_inside(root: Path, path: Path) -> str:
    """Return a file's path inside the source, with what is no Unicode in it escaped."""
    return path.relative_to(root).as_posix().encode(errors="backslashreplace").decode()


def visible(folder: Path) -> list[Path]:
    """List a folder in the order of names, without what systems and archivers leave there."""
    return [path for path in sorted(folder.iterdir()) if not is_junk(path.name)]


def is_junk(name: str) -> bool:
    """Say whether a file or folder of this name is left there by a system or archiver."""
    return name.startswith(".") or name.lower() in JUNK


def _list_tree(root: Path) -> tuple[list[_File], list[str]]:
    """List the faces by their paths, and what else lies there as remarks."""
    top = visible(root)
    inside = [path for path in top if path.is_dir()]
    splits = _by_meaning(inside, lambda path: split_of(path.name), "the same split")
    if "Training" not in splits or len(splits) < 2:
        found = ", ".join(path.name for path in inside[:8]) or "none"
        raise UserError(
            f"{root} has no folders train and test (its folders: {found}). Expected "
            f"{{train,test}}/{{{','.join(EMOTIONS)}}}/*.png, or validation for test or beside it."
        )
    other = [path for path in top if path not in splits.values()]
    files, other = [], [path for path in other if path.is_dir() or _is_image(path)]
    for split, folder in splits.items():
        entries = visible(folder)
        _refuse_unlabelled(folder, entries)
        emotions = _by_meaning([path for path in entries if path.is_dir()], _label, "one emotion")
        found = []
        for label, emotion_folder in emotions.items():
            paths = visible(emotion_folder)
            found += [_File(path, split, label) for path in paths if _is_image(path)]
            other += [path for path in paths if not _is_image(path)]
        if not found:
            raise UserError(
                f"{folder} holds no face: no {', '.join(IMAGE_SUFFIXES)} in folders named after "
                f"the emotions {', '.join(EMOTIONS)}."
            )
        files += found
    remarks = []
    if other:
        remarks.append(
            f"ignored {len(other):,} entries of the tree that are no image and no split's folder; "
            f"the first: {other[0].relative_to(root)}"
        )
    return sorted(files), remarks


def _by_meaning(folders: list[Path], meaning: Callable, what: str) -> dict:
    """Return {meaning: folder} of those that have one, and refuse two with the same."""
    found = {}
    for folder in folders:
        key = meaning(folder)
        if key in found:
            raise UserError(
                f"{found[key]} and {folder} both stand for {what}. Put their files together, or "
                "take one away."
            )
        if key is not None:
            found[key] = folder
    return found


def _label(folder: Path) -> int:
    label = emotion_of(folder.name)
    if label is None:
        reason = (
            "is only numbered, and copies number the emotions in different orders: put the "
            "emotion's name behind the number, as in 0_angry"
            if folder.name.strip().isdigit()
            else "is not named after an emotion"
        )
        raise UserError(f"{folder} {reason}. {suggest(folder.name, EMOTIONS)}")
    return label


def _refuse_unlabelled(folder: Path, entries: list[Path]) -> None:
    unlabelled = [path for path in entries if _is_image(path) and not path.is_dir()]
    if unlabelled:
        raise UserError(
            f"{unlabelled[0]} lies beside the folders of the emotions, so it has no label (as "
            f"{len(unlabelled):,} images in {folder.name}). Move it into one or take it away."
        )


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES


def _usages(files: list[_File]) -> tuple[list[str], list[str]]:
    """Return the usage of each face, and what is to be said about it."""
    names = [_name_usage(file.path) for file in files]
    for file, name in zip(files, names, strict=True):
        fits = (None, file.split) if file.split in USAGES else (None, *USAGES[1:])
        if file.split != "validation" and name not in fits:
            raise UserError(
                f"{file.path} lies in the folder {file.path.parent.parent.name}, but its name says "
                f"{name}. Move it to the folder it belongs in, or rename it."
            )
    held = [(f.split, n) for f, n in zip(files, names, strict=True) if f.split in HALF_OF_FOLDER]
    by_name = all(name is not None for _, name in held)
    halves = HALF_OF_FOLDER if {split for split, _ in held} == set(HALF_OF_FOLDER) else None
    if halves and any(name not in (None, halves[split]) for split, name in held):
        halves = None
    usages = [
        file.split if file.split in USAGES
        else name if by_name
        else halves[file.split] if halves
        else "Test"
        for file, name in zip(files, names, strict=True)
    ]
    remarks = []
    if held and not by_name:
        remarks.append(
            "took the validation folder for PublicTest and the test folder for PrivateTest, for "
            "the file names do not tell"
            if halves else
            "not all test files are named PublicTest_* or PrivateTest_*: there is one test split "
            "and protocol 'official' cannot be used"
        )
    moved = sum(file.split == "validation" and usage == "Training"
                for file, usage in zip(files, usages, strict=True))
    if moved:
        remarks.append(
            f"{moved:,} files of the validation folder are named Training_*: they count as Training"
        )
    return usages, remarks


def _name_usage(path: Path) -> str | None:
    prefix = path.name.partition("_")[0]
    return prefix if prefix in USAGES else None


def _rows(paths: list[Path]) -> tuple[list[int], list[str]]:
    """Read the CSV's rows out of the names, or say why the numbers there are none."""
    matches = [re.fullmatch(rf"(?:{'|'.join(USAGES)})_([0-9]{{1,18}})", p.stem) for p in paths]
    rows = [int(match[1]) if match else -1 for match in matches]
    seen, reason = {}, None
    for path, row in zip(paths, rows, strict=True):
        if row >= N_ROWS:
            reason = f"{path.name} has a number above {N_ROWS - 1:,}"
        elif row in seen:
            reason = " and ".join(str(p.relative_to(p.parents[2])) for p in (seen[row], path))
            reason += " have the same"
        if reason is not None:
            return [-1] * len(rows), [
                f"the numbers in the file names are not the rows of fer2013.csv ({reason}): FER+ "
                "votes cannot be joined"
            ]
        if row >= 0:
            seen[row] = path
    return rows, []
