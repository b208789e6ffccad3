"""The prepare command from source to files, and its TFDS dataset."""

import subprocess
import sys

import numpy as np
import pytest

from fer_jax.data import load_splits
from fer_jax.data.faces import canonical_order, load_faces, take
from fer_jax.data.prepare import OFFICIAL_COUNTS, count_faces, count_warnings, main


def test_official_counts_add_up():
    totals = [sum(counts) for counts in OFFICIAL_COUNTS.values()]
    assert totals == [28709, 3589, 3589]
    assert sum(totals) == 35887


def test_prepare_writes_arrays_and_records_and_says_so(made_faces, write_csv, tmp_path, capsys):
    source, data_dir = write_csv(made_faces), tmp_path / "data"
    command = ["fer2013", f"--source={source}", f"--data_dir={data_dir}"]
    for _ in range(2):  # the second replaces what the first wrote
        assert main(command) == 0
        said = capsys.readouterr()
        assert sorted(path.name for path in data_dir.iterdir()) == ["fer2013", "fer2013.npz"]
    expected = take(made_faces, canonical_order(made_faces))
    for a, b in zip(load_faces(data_dir / "fer2013.npz"), expected, strict=True):
        np.testing.assert_array_equal(a, b)

    assert "CSV of the challenge, 126 faces" in said.out
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


def test_tree_without_halves_is_compared_with_their_sum(made_faces):
    usage = np.where(made_faces.usage == "Training", "Training", "Test")
    faces = made_faces._replace(usage=usage)
    assert list(count_faces(faces)) == ["Training", "Test"]
    training, test = count_warnings(faces)
    assert "Test holds 49 faces, official 7,178" in test
    assert "happy 7, official 1,774" in test
    assert "happy 11, official 7,215" in training


def test_failed_prepare_leaves_the_old_dataset(made_faces, write_csv, tmp_path, monkeypatch):
    data_dir = tmp_path / "data"
    command = ["fer2013", f"--source={write_csv(made_faces)}", f"--data_dir={data_dir}"]
    assert main(command) == 0

    def contents():
        files = sorted(path for path in data_dir.rglob("*") if path.is_file())
        return [(path, path.stat().st_mtime_ns, path.read_bytes()) for path in files]

    before = contents()

    def fail(*args, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fer_jax.data.prepare.save_faces", fail)
    assert main(command) == 1
    assert contents() == before


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["fer2013", "--source=nowhere"], 1, "error: there is no source at"),
        (["fer2031", "--source=nowhere"], 2, "Did you mean 'fer2013'"),
        (["fer2013"], 2, "required: --source"),
    ],
)
def test_wrong_commands_get_one_message(tmp_path, arguments, code, message):
    command = [sys.executable, "-m", "fer_jax.data.prepare", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_skip_bad_rows_counts_them(made_faces, write_csv, tmp_path, capsys):
    def spoil(rows):
        rows[7][0] = "9"

    command = ["fer2013", f"--source={write_csv(made_faces, edit=spoil)}"]
    command.append(f"--data_dir={tmp_path / 'data'}")
    assert main(command) == 1
    assert "row 7" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()
    assert main([*command, "--skip_bad_rows"]) == 0
    assert "left out 1 bad rows" in capsys.readouterr().err
    assert len(load_faces(tmp_path / "data" / "fer2013.npz").images) == 125
