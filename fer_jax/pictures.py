"""What a person names to look at: photos, folders, globs and videos, as pictures one by one."""

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from fer_jax.data.find_faces import read_frames
from fer_jax.data.read_photo import PHOTO_SUFFIXES, Photo, as_photo, read_photo
from fer_jax.errors import UserError

VIDEO_SUFFIXES = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv")


class Picture(NamedTuple):
    """A picture to look at, or why there is none.

    `second` is a video frame's time; `photo` is None where `problem` says why.
    """

    file: str
    second: float | None
    photo: Photo | None
    problem: str = ""

    @property
    def name(self) -> str:
        """Return the file's name, with a frame's second."""
        return self.file if self.second is None else f"{self.file}@{self.second:.1f}s"


def expand(inputs: Sequence[str]) -> list[Path]:
    """List the files that inputs name: of folders and globs the photos and videos, sorted.

    Raises:
      UserError: an input names nothing, or a folder holds no photo and no video.
    """
    paths = []
    for given in inputs:
        path = Path(given).expanduser()
        if path.is_dir():
            paths += _in_folder(path)
        elif path.exists() or not glob.has_magic(given):
            paths.append(path)
        else:
            found = sorted(glob.glob(str(path), recursive=True))
            if not found:
                raise UserError(f"nothing matches {given!r}; check the folder and the ending")
            for one in map(Path, found):
                paths += _in_folder(one) if one.is_dir() else [one]
    return paths


def read_pictures(path: Path, *, every: float) -> Iterator[Picture]:
    """Read a photo, or a video's frames, `every` seconds one; a problem is a picture too."""
    if path.suffix.lower() not in VIDEO_SUFFIXES:
        try:
            yield Picture(str(path), None, read_photo(path))
        except UserError as error:
            yield Picture(str(path), None, None, str(error))
        return
    try:
        if not path.is_file():
            raise UserError(f"there is no file {path}")
        for second, frame in read_frames(path, every=every):
            yield Picture(str(path), second, as_photo(frame))
    except UserError as error:
        yield Picture(str(path), None, None, str(error))


def read_camera(number: int, *, every: float, frames: int) -> Iterator[Picture]:
    """Read a camera's frames, `every` seconds one, `frames` of them or without end for 0.

    Raises:
      UserError: the camera gives no picture.
    """
    for i, (second, frame) in enumerate(read_frames(number, every=every)):
        yield Picture(f"camera {number}", second, as_photo(frame))
        if frames and i + 1 >= frames:
            return


def _in_folder(folder: Path) -> list[Path]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    known = (*PHOTO_SUFFIXES, *VIDEO_SUFFIXES)
    taken = [path for path in files if path.suffix.lower() in known]
    if not taken:
        raise UserError(
            f"{folder} holds no photo and no video ({len(files)} other files); their names end in "
            f"{', '.join(known)}"
        )
    return taken
