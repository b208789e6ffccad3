"""Read a folder tree of faces: {train,test}/{emotion}/*.png, emotions mapped by name."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from fer_jax.data.faces import EMOTIONS, SIZE, USAGES, Faces, stack_faces
from fer_jax.errors import UserError

FOLDER_USAGES = {"train": "Training", "test": "Test"}
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")
IMAGE_MODES = ("1", "L", "LA", "P", "RGB", "RGBA")  # what Pillow turns into 8-bit grey faithfully


def read_tree(root: Path, *, track: Callable) -> tuple[Faces, str, list[str]]:
    """Read every face of the tree.

    The usage of a test face is the beginning of its file name, PublicTest_ or PrivateTest_; if
    one of them has neither, the usage of all is "Test". `source_name` is the path inside the
    tree, `source_row` the number in names like Training_0000012.png, else -1.

    Returns:
      The faces in the order of their paths, what the layout is called, and remarks for the user.

    Raises:
      UserError: the tree is not of this kind, or an image cannot be read; names the file.
    """
    files, ignored = _list_tree(root)
    halves_known = all(
        _name_usage(path) in ("PublicTest", "PrivateTest")
        for path, folder_usage, _ in files
        if folder_usage == "Test"
    )
    good, converted = [], 0
    for path, folder_usage, label in track(files, len(files)):
        usage = _name_usage(path) if folder_usage == "Test" and halves_known else folder_usage
        if folder_usage == "Training" and _name_usage(path) in ("PublicTest", "PrivateTest"):
            raise UserError(
                f"{path} lies in the training folder, but its name says {_name_usage(path)}. Move "
                "it to the test folder or rename it."
            )
        image, is_grey = _read_image(path)
        converted += not is_grey
        row = re.fullmatch(rf"(?:{'|'.join(USAGES)})_(\d{{1,18}})", path.stem)
        name = path.relative_to(root).as_posix()
        good.append((image, label, usage, name, int(row[1]) if row else -1))
    remarks = []
    if not halves_known:
        remarks.append(
            "not all test files are named PublicTest_* or PrivateTest_*: there is one test split "
            "and protocol 'official' cannot be used"
        )
    if converted:
        remarks.append(f"converted {converted:,} images to 8-bit grey")
    if ignored:
        remarks.append(f"ignored {ignored:,} files that are not {', '.join(IMAGE_SUFFIXES)}")
    return stack_faces(good), "folder tree {train,test}/{emotion}", remarks


def _list_tree(root: Path) -> tuple[list[tuple[Path, str, int]], int]:
    """List (file, usage of its folder, label) of the faces, sorted, and count what is no image."""
    folders = {split.name.lower(): split for split in _visible(root) if split.is_dir()}
    missing = [name for name in FOLDER_USAGES if name not in folders]
    if missing:
        found = ", ".join(sorted(folders)[:8]) or "none"
        raise UserError(
            f"{root} has no folder {' and no folder '.join(missing)} (its folders: {found}). "
            f"Expected {{train,test}}/{{{','.join(EMOTIONS)}}}/*.png."
        )
    files, ignored = [], 0
    for name, usage in FOLDER_USAGES.items():
        for folder in filter(Path.is_dir, _visible(folders[name])):
            if folder.name.lower() not in EMOTIONS:
                raise UserError(
                    f"{folder} is not named after an emotion. Known: {', '.join(EMOTIONS)}."
                )
            label = EMOTIONS.index(folder.name.lower())
            paths = list(_visible(folder))
            faces = [path for path in paths if path.suffix.lower() in IMAGE_SUFFIXES]
            files += [(path, usage, label) for path in faces]
            ignored += len(paths) - len(faces)
    return files, ignored


def _name_usage(path: Path) -> str | None:
    prefix = path.name.partition("_")[0]
    return prefix if prefix in USAGES else None


def _visible(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.iterdir()) if not path.name.startswith("."))


def _read_image(path: Path) -> tuple[np.ndarray, bool]:
    """Read a face, u8 [48, 48], and say whether it was 8-bit grey already."""
    try:
        with Image.open(path) as image:
            # Both are known from the file's head: a huge picture is never decoded.
            if image.size != (SIZE, SIZE) or image.mode not in IMAGE_MODES:
                raise UserError(
                    f"{path} is {image.width}x{image.height} in mode {image.mode}, expected "
                    f"{SIZE}x{SIZE} and 8 bits. Convert it or take it away."
                )
            return np.asarray(image.convert("L")), image.mode == "L"
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"{path} cannot be read as an image ({error}).") from error
