"""Reading every layout, and what is said of a source that cannot be read."""

import numpy as np
import pytest
from PIL import Image

from fer_jax.data.faces import canonical_order, take
from fer_jax.data.sources import read_source
from fer_jax.errors import UserError


def assert_same_faces(a, b):
    for name in ("images", "emotion", "usage"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


@pytest.fixture
def write_npz(tmp_path):
    def write(**arrays):
        np.savez(tmp_path / "faces.npz", **arrays)
        return tmp_path / "faces.npz"

    return write


def test_csv_tree_and_npz_give_the_same_faces(made_faces, write_csv, write_tree, write_npz):
    expected = take(made_faces, canonical_order(made_faces))
    npz = write_npz(images=made_faces.images, emotion=made_faces.emotion, usage=made_faces.usage)
    for path in (write_csv(made_faces), write_tree(made_faces), npz):
        source = read_source(path)
        assert_same_faces(source.faces, expected)
        np.testing.assert_array_equal(source.faces.source_row, expected.source_row)
        assert source.remarks == []


def test_real_layouts_give_the_same_faces(real_layout):
    few = ("--per-split", "200")
    csv = read_source(real_layout("csv", "few.csv", *few)).faces
    assert len(csv.images) == 600
    for layout, name in (("folders", "few"), ("npz", "few.npz"), ("icml", "few-icml.csv")):
        assert_same_faces(read_source(real_layout(layout, name, *few)).faces, csv)


def test_tree_maps_emotions_by_name_and_keeps_names_and_rows(made_faces, write_tree):
    faces = read_source(write_tree(made_faces)).faces
    # Sorted folder names would have given neutral the id 4.
    neutral = take(faces, faces.emotion == 6)
    assert all("/neutral/" in name for name in neutral.source_name)
    for name, row, usage in zip(faces.source_name, faces.source_row, faces.usage, strict=True):
        assert name.endswith(f"/{usage}_{row:07d}.png")


def test_tree_without_official_names_has_one_test(made_faces, write_tree):
    source = read_source(write_tree(made_faces, name="im{row}.png"))
    assert set(source.faces.usage) == {"Training", "Test"}
    assert (source.faces.source_row == -1).all()
    assert "one test split" in source.remarks[0]


def test_csv_columns_are_found_by_name(made_faces, write_csv):
    def reverse(rows):
        for row in rows:
            row.reverse()

    path = write_csv(made_faces, header=(" Usage", " pixels", "emotion"), edit=reverse)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n") + b"\r\n")
    assert_same_faces(read_source(path).faces, take(made_faces, canonical_order(made_faces)))


BAD_FIELDS = [
    (0, "7", "its emotion is '7'"),
    (0, "happy", "its emotion is 'happy'"),
    (1, "1 2 3", "it has 3 pixels, expected 2,304"),
    (1, "", "it has 0 pixels"),
    (1, " ".join(["1"] * 2303 + ["x"]), "not all whole numbers"),
    (1, " ".join(["1"] * 2303 + ["2.5"]), "not all whole numbers"),
    (1, " ".join(["1"] * 2303 + ["256"]), "from 1 to 256"),
    (1, " ".join(["1"] * 2303 + ["-1"]), "from -1 to 1"),
    # 2**32 + 5: would be 5 if it were cut to 32 bits.
    (1, " ".join(["1"] * 2303 + ["4294967301"]), "not in 0..255"),
    (2, "Testing", "its Usage is 'Testing'"),
]


@pytest.mark.parametrize(("column", "value", "message"), BAD_FIELDS)
def test_bad_csv_row_is_named_or_skipped(made_faces, write_csv, column, value, message):
    def spoil(rows):
        rows[3][column] = value

    path = write_csv(made_faces, edit=spoil)
    with pytest.raises(UserError, match=r"row 3 \(counted from 0; line 5\)") as error:
        read_source(path)
    assert message in str(error.value)
    assert "--skip_bad_rows" in str(error.value)

    source = read_source(path, skip_bad_rows=True)
    assert len(source.faces.images) == len(made_faces.images) - 1
    assert sorted(source.faces.source_row)[:4] == [0, 1, 2, 4]
    assert "left out 1 bad rows" in source.remarks[0]


def test_short_csv_row_is_named(made_faces, write_csv):
    path = write_csv(made_faces, edit=lambda rows: rows[0].pop())
    with pytest.raises(UserError, match="row 0 .*it has 2 fields"):
        read_source(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "columns nothing"),
        (b"a,b,c\n", "columns a, b, c"),
        (b"emotion,pixels,Usage\n", "holds no face"),
        (b"\x7fELF\0\0\0", "binary file"),
        (b"emotion,\xff", "not a CSV file"),
    ],
)
def test_files_of_no_known_kind_are_refused(tmp_path, content, message):
    path = tmp_path / "fer2013.csv"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_source(path)


def test_missing_source_says_what_a_source_is(tmp_path):
    with pytest.raises(UserError, match="no source at .*nowhere.*fer2013.csv.*npz"):
        read_source(tmp_path / "nowhere")


def test_folder_without_train_and_test_is_refused(tmp_path):
    (tmp_path / "images").mkdir()
    with pytest.raises(UserError, match="no folder train and no folder test .*images"):
        read_source(tmp_path)


def test_folder_of_no_emotion_is_named(made_faces, write_tree):
    root = write_tree(made_faces)
    (root / "train" / "bored").mkdir()
    with pytest.raises(UserError, match="bored is not named after an emotion"):
        read_source(root)


def test_test_face_in_the_training_folder_is_refused(made_faces, write_tree):
    root = write_tree(made_faces)
    face = next((root / "test" / "sad").glob("PublicTest_*"))
    face.rename(root / "train" / "sad" / face.name)
    with pytest.raises(UserError, match="in the training folder, but its name says PublicTest"):
        read_source(root)


@pytest.mark.parametrize(
    ("mode", "size", "message"),
    [("L", (50, 48), "50x48 in mode L"), ("I;16", (48, 48), "mode I;16"), (None, None, "as an im")],
)
def test_unfit_image_is_named(made_faces, write_tree, mode, size, message):
    root = write_tree(made_faces)
    path = root / "train" / "sad" / "Training_9999999.png"
    if mode is None:
        path.write_bytes(b"\x89PNG")
    else:
        Image.new(mode, size).save(path)
    with pytest.raises(UserError, match=f"Training_9999999.png .*{message}"):
        read_source(root)


def test_colour_is_converted_and_other_files_are_counted(made_faces, write_tree):
    root = write_tree(made_faces)
    path = next((root / "train" / "sad").iterdir())
    with Image.open(path) as image:
        image.convert("RGB").save(path)
    (root / "train" / "sad" / "notes.txt").touch()
    (root / "train" / ".DS_Store").touch()
    source = read_source(root)
    assert_same_faces(source.faces, take(made_faces, canonical_order(made_faces)))
    assert source.remarks[0] == "converted 1 images to 8-bit grey"
    assert source.remarks[1].startswith("ignored 1 files")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(images=np.zeros((2, 48, 48), np.float32)), r"images float32 \[2, 48, 48\]"),
        (dict(images=np.zeros((2, 64, 64), np.uint8)), r"images uint8 \[2, 64, 64\]"),
        (dict(emotion=np.array([0, 7])), "emotions other than"),
        (dict(emotion=np.array([0])), "unequal length"),
        (dict(usage=np.array(["Training", "dev"])), "usage 'dev'"),
        (dict(usage=np.array([{}, {}])), "cannot be read"),  # pickled: never unpacked
    ],
)
def test_unfit_npz_is_refused(write_npz, change, message):
    arrays = dict(
        images=np.zeros((2, 48, 48), np.uint8),
        emotion=np.array([0, 6]),
        usage=np.array(["Training", "Test"]),
    )
    assert len(read_source(write_npz(**arrays)).faces.images) == 2
    with pytest.raises(UserError, match=message):
        read_source(write_npz(**{**arrays, **change}))


def test_npz_lacking_an_array_is_refused(write_npz):
    with pytest.raises(UserError, match="lacks emotion, usage"):
        read_source(write_npz(images=np.zeros((1, 48, 48), np.uint8)))
