"""List RAF-DB's basic faces: its label file with the aligned images, or the copy in folders."""

import csv
import re
from pathlib import Path

from fer_jax.data.emotion_names import emotion_of
from fer_jax.data.faces import EMOTIONS
from fer_jax.data.listing import LabelledFile, Listing, find_root, is_image, refuse_packed
from fer_jax.data.read_splits import list_splits
from fer_jax.data.read_tree import visible
from fer_jax.errors import UserError

# RAF-DB counts its emotions from 1, in this order.
ORDER = ("surprise", "fear", "disgust", "happy", "sad", "angry", "neutral")
LABEL_FILES = ("list_patition_label.txt", "list_partition_label.txt")  # the first is official
PARTS = {"train": "Training", "test": "Test"}
EXPECTED = (
    "EmoLabel/list_patition_label.txt with Image/aligned/*_aligned.jpg, or folders "
    "{train,test}/{1,...,7}"
)


def list_rafdb(folder: Path) -> Listing:
    """List the aligned faces of RAF-DB in either of its layouts.

    Official: a line `train_00001.jpg 5` of the label file is the image
    Image/aligned/train_00001_aligned.jpg. Copy: folders {train,test}/{1,...,7}, whose labels are
    compared with train_labels.csv and test_labels.csv where those lie beside.

    Raises:
      UserError: the folder holds neither; a line is wrong or has no image; a name comes twice.
    """
    root = find_root(folder, lambda p: _label_file(p) or _has_copy(p), expected=EXPECTED)
    if _label_file(root):
        return _list_official(root)
    beside = [place for place in (root, root.parent) if place.is_relative_to(folder)]
    return _list_copy(root, beside)


def label_of(name: str) -> int:
    """Return the index into EMOTIONS of a class folder, by RAF-DB's number or by name.

    Raises:
      UserError: it is neither a number in 1..7 nor an emotion.
    """
    label = emotion_of(name)
    if label is None and re.fullmatch("[1-7]", name.strip()):
        label = EMOTIONS.index(ORDER[int(name) - 1])
    if label is None:
        raise UserError(
            f"the class folder {name!r} is none of RAF-DB's: "
            f"{', '.join(f'{i} {emotion}' for i, emotion in enumerate(ORDER, 1))}."
        )
    return label


def _list_official(root: Path) -> Listing:
    path = _label_file(root)
    aligned = _child(_child(root, "image"), "aligned")
    if aligned is None:
        for place in (_child(root, "image"), root):
            if place is not None:
                refuse_packed(place)
        raise UserError(f"{root} holds no Image/aligned. Expected {EXPECTED}.")
    images = {file.stem.removesuffix("_aligned"): file for file in visible(aligned)
              if is_image(file)}
    files, lines = [], {}
    for number, name, label in _read_labels(path):
        if name in lines:
            raise UserError(
                f"{path}, line {number}: {name} comes twice, first in line {lines[name]}. Take "
                "one of them away."
            )
        lines[name] = number
        if name not in images:
            raise UserError(
                f"{path}, line {number}: there is no image {aligned / f'{name}_aligned.jpg'} for "
                "this label. Get the image, or take the line away."
            )
        part = name.partition("_")[0]
        files.append(LabelledFile(images[name], PARTS[part], label))
    if not files:
        raise UserError(f"{path} is empty: it has no label.")
    _check_parts(path, {file.usage for file in files})
    spare = [images[name] for name in images if name not in lines]
    return Listing(
        root, files, "label file and aligned images of RAF-DB", _without_label(spare, path.name)
    )


def _list_copy(root: Path, places: list[Path]) -> Listing:
    listing = list_splits(root, label_of=label_of)
    _check_parts(root, {file.usage for file in listing.files})
    by_name = {}
    for file in listing.files:
        if file.path.name in by_name:
            raise UserError(
                f"{by_name[file.path.name].path} and {file.path} have the same name, and RAF-DB's "
                "names come once. Take away the one in the wrong folder."
            )
        by_name[file.path.name] = file
    checked, remarks = [], list(listing.remarks)
    for place in places:
        for part, usage in PARTS.items():
            table = _child(place, f"{part}_labels.csv")
            if table is not None:
                faces = {name: f for name, f in by_name.items() if f.usage == usage}
                remarks += _check_table(table, faces)
                checked.append(table.name)
    with_tables = f" with {' and '.join(checked)}" if checked else ""
    return listing._replace(layout=f"{listing.layout} of RAF-DB{with_tables}", remarks=remarks)


def _read_labels(path: Path) -> list[tuple[int, str, int]]:
    """Return (line, name without suffix, label) of each line `train_00001.jpg 5`."""
    rows = []
    for number, line in enumerate(_read_text(path).splitlines(), 1):
        if not line.strip():
            continue
        match = re.fullmatch(r"\s*((?:train|test)_[0-9]+)(?:_aligned)?\.jpg\s+([1-7])\s*", line)
        if match is None:
            raise UserError(
                f"{path}, line {number}: it is {line[:60]!r}, expected a name and a label in "
                "1..7, like train_00001.jpg 5."
            )
        rows.append((number, match[1], EMOTIONS.index(ORDER[int(match[2]) - 1])))
    return rows


def _check_table(path: Path, faces: dict[str, LabelledFile]) -> list[str]:
    """Compare the table `image,label` with the folders; remark on images that it lacks."""
    seen = {}
    try:
        rows = list(csv.reader(_read_text(path).splitlines()))
    except csv.Error as error:
        raise UserError(f"{path} is not a CSV file ({error}).") from error
    for number, row in enumerate(rows, 1):
        if not row or (number == 1 and "image" in [field.strip().lower() for field in row]):
            continue
        where = f"{path}, line {number}"
        if len(row) < 2 or not re.fullmatch(r"\s*[1-7]\s*", row[1]):
            raise UserError(f"{where}: it is {row}, expected an image and a label in 1..7.")
        name, label = row[0].strip(), label_of(row[1])
        if name in seen:
            raise UserError(f"{where}: {name} comes twice, first in line {seen[name]}.")
        seen[name] = number
        if name not in faces:
            raise UserError(
                f"{where}: there is no image {name} for this label. Get the image, or take the "
                "line away."
            )
        if faces[name].label != label:
            raise UserError(
                f"{where}: {name} has label {row[1].strip()} ({EMOTIONS[label]}) and lies in "
                f"{faces[name].path.parent}. Mend the table or move the image."
            )
    kept = [file.path for name, file in faces.items() if name not in seen]
    return [
        f"{len(kept):,} images have no label in {path.name} and count by their folder; the "
        f"first: {kept[0].name}"
    ] if kept else []


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not a text file ({error}).") from error


def _check_parts(path: Path, usages: set[str]) -> None:
    for part, usage in PARTS.items():
        if usage not in usages:
            raise UserError(f"{path} has no face of {part}. RAF-DB has both, train and test.")


def _without_label(images: list[Path], where: str) -> list[str]:
    if not images:
        return []
    return [
        f"left out {len(images):,} images without a label in {where}; the first: "
        f"{min(images).name}"
    ]


def _label_file(root: Path) -> Path | None:
    folder = _child(root, "emolabel")
    found = [_child(folder, name) for name in LABEL_FILES]
    return next((path for path in found if path is not None), None)


def _has_copy(root: Path) -> bool:
    train = _child(root, "train")
    return train is not None and train.is_dir()


def _child(folder: Path | None, name: str) -> Path | None:
    """Return what is called `name` in the folder, in any case."""
    if folder is None or not folder.is_dir():
        return None
    return next((path for path in visible(folder) if path.name.lower() == name), None)
