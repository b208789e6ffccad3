"""Inputs are expanded to files in order, and what names nothing is said."""

import numpy as np
import pytest
from PIL import Image

from fer_jax.errors import UserError
from fer_jax.pictures import expand, read_pictures


@pytest.fixture
def folder(tmp_path):
    for name in ("b.JPG", "a.png", "deep/c.webp", "deep/v.mp4", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def names(paths, folder):
    return [str(path.relative_to(folder)) for path in paths]


def test_folders_and_globs_give_their_photos_and_videos(folder):
    assert names(expand([str(folder)]), folder) == ["a.png", "b.JPG", "deep/c.webp", "deep/v.mp4"]
    assert names(expand([f"{folder}/*.png", f"{folder}/de*"]), folder) == [
        "a.png", "deep/c.webp", "deep/v.mp4",
    ]
    # A file that is named is read whatever its ending; one that is gone is said when it is read.
    assert names(expand([f"{folder}/notes.txt", f"{folder}/gone.jpg"]), folder) == [
        "notes.txt", "gone.jpg",
    ]


def test_a_name_with_a_globs_signs_is_itself_where_it_exists(folder):
    (folder / "[a].png").write_bytes(b"x")
    assert names(expand([f"{folder}/[a].png"]), folder) == ["[a].png"]


def test_what_names_nothing_is_refused(folder):
    with pytest.raises(UserError, match=r"nothing matches '.*\*.gif'"):
        expand([f"{folder}/*.gif"])
    (folder / "texts").mkdir()
    (folder / "texts" / "a.txt").write_text("x")
    with pytest.raises(UserError, match=r"no photo and no video \(1 other files\)"):
        expand([str(folder / "texts")])


def test_a_problem_is_a_picture_with_its_reason(folder):
    Image.fromarray(np.zeros((2, 2), np.uint8)).save(folder / "good.png")
    paths = [folder / name for name in ("good.png", "a.png", "gone.jpg", "gone.mp4")]
    good, bad, *gone = [one for path in paths for one in read_pictures(path, every=1)]
    assert good.photo.size == (2, 2) and not good.problem
    assert bad.photo is None and "no picture" in bad.problem
    assert all("there is no file" in one.problem for one in gone)
