"""Reading the challenge's CSV files: every good row exactly, every bad one named."""

import csv
import io

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fer_jax.data import read_csv as module
from fer_jax.data.faces import USAGES
from fer_jax.data.read_csv import MAX_LINE, read_csv, read_csv_pair
from fer_jax.errors import UserError

OPTIONS = dict(skip_bad_rows=False, track=lambda items, total: items)
SKIP = {**OPTIONS, "skip_bad_rows": True}


def image(seed):
    return np.random.default_rng(seed).integers(0, 256, (48, 48), np.uint8)


def row(seed, *, usage="Training"):
    return f"{seed % 7},{' '.join(map(str, image(seed).ravel()))},{usage}"


def write(path, *lines, newline="\n"):
    path.write_bytes(newline.join(["emotion,pixels,Usage", *lines, ""]).encode())
    return path


def seeds_read(faces):
    """Return which of image(0), image(1), ... were read, and check that they are exact."""
    known = {image(seed).tobytes(): seed for seed in range(20)}
    seeds = [known[pixels.tobytes()] for pixels in faces.images]
    assert faces.emotion.tolist() == [seed % 7 for seed in seeds]
    return seeds


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_line_endings_and_byte_order_mark_do_not_matter(tmp_path, newline, mark):
    path = write(tmp_path / "x.csv", row(0), "", row(1), newline=newline)
    path.write_bytes(mark + path.read_bytes())
    faces, layout, remarks = read_csv(path, **OPTIONS)
    assert seeds_read(faces) == [0, 1]
    assert faces.source_row.tolist() == [0, 1]  # a blank line is no row
    assert (layout, remarks) == ("CSV of the challenge", [])


def test_columns_are_found_by_name(tmp_path):
    emotion, pixels, usage = row(3).split(",")
    text = f'" Usage",note,EMOTION, pixels\n{usage},"a, ""b""",{emotion},"{pixels}"\n'
    (tmp_path / "x.csv").write_text(text)
    assert seeds_read(read_csv(tmp_path / "x.csv", **OPTIONS)[0]) == [3]


def spoiled(column, value):
    fields = row(1).split(",")
    fields[column] = value
    return ",".join(fields)


BAD_ROWS = {
    "emotion 7": (spoiled(0, "7"), "its emotion is '7'"),
    "emotion by name": (spoiled(0, "happy"), "its emotion is 'happy'"),
    "image without label": (spoiled(0, ""), "its emotion is ''"),
    "label without image": (spoiled(1, ""), "it has 0 pixels"),
    "few pixels": (spoiled(1, "1 2 3"), "it has 3 pixels, expected 2,304"),
    "many pixels": (spoiled(1, "1 " * 2305), "it has 2,305 pixels"),
    "a letter": (spoiled(1, "1 " * 2303 + "x"), "not all whole numbers"),
    "a fraction": (spoiled(1, "1 " * 2303 + "2.5"), "not all whole numbers"),
    "256": (spoiled(1, "1 " * 2303 + "256"), "from 1 to 256"),
    "-1": (spoiled(1, "1 " * 2303 + "-1"), "from -1 to 1"),
    # 2**32 + 5: would be 5 if it were cut to 32 bits.
    "2**32 + 5": (spoiled(1, "1 " * 2303 + "4294967301"), "not in 0..255"),
    "10**30": (spoiled(1, "1 " * 2303 + "1" + "0" * 30), "its pixels"),
    "Usage": (spoiled(2, "Testing"), "its Usage is 'Testing'"),
    "short": ("0,1 2 3", "it has 2 fields, the header has 3"),
    "long": (row(1) + ",", "it has 4 fields, the header has 3"),
    "open quote": ('0,"1 2 3,Training', "not comma-separated text"),
    "NUL": (row(1).replace(" ", "\0", 1), "its pixels"),
    "not UTF-8": (spoiled(2, "Tr\udcffining"), r"its Usage is 'Tr\\xffining'"),
    "no number": (spoiled(1, "²" * 2304), "not all whole numbers"),
    "long field": (spoiled(1, '"' + "1 " * 100_000 + '"'), "not comma-separated text"),
    "endless line": ("1 " * MAX_LINE, "it has 1 fields"),
    "binary": ("\1\2\3\x1b[2J", "it has 1 fields"),
}


@pytest.mark.parametrize(("bad", "message"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_bad_row_is_named_or_left_out_alone(tmp_path, bad, message):
    path = tmp_path / "x.csv"
    # A binary head is another matter, so good rows of 8 KB come first.
    text = "\n".join(["emotion,pixels,Usage", row(0), row(2), bad, row(3)])
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UserError, match=r"x.csv, row 2 \(counted from 0; line 4\)") as error:
        read_csv(path, **OPTIONS)
    assert message in str(error.value)
    assert "--skip_bad_rows" in str(error.value)
    assert len(str(error.value)) < 500  # an endless row is not repeated

    faces, _, remarks = read_csv(path, **SKIP)
    assert seeds_read(faces) == [0, 2, 3]
    assert faces.source_row.tolist() == [0, 1, 3]
    assert remarks[0].startswith("left out 1 bad rows of x.csv; the first: row 2")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the columns nothing"),
        (b"\n\n", "the columns nothing"),
        (b"a,b,c\n", "the columns 'a', 'b', 'c'"),
        (b"emotion;pixels;Usage\n", "separated by commas"),
        (b"emotion,pixels,emotion,Usage\n", "the columns 'emotion', 'pixels', 'emotion'"),
        (b"emotion,pixels\n", "give the folder that holds it and test.csv"),
        (b'"emotion,pixels,Usage\n', "the columns"),
        (b"emotion,\xff\n", r"the columns 'emotion', '\\\\xff'"),
        (b"\x1b[2J,\n", r"the columns '\\x1b\[2J'"),  # a terminal must not obey it
        (b"\x7fELF\0\0\0", "is a binary file"),
        ("emotion,pixels,Usage\n".encode("utf-16"), "is text in UTF-16"),
        ("emotion,pixels,Usage\n".encode("utf-16-le"), "is a binary file"),
    ],
)
def test_file_that_is_no_such_csv_is_refused(tmp_path, content, message):
    (tmp_path / "x.csv").write_bytes(content)
    with pytest.raises(UserError, match=f"x.csv .*{message}"):
        read_csv(tmp_path / "x.csv", **OPTIONS)


def test_endless_line_is_never_held_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_LINE", 10_000)
    path = write(tmp_path / "x.csv", row(0), "," * 95_000, row(1))
    lines = list(module._lines(io.StringIO(path.read_text())))
    assert [len(line) for line in lines] == [21, len(row(0)) + 1, 10_000, len(row(1)) + 1]


def test_progress_counts_rows(tmp_path):
    seen = []

    def track(items, total):
        seen.append(total)
        return items

    read_csv(write(tmp_path / "x.csv", row(0), row(1)), **{**OPTIONS, "track": track})
    assert seen == [2]


def test_separate_files_give_training_and_test(tmp_path):
    train, test = tmp_path / "train.csv", tmp_path / "test.csv"
    lines = ["emotion,pixels", *(row(seed).rpartition(",")[0] for seed in (4, 2))]
    train.write_text("\n".join(lines))
    test.write_text(f"pixels,emotion\n{row(1).split(',')[1]},1\n")
    faces, layout, remarks = read_csv_pair(train, test, **OPTIONS)
    assert seeds_read(faces) == [4, 2, 1]
    assert faces.usage.tolist() == ["Training", "Training", "Test"]
    names = ["train.csv:0000000", "train.csv:0000001", "test.csv:0000000"]
    assert faces.source_name.tolist() == names
    assert faces.source_row.tolist() == [-1, -1, -1]  # rows of other files are not the CSV's
    assert layout == "train.csv and test.csv of the challenge"
    assert "protocol 'official' cannot be used" in remarks[0]


@pytest.mark.parametrize("lacking", ["test.csv has no emotions", "there is no test.csv"])
def test_without_labels_there_is_nothing_to_test_on(tmp_path, lacking):
    train, test = tmp_path / "train.csv", tmp_path / "test.csv"
    train.write_text(f"emotion,pixels\n{row(4).rpartition(',')[0]}\n")
    test.write_text(f"pixels\n{row(1).split(',')[1]}\n")
    faces, layout, remarks = read_csv_pair(
        train, test if "has no" in lacking else None, **OPTIONS
    )
    assert seeds_read(faces) == [4]
    assert layout == "train.csv of the challenge"
    assert remarks[0].startswith(lacking)
    assert "icml_face_data.csv" in remarks[0]


# A NUL near a file's beginning makes it binary.
NOISE = st.text(st.characters(exclude_characters="\0\r\n", exclude_categories=["Cs"]), max_size=20)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_mix_of_rows_gives_the_good_ones_exactly(tmp_path, data):
    columns = data.draw(st.permutations(["emotion", "pixels", "Usage"]))
    newline = data.draw(st.sampled_from(["\n", "\r\n"]))
    quoting = data.draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    text = io.StringIO()
    writer = csv.writer(text, quoting=quoting, lineterminator=newline)
    writer.writerow(columns)
    expected = []
    n_rows = data.draw(st.integers(0, 8))
    for n in range(n_rows):
        fields = dict(
            emotion=str(n % 7),
            pixels=" ".join(map(str, image(n).ravel())),
            Usage=data.draw(st.sampled_from(USAGES)),
        )
        if data.draw(st.booleans()):
            expected.append((n, fields["Usage"]))
        else:
            column = data.draw(st.sampled_from(columns))
            fields[column] = "?" + data.draw(NOISE)  # no good value begins so
        writer.writerow([fields[column] for column in columns])
    path = tmp_path / "x.csv"
    path.write_bytes(text.getvalue().encode())
    faces, _, remarks = read_csv(path, **SKIP)
    assert seeds_read(faces) == [n for n, _ in expected]
    assert faces.source_row.tolist() == [n for n, _ in expected]
    assert faces.usage.tolist() == [usage for _, usage in expected]
    bad = n_rows - len(expected)
    assert len(remarks) == (bad > 0)
    assert not bad or remarks[0].startswith(f"left out {bad} bad rows")
