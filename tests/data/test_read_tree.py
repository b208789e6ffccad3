"""Reading folder trees: names of any case, what decides the usage, and what is refused."""

import itertools
import os
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from fer_jax.data.emotion_names import SYNONYMS
from fer_jax.data.faces import EMOTIONS, take
from fer_jax.data.read_tree import read_tree
from fer_jax.errors import UserError

THREE = ("train", "validation", "test")
OTHER_NAMES = tuple(SYNONYMS[emotion][0] for emotion in EMOTIONS)


def read(root):
    return read_tree(root, track=lambda items, total: items)


def by_row(faces):
    return take(faces, np.argsort(faces.source_row))


@pytest.fixture
def few(made_faces):
    """Give three faces, one of each usage."""
    return take(made_faces, [np.argmax(made_faces.usage == u) for u in (
        "Training", "PublicTest", "PrivateTest"
    )])


def test_emotions_are_mapped_by_name_and_names_and_rows_are_kept(made_faces, write_tree):
    faces, layout, remarks = read(write_tree(made_faces))
    assert layout == "folder tree {train,test}/{emotion}"
    assert remarks == []
    for a, b in zip(by_row(faces)[:3], made_faces[:3], strict=True):
        np.testing.assert_array_equal(a, b)
    # Sorted folder names would have given neutral the id 4.
    assert all("/neutral/" in name for name in faces.source_name[faces.emotion == 6])
    for name, row, usage in zip(faces.source_name, faces.source_row, faces.usage, strict=True):
        assert name.endswith(f"/{usage}_{row:07d}.png")


@pytest.mark.parametrize(
    "splits",
    [
        ("Train", "TEST", "TEST"),
        ("training", "val", "testing"),
        ("TRAIN", "Valid", "Test"),
        ("Training", "PublicTest", "PrivateTest"),
        ("training", "public_test", "Private Test"),
        ("train", "validation", "validation"),
    ],
)
def test_splits_and_emotions_have_other_names(made_faces, write_tree, splits):
    numbered = [f"{n}_{name.title()}" for n, name in enumerate(OTHER_NAMES)]
    faces, layout, remarks = read(write_tree(made_faces, splits=splits, emotions=numbered))
    assert layout == f"folder tree {{{','.join(dict.fromkeys(splits))}}}/{{emotion}}"
    assert remarks == []
    for a, b in zip(by_row(faces)[:3], made_faces[:3], strict=True):
        np.testing.assert_array_equal(a, b)


# What decides the usage: (folders of the three usages, names of the three faces) -> the usages.
USAGES = {
    "one test folder, no names": (
        ("train", "test", "test"), ("0.png", "1.png", "2.png"),
        ("Training", "Test", "Test"), "there is one test split",
    ),
    "validation beside only train": (
        ("train", "validation", "validation"), ("0.png", "1.png", "2.png"),
        ("Training", "Test", "Test"), "protocol 'official' cannot be used",
    ),
    "three folders, no names": (
        THREE, ("0.png", "0.png", "0.png"),
        ("Training", "PublicTest", "PrivateTest"), "took the validation folder for PublicTest",
    ),
    "three folders, names that swap the halves": (
        THREE, ("Training_1.png", "PrivateTest_2.png", "PublicTest_3.png"),
        ("Training", "PrivateTest", "PublicTest"), None,
    ),
    "validation made of Training": (
        THREE, ("Training_1.png", "Training_2.png", "PublicTest_3.png"),
        ("Training", "Training", "PublicTest"), "1 files of the validation folder are named Train",
    ),
    "three folders, some names, that fit": (
        THREE, ("0.png", "PublicTest_2.png", "0.png"),
        ("Training", "PublicTest", "PrivateTest"), "took the validation folder for PublicTest",
    ),
    "three folders, some names, that do not fit": (
        THREE, ("0.png", "PrivateTest_2.png", "0.png"),
        ("Training", "Test", "Test"), "there is one test split",
    ),
    "folders of the halves": (
        ("train", "PublicTest", "PrivateTest"), ("0.png", "0.png", "0.png"),
        ("Training", "PublicTest", "PrivateTest"), None,
    ),
}


@pytest.mark.parametrize(("splits", "names", "usages", "remark"), USAGES.values(), ids=USAGES)
def test_usage_is_that_of_the_names_or_else_of_the_folders(
    few, tmp_path, splits, names, usages, remark
):
    for split, name, image in zip(splits, names, few.images, strict=True):
        (tmp_path / split / "sad").mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(tmp_path / split / "sad" / name)
    faces, _, remarks = read(tmp_path)
    for image, usage in zip(few.images, usages, strict=True):
        assert faces.usage[(faces.images == image).all((1, 2))].tolist() == [usage]
    assert len(remarks) == (remark is not None)
    assert remark is None or remark in remarks[0]


@pytest.mark.parametrize(
    ("split", "name", "says"),
    [
        ("train", "PublicTest_1.png", "in the folder train, but its name says PublicTest"),
        ("test", "Training_1.png", "in the folder test, but its name says Training"),
        ("PublicTest", "PrivateTest_1.png", "in the folder PublicTest, but its name says Private"),
    ],
)
def test_face_whose_name_contradicts_its_folder_is_refused(few, write_tree, split, name, says):
    root = write_tree(few)
    (root / split / "sad").mkdir(parents=True, exist_ok=True)
    Image.fromarray(few.images[0]).save(root / split / "sad" / name)
    with pytest.raises(UserError, match=f"{name} lies {says}"):
        read(root)


def test_numbers_above_the_last_row_are_no_rows(few, write_tree):
    # The copy that most people have: its numbers reach 98 million, and its files are JPEG.
    root = write_tree(few, name="{usage}_{row}.png")
    face = next((root / "train").glob("*/*.png"))
    face.rename(face.with_name("Training_97006335.png"))
    faces, _, remarks = read(root)
    assert set(faces.usage) == {"Training", "PublicTest", "PrivateTest"}
    assert faces.source_row.tolist() == [-1, -1, -1]
    assert "Training_97006335.png has a number above 35,886): FER+" in remarks[0]


def test_same_name_under_two_emotions_is_kept_but_gives_no_rows(made_faces, write_tree):
    root = write_tree(made_faces)
    face = next((root / "train" / "sad").iterdir())
    shutil.copy(face, root / "train" / "fear")
    faces, _, remarks = read(root)
    assert len(faces.images) == len(made_faces.images) + 1
    assert (faces.source_row == -1).all()
    assert f"train/fear/{face.name} and train/sad/{face.name} have the same" in remarks[0]


def test_names_that_differ_only_in_case_are_two_faces(few, write_tree):
    root = write_tree(few, name="a.png")
    for face, image in zip(sorted(root.glob("*/*/a.png")), few.images, strict=False):
        Image.fromarray(255 - image).save(face.with_name("A.PNG"))
    if len(list(root.glob("*/*/*"))) == len(few.images):
        pytest.skip("this file system takes a.png and A.PNG for one file")
    assert len(read(root)[0].images) == 2 * len(few.images)


def test_converted_lossy_and_other_files_are_counted(made_faces, write_tree):
    root = write_tree(made_faces)
    first, second, third = sorted((root / "train" / "sad").iterdir())[:3]
    for path, mode, size in ((first, "RGB", (48, 48)), (second, "L", (96, 96))):
        with Image.open(path) as image:
            image.convert(mode).resize(size, Image.Resampling.NEAREST).save(path)
    with Image.open(third) as image:
        image.save(third.with_suffix(".JPG"), quality=95)
    third.unlink()
    (root / "train" / "sad" / "notes.txt").touch()
    (root / "extra").mkdir()
    put(root / "face.png")
    (root / "readme.txt").touch()
    for junk in (".DS_Store", "Thumbs.db", "._x.png", "desktop.ini"):
        (root / "train" / "sad" / junk).touch()
    (root / "__MACOSX").mkdir()
    faces, _, remarks = read(root)
    lossless = by_row(faces).source_name != f"train/sad/{third.stem}.JPG"
    np.testing.assert_array_equal(
        by_row(faces).images[lossless], made_faces.images[lossless]
    )
    assert remarks == [
        "ignored 3 entries of the tree that are no image and no split's folder; the first: extra",
        f"converted 2 images to 8-bit grey of 48x48; the first: {first.name}",
        "1 faces are JPEG, which is lossy: their pixels, and with them the order of the faces and "
        "the draws at test time, are not those of the CSV",
    ]


def test_a_name_that_is_no_unicode_is_escaped(few, write_tree):
    root = write_tree(few)
    face = next((root / "train").glob("*/*"))
    try:
        face.rename(face.with_name(os.fsdecode(b"\xff.png")))
    except OSError:
        pytest.skip("this file system takes no such name")
    names = read(root)[0].source_name
    assert f"train/{face.parent.name}/\\udcff.png" in names
    "".join(names).encode()  # what is stored can be written as UTF-8


def test_training_may_lack_an_emotion(made_faces, write_tree):
    root = write_tree(made_faces)
    shutil.rmtree(root / "train" / "disgust")
    shutil.rmtree(root / "test" / "sad")
    (root / "test" / "sad").mkdir()
    faces, _, _ = read(root)
    assert not ((faces.usage == "Training") & (faces.emotion == 1)).any()
    assert not ((faces.usage != "Training") & (faces.emotion == 4)).any()


def test_links_are_followed_and_never_in_a_circle(few, write_tree, tmp_path):
    root = write_tree(few)
    elsewhere = tmp_path / "elsewhere"
    (root / "train").rename(elsewhere)
    (root / "train").symlink_to(elsewhere)
    expected = read(root)[0]
    assert len(expected.images) == 3
    emotion = next(path for path in elsewhere.iterdir())
    (emotion / "again").symlink_to(root)  # a circle: the tree inside itself
    faces, _, remarks = read(root)
    np.testing.assert_array_equal(faces.images, expected.images)
    assert "ignored 1 entries" in remarks[0]


def remove_faces(root, split):
    for path in (root / split).glob("*/*"):
        path.unlink()


def put(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (48, 48)).save(path)


REFUSED = {
    "no test folder": (lambda r: shutil.rmtree(r / "test"), "no folders train and test .*: train"),
    "no train folder": (lambda r: shutil.rmtree(r / "train"), "no folders train and test"),
    "split without image": (lambda r: remove_faces(r, "test"), "test holds no face"),
    "no image": (lambda r: [remove_faces(r, s) for s in ("train", "test")], "holds no face"),
    "another emotion": (lambda r: (r / "train" / "bored").mkdir(), "bored is not named after an"),
    "near name": (lambda r: (r / "train" / "hapy").mkdir(), "Did you mean 'happy'"),
    "numbers alone": (lambda r: (r / "train" / "4").mkdir(), "train/4 is only numbered.*0_angry"),
    "one emotion twice": (lambda r: (r / "train" / "Sadness").mkdir(), "both stand for one emot"),
    "one split twice": (lambda r: (r / "Training").mkdir(), "both stand for the same split"),
    "image without label": (lambda r: put(r / "train" / "x.png"), "x.png .* no label"),
    "empty file": (lambda r: (r / "train" / "sad" / "x.png").touch(), "sad/x.png is empty"),
    "folder as image": (lambda r: (r / "test" / "sad" / "x.png").mkdir(), "x.png is not a file"),
    "lost link": (lambda r: (r / "test" / "sad" / "x.png").symlink_to("y"), "sad/x.png cannot be"),
}


@pytest.mark.parametrize(("spoil", "message"), REFUSED.values(), ids=REFUSED)
def test_tree_with_a_fault_is_refused_by_name(made_faces, write_tree, spoil, message):
    root = write_tree(made_faces)
    spoil(root)
    with pytest.raises(UserError, match=message):
        read(root)


@pytest.fixture
def empty(tmp_path):
    """Give new empty folders, one after another."""
    return (tmp_path / str(n) for n in itertools.count())


CASES = st.sampled_from([str.lower, str.upper, str.title])
SUFFIXES = st.sampled_from([".png", ".PNG", ".bmp", ".pgm", ".Png"])


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_names_give_what_was_written(empty, data):
    root = next(empty)
    splits = [
        data.draw(CASES)(data.draw(st.sampled_from(names)))
        for names in (["train", "training"], ["val", "valid", "validation"], ["test", "testing"])
    ]
    synonyms = [
        data.draw(CASES)(data.draw(st.sampled_from([emotion, *SYNONYMS[emotion]])))
        for emotion in EMOTIONS
    ]
    labels = data.draw(st.lists(st.integers(0, 6), min_size=3, max_size=8))
    expected = {}
    for row, label in enumerate(labels):
        usage = ("Training", "PublicTest", "PrivateTest")[row % 3]
        folder = root / splits[row % 3] / synonyms[label]
        folder.mkdir(parents=True, exist_ok=True)
        image = np.random.default_rng(row).integers(0, 256, (48, 48), np.uint8)
        Image.fromarray(image).save(folder / f"{usage}_{row}{data.draw(SUFFIXES)}")
        expected[row] = (usage, label, image.tobytes())
    faces, _, remarks = read(root)
    assert remarks == []
    assert expected == {
        row: (usage, label, image.tobytes())
        for row, usage, label, image in zip(
            faces.source_row.tolist(), faces.usage, faces.emotion, faces.images, strict=True
        )
    }
