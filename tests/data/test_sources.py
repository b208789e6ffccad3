"""Finding a source's layout, and the same faces from every form it comes in."""

import csv
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from fer_jax.data.faces import canonical_order, save_faces, take
from fer_jax.data.sources import read_source
from fer_jax.errors import UserError


def assert_same_faces(a, b):
    for name in ("images", "emotion", "usage"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


@pytest.fixture
def expected(made_faces):
    return take(made_faces, canonical_order(made_faces))


@pytest.fixture
def write_npz(made_faces, tmp_path):
    """Give a writer of .npz files with the given name."""

    def write(name):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        save_faces(tmp_path / name, made_faces)
        return tmp_path / name

    return write


def test_csv_tree_and_npz_give_the_same_faces(
    made_faces, expected, write_csv, write_tree, write_npz
):
    forms = {
        "CSV of the challenge": write_csv(made_faces),
        "folder tree {train,test}/{emotion}": write_tree(made_faces),
        ".npz arrays": write_npz("faces.npz"),
    }
    for layout, path in forms.items():
        source = read_source(path)
        assert_same_faces(source.faces, expected)
        np.testing.assert_array_equal(source.faces.source_row, expected.source_row)
        assert (source.layout, source.remarks) == (layout, [])


@pytest.mark.parametrize("name", ["f.zip", "f.tgz"])
@pytest.mark.parametrize("form", ["csv", "tree", "npz"])
def test_archive_of_any_form_gives_the_same_faces(
    made_faces, expected, write_csv, write_tree, write_npz, pack, name, form
):
    content = dict(
        csv=lambda: write_csv(made_faces),
        tree=lambda: write_tree(made_faces),
        npz=lambda: write_npz("fer2013.npz"),
    )[form]()
    source = read_source(pack(content, name, top="archive/"))
    assert_same_faces(source.faces, expected)
    np.testing.assert_array_equal(source.faces.source_row, expected.source_row)
    assert source.layout.startswith("zip archive, " if name == "f.zip" else "")
    assert " at archive" in source.layout
    assert source.remarks == []
    if form == "tree":
        assert all(n.startswith(("train/", "test/")) for n in source.faces.source_name)


def test_real_faces_are_the_same_in_every_form(real_layout, tmp_path, pack):
    few = ("--per-split", "40")
    forms = {name: real_layout(layout, name, *few) for layout, name in (
        ("csv", "40.csv"), ("icml", "40-icml.csv"), ("folders", "40"), ("npz", "40.npz")
    )}
    forms["zip of the csv"] = pack(forms["40.csv"], "csv.zip")
    forms["tar.gz of the csv"] = pack(forms["40.csv"], "csv.tar.gz", top="fer2013/")
    forms["zip of the tree"] = pack(forms["40"], "tree.zip", top="archive/")
    forms["tar.gz of the tree"] = pack(forms["40"], "tree.tar.gz")
    known = read_source(forms["40.csv"]).faces
    assert len(known.images) == 120
    for path in forms.values():
        source = read_source(path)
        assert_same_faces(source.faces, known)
        assert source.remarks == []


def test_votes_of_a_prepared_dataset_are_kept(made_faces, tmp_path):
    votes = np.random.default_rng(0).integers(0, 11, (len(made_faces.emotion), 10), np.uint8)
    save_faces(tmp_path / "fer2013.npz", made_faces._replace(ferplus=votes))
    for path in (tmp_path, tmp_path / "fer2013.npz"):
        faces = read_source(path).faces
        np.testing.assert_array_equal(faces.ferplus, votes[canonical_order(made_faces)])


def test_folder_that_holds_several_forms_says_which_was_read(
    made_faces, expected, write_csv, tmp_path
):
    folder = tmp_path / "challenge" / "fer2013"
    folder.mkdir(parents=True)
    shutil.copy(write_csv(made_faces), folder / "icml_face_data.csv")
    for name in ("train.csv", "test.csv", "example_submission.csv", "README", "fer2013.tar.gz"):
        (folder / name).write_text("not looked at")
    source = read_source(folder.parent)
    assert_same_faces(source.faces, expected)
    assert source.layout == "CSV of the challenge at fer2013/icml_face_data.csv"
    assert source.remarks == [
        "read fer2013/icml_face_data.csv, and not what lies beside it: train.csv"
    ]


def test_separate_files_are_found(made_faces, write_csv, tmp_path):
    with open(write_csv(made_faces), newline="") as file:
        rows = list(csv.DictReader(file))
    folder = tmp_path / "challenge"
    folder.mkdir()
    columns = {"train.csv": ("emotion", "pixels"), "test.csv": ("pixels",)}
    for name, fields in columns.items():
        with open(folder / name, "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(fields)
            of_file = [r for r in rows if (r["Usage"] == "Training") == (name == "train.csv")]
            writer.writerows([[row[field] for field in fields] for row in of_file])
    source = read_source(folder)
    assert source.layout == "train.csv of the challenge"
    assert "test.csv has no emotions" in source.remarks[0]
    training = take(made_faces, made_faces.usage == "Training")
    assert_same_faces(source.faces, take(training, canonical_order(training)))


def test_images_copy_is_one_test(made_faces, write_tree, tmp_path):
    # This copy's own zip holds everything twice: images/train and images/images/train.
    root = tmp_path / "archive" / "images"
    splits = ("train", "validation", "validation")
    write_tree(made_faces, name="{row}.png", splits=splits, root=root)
    write_tree(made_faces, name="{row}.png", splits=splits, root=root / "images")
    source = read_source(tmp_path / "archive")
    assert source.layout == "folder tree {train,validation}/{emotion} at images"
    assert len(source.faces.images) == len(made_faces.images)
    assert set(source.faces.usage) == {"Training", "Test"}
    assert "protocol 'official' cannot be used" in source.remarks[0]
    assert source.remarks[1].endswith("the first: images")


def test_wrapping_folder_is_looked_through(made_faces, expected, write_tree, tmp_path):
    write_tree(made_faces, root=tmp_path / "a" / "b" / "c")
    (tmp_path / "a" / "__MACOSX" / "train").mkdir(parents=True)
    (tmp_path / "a" / "b" / ".DS_Store").touch()
    (tmp_path / "a" / "papers").mkdir()
    source = read_source(tmp_path / "a")
    assert_same_faces(source.faces, expected)
    assert source.layout == "folder tree {train,test}/{emotion} at b/c"


def test_two_datasets_in_a_folder_are_refused(made_faces, write_tree, write_npz, tmp_path):
    write_tree(made_faces, root=tmp_path / "all" / "tree")
    write_npz("all/prepared/fer2013.npz")
    with pytest.raises(UserError, match="more than one dataset: .*prepared.* and .*tree"):
        read_source(tmp_path / "all")


def test_circle_of_links_ends(tmp_path):
    (tmp_path / "again").symlink_to(tmp_path)
    with pytest.raises(UserError, match="no known form of the dataset. It holds again"):
        read_source(tmp_path)


def test_link_to_a_source_is_the_source(made_faces, expected, write_csv, tmp_path):
    (tmp_path / "link").symlink_to(write_csv(made_faces))
    assert_same_faces(read_source(tmp_path / "link").faces, expected)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["fer2013.tar.gz"], "It holds fer2013.tar.gz: give that as the source"),
        (["sad/x.png", "fear/x.png"], "train and test are not told apart"),
        (["a.csv", "b.csv"], "It holds a.csv, b.csv"),
        ([], "It holds nothing"),
    ],
)
def test_folder_of_no_known_form_gets_a_hint(tmp_path, names, message):
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(UserError, match=message):
        read_source(tmp_path)


def test_archive_in_an_archive_is_refused(made_faces, write_csv, pack):
    inner = pack(write_csv(made_faces), "inner.zip")
    with pytest.raises(UserError, match="outer.zip holds no known form .*holds inner.zip"):
        read_source(pack(inner, "outer.zip"))


def test_fault_in_an_archive_is_named_by_archive_and_member(made_faces, write_tree, pack):
    root = write_tree(made_faces)
    (root / "train" / "sad" / "Training_9.png").write_bytes(b"\x89PNG")
    archive = pack(root, "f.zip")
    with pytest.raises(UserError, match=f"^{archive}/train/sad/Training_9.png cannot be read"):
        read_source(archive)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "columns nothing"),
        (b"emotion,pixels,Usage\n", "holds no face. It can be"),
        (b"emotion,pixels,Usage\n7,1,Training\n", r"holds no face \(left out 1 bad rows"),
        (b"\x7fELF\0\0\0", "binary file"),
        (b"PK\3\4 cut off", "cannot be unpacked"),
        (b"\x1f\x8b cut off", "cannot be unpacked"),
    ],
)
def test_file_of_no_known_kind_is_refused(tmp_path, content, message):
    path = tmp_path / "fer2013.csv"
    path.write_bytes(content)
    with pytest.raises(UserError, match=f"fer2013.csv .*{message}"):
        read_source(path, skip_bad_rows=True)


def test_missing_source_says_what_a_source_is(tmp_path):
    with pytest.raises(UserError, match="no source at .*nowhere.*fer2013.csv.*npz"):
        read_source(tmp_path / "nowhere")


def test_pipe_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="pipe is neither a file nor a folder"):
        read_source(tmp_path / "pipe")


def test_system_that_refuses_a_file_is_quoted(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("fer_jax.data.sources.visible", refuse)
    with pytest.raises(UserError, match="cannot be read .*Permission denied"):
        read_source(tmp_path)


def test_face_of_another_size_is_counted(made_faces, write_tree):
    root = write_tree(made_faces)
    path = next((root / "train" / "sad").iterdir())
    Image.new("L", (224, 224)).save(path)
    assert "converted 1 images to 8-bit grey of 48x48" in read_source(root).remarks[0]


@pytest.mark.parametrize("kind", ["csv", "npz", "zip", "tar", "tgz"])
def test_any_damage_is_survived_with_one_short_message(
    made_faces, write_csv, write_tree, write_npz, pack, tmp_path, kind
):
    usages = sorted(set(made_faces.usage))
    few = take(made_faces, [np.argmax(made_faces.usage == usage) for usage in usages])
    whole = dict(
        csv=lambda: write_csv(few),
        npz=lambda: write_npz("few.npz"),
    ).get(kind, lambda: pack(write_tree(few), f"few.{kind}"))().read_bytes()
    generator = np.random.default_rng(3)
    path = tmp_path / "damaged"
    outcomes = set()
    for n in range(20):
        damaged = bytearray(whole)
        if n % 4 == 0:
            del damaged[generator.integers(len(whole)) :]
        # Near the ends, where archives keep their heads and lists.
        for place in generator.integers(-600, 600, size=n % 4):
            damaged[place] = generator.integers(256)
        path.write_bytes(damaged)
        try:
            outcomes.add(len(read_source(path, skip_bad_rows=True).faces.images) > 0)
        except UserError as error:
            outcomes.add(None)
            assert len(str(error)) < 2000
    assert None in outcomes
