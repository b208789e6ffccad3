"""Trees root/SPLIT/CLASS/image: SFEW's folders, one's own, and trees that are not quite so."""

from pathlib import Path

import pytest

from fer_jax.data.faces import EMOTIONS
from fer_jax.data.read_splits import list_splits
from fer_jax.errors import UserError

SFEW = ("Angry", "Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise")


@pytest.fixture
def grow(tmp_path):
    """Give a maker of empty files, for listing opens none; it returns the tree's root."""

    def make(*names) -> Path:
        for name in names:
            path = tmp_path / "tree" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path / "tree"

    return make


def sfew(*splits):
    """Name two images of each emotion in each split's folder."""
    return [f"{s}/{emotion}/{i}.png" for s in splits for emotion in SFEW for i in range(2)]


def test_sfew_maps_splits_and_emotions_by_name(grow):
    root = grow(*sfew("Train", "Val", "Test"))
    found = list_splits(root)
    assert len(found.files) == 3 * 7 * 2
    usages = {"Train": "Training", "Val": "Validation", "Test": "Test"}
    for path, usage, label in found.files:
        split, emotion, _ = path.relative_to(root).parts
        assert usage == usages[split]
        assert EMOTIONS[label] == emotion.lower()
    assert found.layout == "folder tree {Test,Train,Val}/{emotion}"
    assert found.remarks == []


@pytest.mark.parametrize(
    ("train", "validation"),
    [
        ("Train/Train_Aligned_Faces", "Val/Val_Aligned_Faces_new"),
        ("Train_Aligned_Faces", "Val_Aligned_Faces_new"),
        ("SFEW 2/Train/Train_Aligned_Faces", "SFEW 2/Val/Val_Aligned_Faces_new"),
        ("data/TRAIN", "data/valid"),
    ],
)
def test_folders_around_the_emotions_are_looked_through(grow, train, validation):
    found = list_splits(grow(*sfew(train, validation)))
    assert {file.usage for file in found.files} == {"Training", "Validation"}
    assert len(found.files) == 2 * 7 * 2


def test_a_test_folder_without_labels_is_left_out_with_a_remark(grow):
    found = list_splits(grow(*sfew("Train", "Val"), "Test/Test_Aligned_Faces/1.png", "Test/x.txt"))
    assert {file.usage for file in found.files} == {"Training", "Validation"}
    assert found.remarks == [
        "left out the 1 images of Test: they are in no folders of emotions, so they have no labels"
    ]


def test_synonyms_of_the_emotions_are_understood(grow):
    names = ["anger", "Disgusted", "FEARFUL", "happiness", "sadness", "surprised", "0_neutral"]
    root = grow(*(f"{split}/{name}/1.jpg" for split in ("train", "test") for name in names))
    labels = {path.parent.name: label for path, _, label in list_splits(root).files}
    assert [labels[name] for name in names] == list(range(7))


def test_what_is_not_read_is_counted(grow):
    ignored = ("Extra/Sad/1.png", "face.png", "Train/Sad/notes.txt", "Val/Sad/old/1.png")
    root = grow(*sfew("Train", "Val"), *ignored, "Val/.DS_Store", "readme.txt")
    assert list_splits(root).remarks == [
        "ignored 4 entries of the tree that are no image and no split's folder; the first: Extra"
    ]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (sfew("Train", "Val") + ["Train/Bored/1.png"],
         "'Bored' is not named after.*Known: angry.*Also understood: anger"),
        (sfew("Train", "Val") + ["Train/3/1.png"], "'3' is not named after"),
        (sfew("Train", "Val") + ["Train/anger/1.png"], "Angry and .*anger stand for the same"),
        (sfew("Train", "training"), "Train and .*training stand for the same"),
        (sfew("Train"), "only faces for training"),
        (sfew("Train") + ["Test/1.png"], "only faces for training"),
        (sfew("Train") + ["Val/Sad/notes.txt"], "Val holds no image"),
        (sfew("Train", "Val") + ["Train/1.png"], r"1\.png is in no folder of an emotion"),
        (sfew("Val") + ["Train/Train_Aligned_Faces.zip"], "Faces.zip, which is not unpacked"),
        (["Train.zip", "Val.zip"], "Train.zip, which is not unpacked"),
        (sfew("Val", "Test"), "Expected folders"),
        (["angry/1.png"], "Expected folders"),
    ],
)
def test_trees_of_another_kind_are_refused(grow, names, message):
    with pytest.raises(UserError, match=message):
        list_splits(grow(*names))


def test_an_empty_class_is_no_error(grow):
    root = grow(*sfew("Train", "Val"))
    for path in (root / "Train/Disgust").iterdir():
        path.unlink()
    assert len(list_splits(root).files) == 2 * 7 * 2 - 2
