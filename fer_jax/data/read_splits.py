"""List a folder tree root/SPLIT/CLASS/image, as SFEW 2.0 and most people's own faces come."""

import re
from collections.abc import Callable
from pathlib import Path

from fer_jax.data.emotion_names import SYNONYMS, emotion_of
from fer_jax.data.faces import EMOTIONS
from fer_jax.data.listing import LabelledFile, Listing, find_root, is_image, refuse_packed
from fer_jax.data.read_tree import SPLIT_FOLDERS, visible
from fer_jax.errors import UserError, suggest

USAGES = {"test": "Test", "validation": "Validation"}  # what SPLIT_FOLDERS leaves open
EXPECTED = (
    "folders {train,validation,test} (one of the last two may be missing), each with a folder for "
    "each emotion: " + ", ".join(EMOTIONS)
)


def label_of(name: str) -> int:
    """Return the emotion that a class folder is named after, as an index into EMOTIONS.

    Raises:
      UserError: it is named after none; the known names are listed.
    """
    label = emotion_of(name)
    if label is None:
        others = ", ".join(other for names in SYNONYMS.values() for other in names)
        raise UserError(
            f"the class folder {name!r} is not named after one of the seven emotions. "
            f"{suggest(name, EMOTIONS)} Also understood: {others}."
        )
    return label


def list_splits(folder: Path, *, label_of: Callable[[str], int] = label_of) -> Listing:
    """List the images of a tree whose folders name the split, and in them the emotion.

    Names count in any case, and of a split's folder only its first word, so that
    Val_Aligned_Faces_new is the validation split. A folder that holds nothing but one other is
    looked into. A test folder with images and no emotions is left out: those of some datasets
    have no labels.

    Args:
      folder: the tree, or a folder around it.
      label_of: gives the index into EMOTIONS of a class folder's name, or raises a UserError.

    Raises:
      UserError: the tree is not of this kind, or a split holds no image.
    """
    root = find_root(folder, _has_training, expected=EXPECTED)
    top = visible(root)
    splits = _by_meaning([path for path in top if path.is_dir()], _usage_of)
    other = [path for path in top if path not in splits.values()]
    other = [path for path in other if path.is_dir() or is_image(path)]
    files, remarks = [], []
    for usage, split in splits.items():
        place = _innermost(split)
        images = [path for path in visible(place) if is_image(path) and path.is_file()]
        classes = [path for path in visible(place) if path.is_dir()]
        if images and not classes and usage == "Test":
            remarks.append(
                f"left out the {len(images):,} images of {split.name}: they are in no folders of "
                "emotions, so they have no labels"
            )
            continue
        if images:
            raise UserError(
                f"{images[0]} is in no folder of an emotion, so it has no label (as "
                f"{len(images):,} images in {place}). Move it into one or take it away."
            )
        found, left = _list_classes(classes, usage, label_of)
        if not found:
            refuse_packed(place)
            raise UserError(f"{split} holds no image. Expected {EXPECTED}.")
        files += found
        other += left
    if len({file.usage for file in files}) < 2:
        raise UserError(
            f"{root} has only faces for training (its folders: "
            f"{', '.join(path.name for path in visible(root)[:8])}). Expected {EXPECTED}."
        )
    if other:
        remarks.append(
            f"ignored {len(other):,} entries of the tree that are no image and no split's folder; "
            f"the first: {other[0].relative_to(root)}"
        )
    folders = ",".join(split.name for split in splits.values())
    return Listing(root, files, f"folder tree {{{folders}}}/{{emotion}}", remarks)


def _has_training(folder: Path) -> bool:
    return any(_usage_of(path.name) == "Training" for path in visible(folder) if path.is_dir())


def _usage_of(name: str) -> str | None:
    split = SPLIT_FOLDERS.get(re.split(r"[\s._-]", name.lower())[0])
    return USAGES.get(split, split)


def _innermost(folder: Path) -> Path:
    """Look through folders that hold one other folder, which is no class, and no image."""
    while True:
        entries = visible(folder)
        inside = [path for path in entries if path.is_dir()]
        if len(inside) != 1 or any(map(is_image, entries)) or not _is_wrapper(inside[0]):
            return folder
        folder = inside[0]


def _is_wrapper(folder: Path) -> bool:
    if emotion_of(folder.name) is not None:
        return False
    return _usage_of(folder.name) is not None or any(path.is_dir() for path in visible(folder))


def _list_classes(folders, usage, label_of) -> tuple[list[LabelledFile], list[Path]]:
    files, other = [], []
    for label, folder in _by_meaning(folders, label_of).items():
        for path in visible(folder):
            if is_image(path):
                files.append(LabelledFile(path, usage, label))
            else:
                other.append(path)
    return files, other


def _by_meaning(folders: list[Path], meaning: Callable) -> dict:
    """Return {meaning of the name: folder} of those that have one; no two may have the same."""
    found = {}
    for folder in folders:
        key = meaning(folder.name)
        if key in found:
            raise UserError(
                f"{found[key]} and {folder} stand for the same. Put their files together, or take "
                "one away."
            )
        if key is not None:
            found[key] = folder
    return found
