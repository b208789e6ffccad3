"""RAF-DB in its two layouts, and label files and folders that do not fit."""

from pathlib import Path

import pytest

from fer_jax.data.faces import EMOTIONS
from fer_jax.data.read_rafdb import list_rafdb
from fer_jax.errors import UserError

# As the dataset's readme numbers them.
NAMES = {1: "surprise", 2: "fear", 3: "disgust", 4: "happy", 5: "sad", 6: "angry", 7: "neutral"}
LABELS = "EmoLabel/list_patition_label.txt"


def touch(path: Path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


@pytest.fixture
def official(tmp_path):
    """Give the official layout's root: 14 training and 7 test faces, each number in turn."""
    root, lines = tmp_path / "basic", []
    for part, n, digits in (("train", 14, 5), ("test", 7, 4)):
        for i in range(1, n + 1):
            name = f"{part}_{i:0{digits}d}"
            touch(root / f"Image/aligned/{name}_aligned.jpg")
            lines.append(f"{name}.jpg {(i - 1) % 7 + 1}")
    touch(root / LABELS)
    (root / LABELS).write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture
def copy(tmp_path):
    """Give the folders' root with its two tables: a face of each number in train and test."""
    root = tmp_path / "rafdb"
    for part, digits in (("train", 5), ("test", 4)):
        rows = ["image,label"]
        for i in NAMES:
            name = f"{part}_{i:0{digits}d}_aligned.jpg"
            touch(root / f"DATASET/{part}/{i}/{name}")
            rows.append(f"{name},{i}")
        (root / f"{part}_labels.csv").write_text("\n".join(rows) + "\n")
    return root


def edit(path: Path, old: str, new: str):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def check_labels(files):
    """Assert that each face i has the emotion of RAF-DB's number i, counted in turn."""
    for path, usage, label in files:
        part, number = path.stem.split("_")[:2]
        assert EMOTIONS[label] == NAMES[(int(number) - 1) % 7 + 1]
        assert usage == {"train": "Training", "test": "Test"}[part]


@pytest.mark.parametrize("around", [False, True])
def test_official_layout(official, around):
    found = list_rafdb(official.parent if around else official)
    assert len(found.files) == 21
    check_labels(found.files)
    assert found.root == official
    assert found.remarks == []


def test_crlf_bom_and_blank_lines_do_not_matter(official):
    path = official / LABELS
    text = path.read_text().replace("\n", "\r\n") + "\r\n\r\n"
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    check_labels(list_rafdb(official).files)
    path.rename(path.with_name("list_partition_label.txt"))
    assert len(list_rafdb(official).files) == 21


def test_an_image_without_a_label_is_left_out_with_a_remark(official):
    edit(official / LABELS, "train_00003.jpg 3\n", "")
    found = list_rafdb(official)
    assert len(found.files) == 20
    assert found.remarks == [
        "left out 1 images without a label in list_patition_label.txt; the first: "
        "train_00003_aligned.jpg"
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("train_00003.jpg 3", "train_00003.jpg", "line 3: it is 'train_00003.jpg', expected a"),
        ("train_00003.jpg 3", "train_00003.jpg 8", "line 3: .*label in 1..7"),
        ("train_00003.jpg 3", "train_00003.jpg 0", "line 3: .*label in 1..7"),
        ("train_00003.jpg 3", "../train_00003.jpg 3", "line 3: .*expected a name"),
        ("train_00003.jpg 3", "val_00003.jpg 3", "line 3: .*expected a name"),
        ("train_00003.jpg 3", "train_00002.jpg 3", "line 3: train_00002 comes twice.*line 2"),
        ("train_00003.jpg", "train_00099.jpg", "line 3: there is no image .*train_00099_aligned"),
    ],
)
def test_a_bad_line_is_named(official, old, new, message):
    edit(official / LABELS, old, new)
    with pytest.raises(UserError, match=message):
        list_rafdb(official)


def test_label_files_without_a_part_are_refused(official):
    path = official / LABELS
    lines = path.read_text().splitlines()
    path.write_text("\n".join(line for line in lines if line.startswith("train")))
    with pytest.raises(UserError, match="no face of test"):
        list_rafdb(official)
    path.write_text("\n")
    with pytest.raises(UserError, match="is empty"):
        list_rafdb(official)
    path.write_bytes(b"\xff\xd8\xff\xe0 no text")
    with pytest.raises(UserError, match="not a text file"):
        list_rafdb(official)


def test_images_still_packed_are_pointed_at(official):
    for path in (official / "Image/aligned").iterdir():
        path.unlink()
    (official / "Image/aligned").rmdir()
    with pytest.raises(UserError, match="no Image/aligned"):
        list_rafdb(official)
    touch(official / "Image/aligned.zip")
    with pytest.raises(UserError, match="aligned.zip, which is not unpacked"):
        list_rafdb(official)


def test_copy_in_numbered_folders(copy):
    found = list_rafdb(copy)
    assert len(found.files) == 14
    check_labels(found.files)
    assert found.layout.endswith("of RAF-DB with train_labels.csv and test_labels.csv")
    # The tables are above the folder that is given here: it is read without them.
    found = list_rafdb(copy / "DATASET")
    check_labels(found.files)
    assert found.layout.endswith("of RAF-DB")


def test_copy_in_folders_with_names(copy):
    for folder in sorted((copy / "DATASET").glob("*/[1-7]")):
        folder.rename(folder.with_name(f"{folder.name}_{NAMES[int(folder.name)]}"))
    check_labels(list_rafdb(copy).files)


def test_an_image_without_a_row_counts_by_its_folder(copy):
    edit(copy / "test_labels.csv", "test_0004_aligned.jpg,4\n", "")
    found = list_rafdb(copy)
    assert len(found.files) == 14
    assert found.remarks == [
        "1 images have no label in test_labels.csv and count by their folder; the first: "
        "test_0004_aligned.jpg"
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("jpg,3", "jpg,5", r"line 4: train_00003_aligned.jpg has label 5 \(sad\) and lies in .*/3"),
        ("jpg,3", "jpg,8", "line 4: .*label in 1..7"),
        ("jpg,3", "jpg", "line 4: .*expected an image and a label"),
        ("train_00003", "train_00002", "line 4: train_00002_aligned.jpg comes twice.*line 3"),
        ("train_00003", "train_00099", "line 4: there is no image train_00099_aligned.jpg"),
    ],
)
def test_a_table_that_does_not_fit_its_folders_is_refused(copy, old, new, message):
    edit(copy / "train_labels.csv", old, new)
    with pytest.raises(UserError, match=message):
        list_rafdb(copy)


def test_names_in_two_folders_and_folders_of_no_emotion_are_refused(copy):
    touch(copy / "DATASET/train/2/train_00003_aligned.jpg")
    with pytest.raises(UserError, match="have the same name"):
        list_rafdb(copy)
    touch(copy / "DATASET/train/8/train_00008_aligned.jpg")
    with pytest.raises(UserError, match="'8' is none of RAF-DB's: 1 surprise, 2 fear"):
        list_rafdb(copy)
