"""The prepare command from source to files, and its TFDS dataset."""

import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from fer_jax.data import load_splits
from fer_jax.data.faces import EMOTIONS, canonical_order, load_faces, take
from fer_jax.data.prepare import main


def test_prepare_writes_arrays_and_records_and_says_so(made_faces, write_csv, tmp_path, capsys):
    source, data_dir = write_csv(made_faces), tmp_path / "data"
    command = ["fer2013", f"--source={source}", f"--data_dir={data_dir}"]
    for _ in range(2):  # the second replaces what the first wrote
        assert main(command) == 0
        said = capsys.readouterr()
        assert visible(data_dir) == ["fer2013", "fer2013.npz"]
    expected = take(made_faces, canonical_order(made_faces))
    for a, b in zip(load_faces(data_dir / "fer2013.npz"), expected, strict=True):
        np.testing.assert_array_equal(a, b)

    assert "CSV of the challenge, 126 faces of 48x48 grey" in said.out
    assert max(map(len, said.out.splitlines()[1:-3])) <= 80
    assert f"wrote {data_dir / 'fer2013.npz'}" in said.out
    assert f"next: python -m fer_jax.main --config=configs/vgg_dae.py --data_dir={data_dir}" in (
        said.out
    )
    assert "PublicTest holds 21 faces, official 3,589" in said.err
    assert "disgust 3, official 56" in said.err

    from fer_jax.data.builders import Fer2013

    assert "tensorflow" not in sys.modules
    # The order of a TFDS split is the canonical one, so it equals what training reads.
    splits = load_splits("fer2013", protocol="official", data_dir=data_dir)
    for name in ("train", "public", "private"):
        records = Fer2013(data_dir=data_dir).as_data_source(name)
        images = np.stack([record["image"] for record in records])
        np.testing.assert_array_equal(images, splits[name].images)
        assert [record["label"] for record in records] == splits[name].labels.tolist()
        assert [record["source_row"] for record in records] == splits[name].rows.tolist()


def test_failed_prepare_leaves_the_old_dataset(made_faces, write_csv, tmp_path, monkeypatch):
    data_dir = tmp_path / "data"
    command = ["fer2013", f"--source={write_csv(made_faces)}", f"--data_dir={data_dir}"]
    assert main(command) == 0

    def contents():
        found = sorted(path for path in data_dir.rglob("*") if path.is_file())
        files = [path for path in found if path.name != ".lock"]
        return [(path, path.stat().st_mtime_ns, path.read_bytes()) for path in files]

    before = contents()

    def fail(*args, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fer_jax.data.store.save_faces", fail)
    assert main(command) == 1
    assert contents() == before


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["fer2013", "--source=nowhere"], 1, "error: there is no source at"),
        (["raf_db", "--source=nowhere"], 1, "It can be EmoLabel/list_patition_label.txt"),
        (["fer2031", "--source=nowhere"], 2, "Did you mean 'fer2013'"),
        (["raf_db", "--source=.", "--ferplus=votes.csv"], 2, "--ferplus is for fer2013"),
        (["raf_db", "--source=.", "--skip_bad_rows"], 2, "--skip_bad_rows is for FER2013"),
        (["fer2013", "--source=.", "--size=64x64"], 2, "its faces are 48x48"),
        (["sfew", "--source=.", "--size=112"], 2, "'112' is no size like 112x112"),
        (["sfew", "--source=.", "--size=0x112"], 2, "'0x112' is no size"),
        (["fer2013"], 2, "required: --source"),
    ],
)
def test_wrong_commands_get_one_message(tmp_path, capsys, arguments, code, message):
    assert main([*arguments, f"--data_dir={tmp_path}"]) == code
    said = capsys.readouterr()
    assert message in said.err
    assert said.out == ""


def test_the_command_is_a_module():
    command = [sys.executable, "-m", "fer_jax.data.prepare", "fer2013", "--source=nowhere"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("error: there is no source at")
    assert done.stderr.count("\n") == 1


@pytest.fixture
def grow(tmp_path):
    """Give a maker of a tree of JPEGs: (name, {split: images of each class}, classes, *shape)."""
    generator = np.random.default_rng(0)

    def make(name, splits, classes, *shape):
        for split, n in splits.items():
            for label in classes:
                for i in range(n):
                    part = split.rpartition("/")[2]
                    path = tmp_path / name / split / label / f"{part}_{label}_{i}_aligned.jpg"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    pixels = generator.integers(0, 256, shape, np.uint8)
                    Image.fromarray(pixels).save(path, quality=95)
        return tmp_path / name

    return make


SFEW = ("Angry", "Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise")


@pytest.mark.parametrize(
    ("dataset", "splits", "classes", "shape", "protocol", "sizes", "images"),
    [
        # A tenth of two faces is none, and at least one of each emotion is held out.
        ("raf_db", {"DATASET/train": 2, "DATASET/test": 1}, "1234567", (100, 100, 3),
         "holdout:10", (7, 7, 7), (100, 100, 3)),
        ("sfew", {"Train": 3, "Val": 2}, SFEW, (143, 181, 3), "holdout:34", (14, 7, 14),
         (112, 112, 3)),
        ("own", {"train": 2, "validation": 1, "test": 1}, SFEW, (20, 24, 3), "source", (14, 7, 7),
         (20, 24, 3)),
        ("own", {"train": 2, "valid": 1, "test": 1}, SFEW, (20, 24), "source", (14, 7, 7),
         (20, 24, 1)),
    ],
)
def test_other_datasets_load_as_they_were_prepared(
    grow, tmp_path, capsys, dataset, splits, classes, shape, protocol, sizes, images
):
    source = grow("source", splits, classes, *shape)
    data_dir = tmp_path / "data"
    assert main([dataset, f"--source={source}", f"--data_dir={data_dir}"]) == 0
    said = capsys.readouterr()
    assert f"{images[0]}x{images[1]} {'RGB' if images[2] == 3 else 'grey'}" in said.out
    assert f"--config.data.dataset={dataset} --config.data.protocol={protocol[:6]}" in said.out
    loaded = load_splits(dataset, protocol=protocol, data_dir=data_dir)
    for name, size in zip(("train", "validation", "test"), sizes, strict=True):
        assert loaded[name].images.shape == (size, *images)
        assert loaded[name].images.dtype == np.uint8
    if shape[:2] != images[:2]:
        assert "converted 35 images to 8-bit RGB of 112x112" in said.err


def test_labels_follow_each_datasets_own_order(grow, tmp_path):
    source = grow("source", {"train": 2, "test": 1}, "1234567", 100, 100, 3)
    assert main(["raf_db", f"--source={source}", f"--data_dir={tmp_path}"]) == 0
    faces = load_faces(tmp_path / "raf_db.npz")
    order = ("surprise", "fear", "disgust", "happy", "sad", "angry", "neutral")
    for name, emotion in zip(faces.source_name, faces.emotion, strict=True):
        assert EMOTIONS[emotion] == order[int(name.split("/")[1]) - 1]
    np.testing.assert_array_equal(canonical_order(faces), np.arange(21))


def test_size_resizes_whatever_the_proportions(grow, tmp_path, capsys):
    source = grow("source", {"train": 1, "test": 1}, SFEW, 20, 24, 3)
    grow("source", {"train": 1}, ["Happy"], 30, 20, 3)
    command = ["own", f"--source={source}", f"--data_dir={tmp_path}"]
    assert main(command) == 1
    assert "--size=" in capsys.readouterr().err
    assert main([*command, "--size=16x12"]) == 0
    assert load_faces(tmp_path / "own.npz").images.shape == (14, 16, 12, 3)


def test_ferplus_votes_are_joined(made_faces, write_csv, tmp_path, capsys, monkeypatch):
    votes = np.zeros((126, 10), np.uint8)
    said = []

    def join(faces, path):
        said.append(path)
        return faces._replace(ferplus=votes), ["a remark on the votes"]

    monkeypatch.setattr("fer_jax.data.ferplus.join_votes", join)
    command = ["fer2013", f"--source={write_csv(made_faces)}", f"--data_dir={tmp_path}"]
    assert main([*command, "--ferplus=fer2013new.csv"]) == 0
    assert [path.name for path in said] == ["fer2013new.csv"]
    output = capsys.readouterr()
    assert "126 faces of 48x48 grey, with FER+ votes" in output.out
    assert "warning: a remark on the votes" in output.err
    np.testing.assert_array_equal(load_faces(tmp_path / "fer2013.npz").ferplus, votes)


def test_a_source_whose_name_is_no_unicode_is_read(made_faces, write_csv, tmp_path, capsys):
    source = tmp_path / os.fsdecode(b"\xff.csv")
    try:
        write_csv(made_faces).rename(source)
    except OSError:
        pytest.skip("this file system takes no such name")
    assert main(["fer2013", f"--source={source}", f"--data_dir={tmp_path / 'data'}"]) == 0
    assert "\\udcff.csv: CSV of the challenge" in capsys.readouterr().out


@pytest.mark.parametrize("usage", ["Training", "PrivateTest", "PublicTest"])
def test_a_split_without_a_face_is_refused(made_faces, write_csv, tmp_path, capsys, usage):
    faces = take(made_faces, made_faces.usage != usage)
    assert main(["fer2013", f"--source={write_csv(faces)}", f"--data_dir={tmp_path / 'data'}"]) == 1
    assert f"holds no {usage} face" in capsys.readouterr().err


def test_an_empty_source_is_wrong_usage(tmp_path, capsys):
    assert main(["fer2013", "--source=", f"--data_dir={tmp_path}"]) == 2
    assert "it is empty; name a file or folder" in capsys.readouterr().err


def test_a_second_prepare_on_one_folder_is_refused(made_faces, write_csv, tmp_path, capsys):
    command = ["fer2013", f"--source={write_csv(made_faces)}", f"--data_dir={tmp_path / 'data'}"]
    holder = f"""
import pathlib, sys
from fer_jax import lock
with lock.hold(pathlib.Path({str(tmp_path / "data")!r})):
    print("held", flush=True)
    sys.stdin.read()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", holder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout.readline() == "held\n"
        assert main(command) == 1
        error = capsys.readouterr().err
        assert f"is in use by process {process.pid}" in error
        assert error.count("\n") == 1
        process.kill()  # the lock goes with the process
        process.wait()
        assert main(command) == 0


def test_a_folder_that_cannot_be_written_is_one_message(made_faces, write_csv, tmp_path, capsys):
    (tmp_path / "file").touch()
    command = ["fer2013", f"--source={write_csv(made_faces)}"]
    for data_dir in (tmp_path / "file", tmp_path / "file/data"):
        assert main([*command, f"--data_dir={data_dir}"]) == 1
        error = capsys.readouterr().err
        assert f"error: cannot write to {data_dir}" in error
        assert error.count("\n") == 1


def visible(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock")


def test_skip_bad_rows_counts_them(made_faces, write_csv, tmp_path, capsys):
    def spoil(rows):
        rows[7][0] = "9"

    command = ["fer2013", f"--source={write_csv(made_faces, edit=spoil)}"]
    command.append(f"--data_dir={tmp_path / 'data'}")
    assert main(command) == 1
    assert "row 7" in capsys.readouterr().err
    assert visible(tmp_path / "data") == []
    assert main([*command, "--skip_bad_rows"]) == 0
    assert "left out 1 bad rows" in capsys.readouterr().err
    assert len(load_faces(tmp_path / "data" / "fer2013.npz").images) == 125
