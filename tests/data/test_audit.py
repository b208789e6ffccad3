"""The audit: numbers on planted faults and on the real faces, tables, JSON, picture, mask."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from fer_jax.data import load_splits
from fer_jax.data.audit import audit, main
from fer_jax.data.duplicates import Pairs
from fer_jax.data.faces import canonical_order, load_faces, save_faces, take
from fer_jax.data.findings import describe, examine
from fer_jax.data.masks import Mask, save_mask
from fer_jax.errors import UserError


@pytest.fixture
def planted(made_faces):
    """Give 126 faces of noise in which every fault is planted once, in the order of made_faces."""
    images = np.random.default_rng(1).integers(0, 256, made_faces.images.shape, np.uint8)
    faces = made_faces._replace(images=images)

    def some(usage, emotion):
        return np.flatnonzero((faces.usage == usage) & (faces.emotion == emotion))

    training, public, private = (
        [some(u, e) for e in range(7)] for u in ("Training", "PublicTest", "PrivateTest")
    )
    images[private[3][:2]] = images[training[3][0]]  # two happy ones stand in Training
    images[public[5][0]] = images[training[5][0]]  # and a surprised one
    images[private[4][0]] = images[public[4][0]]  # a sad one stands in PublicTest
    images[training[0][1]] = images[training[0][0]]  # a repeat in Training
    images[training[2][0]] = images[training[1][0]]  # fear and disgust for the same pixels
    images[private[6][0]] = images[training[6][0]][:, ::-1]  # a mirrored neutral one
    images[public[6][0]] = images[training[6][1]] // 2 + 30  # one of less contrast
    images[training[0][5]] = 0
    images[public[0][0]] = 255
    return faces


@pytest.fixture
def prepared(planted, tmp_path):
    save_faces(tmp_path / "fer2013.npz", take(planted, canonical_order(planted)))
    return tmp_path


def test_every_planted_fault_is_found_and_no_other(planted):
    report = describe(planted, examine(planted))
    assert report["images"] == 126 and report["shape"] == [48, 48]
    assert report["counts"]["Training"]["disgust"] == 11
    assert report["constant"]["images"] == 2
    assert report["constant"]["by_usage"] == {"Training": 1, "PublicTest": 1, "PrivateTest": 0}
    # Groups: happy x3, surprise x2, sad x2, angry x2, fear and disgust x2.
    identical = report["identical"]
    assert (identical["groups"], identical["redundant"]) == (5, 6)
    assert sorted(map(len, identical["faces"])) == [2, 2, 2, 2, 3]
    for group in identical["faces"]:
        assert all((planted.images[i] == planted.images[group[0]]).all() for i in group)
    # Beyond the first: an angry face, and fear beside disgust; the second of two happy ones.
    within = {"Training": 2, "PublicTest": 0, "PrivateTest": 1}
    assert identical["redundant_within"] == within
    assert identical["across"] == [
        {"usage": "PublicTest", "in": "Training", "images": 1},
        {"usage": "PrivateTest", "in": "Training", "images": 2},
        {"usage": "PrivateTest", "in": "PublicTest", "images": 1},
    ]
    assert (report["conflicting"]["groups"], report["conflicting"]["images"]) == (1, 2)
    assert set(planted.emotion[report["conflicting"]["faces"][0]]) == {1, 2}
    near = report["near_copies"]
    assert (near["pairs"], near["mirrored"], near["images"]) == (2, 1, 4)
    assert all(set(planted.emotion[[p["first"], p["second"]]]) == {6} for p in near["faces"])


def test_leaks_are_shares_of_each_emotion(planted):
    leaked = describe(planted, examine(planted))["leaked"]
    assert set(leaked) == {"PublicTest", "PrivateTest"}  # 3 and 4 faces of each emotion
    happy, neutral = (leaked["PrivateTest"]["by_emotion"][n] for n in ("happy", "neutral"))
    assert happy == dict(images=4, identical=2, identical_share=0.5, near=0, near_share=0.0)
    assert neutral == dict(images=4, identical=0, identical_share=0.0, near=1, near_share=0.25)
    assert leaked["PrivateTest"]["identical"] == 2 and leaked["PrivateTest"]["images"] == 28
    assert leaked["PublicTest"]["by_emotion"]["surprise"]["identical_share"] == 1 / 3
    assert leaked["PublicTest"]["by_emotion"]["neutral"]["near_share"] == 1 / 3


def test_a_near_copy_of_an_identical_one_is_counted_once(planted):
    # The happy PrivateTest face is identical to one in Training, and near to another there.
    happy = np.flatnonzero((planted.usage == "Training") & (planted.emotion == 3))
    planted.images[happy[1]] = planted.images[happy[0]] // 2 + 60
    report = describe(planted, examine(planted))
    assert report["near_copies"]["pairs"] == 3
    assert report["leaked"]["PrivateTest"]["by_emotion"]["happy"]["near"] == 0


def test_the_command_writes_json_and_picture_and_fits_80_columns(prepared, capsys):
    out = prepared / "out" / "audit.json"
    assert main(["fer2013", f"--data_dir={prepared}", f"--json={out}"]) == 0
    printed = capsys.readouterr()
    assert max(map(len, printed.out.replace(str(prepared), "").splitlines())) <= 80
    assert "6 redundant images of 126" in printed.out
    assert "official-strict: 25 test images are left" in printed.out  # of 28 two, then one
    assert "11 (3,995)" in printed.out  # angry in Training, and officially
    assert "near-copies" in printed.err
    # Strict: no NaN, no Infinity.
    report = json.loads(out.read_text(), parse_constant=pytest.fail)
    assert report["dataset"] == "fer2013" and report["schema"] == 1
    assert report["left"] == {"official-clean": 26, "official-strict": 25}
    assert report["official_counts"]["Training"]["by_emotion"]["disgust"] == 436
    with Image.open(out.with_suffix(".png")) as picture:
        assert picture.width == 1328  # 8.3 inches at 160 dpi
        # Bars and six rows of examples: nothing planted is left out.
        assert picture.height == pytest.approx(160 * (0.4 + 2.55 + 6 * 0.94 + 0.2), abs=2)
        assert (np.asarray(picture.convert("L")) < 250).mean() > 0.1
    assert sorted(os.listdir(out.parent)) == ["audit.json", "audit.png"]


def test_without_flags_nothing_is_written(prepared, capsys):
    before = sorted(os.listdir(prepared))
    report = audit("fer2013", data_dir=prepared)
    assert report["identical"]["redundant"] == 6
    assert "wrote" not in capsys.readouterr().out
    assert sorted(os.listdir(prepared)) == before


def test_the_mask_feeds_the_protocols_without_copies(prepared, planted):
    assert main(["fer2013", f"--data_dir={prepared}", "--write_mask"]) == 0
    path = prepared / "fer2013.mask.npz"
    assert path.is_file()
    for protocol, left in (("official-clean", 26), ("official-strict", 25)):
        with_mask = load_splits("fer2013", protocol=protocol, data_dir=prepared)
        assert len(with_mask["test"].labels) == left
        assert len(with_mask["private"].labels) == 28
    # Only a mask that was read can say that there are no copies.
    faces = load_faces(prepared / "fer2013.npz")
    save_mask(path, faces, Mask(np.array(["Training"]), np.zeros((126, 1), bool)))
    splits = load_splits("fer2013", protocol="official-clean", data_dir=prepared)
    assert len(splits["test"].labels) == 28

    save_faces(prepared / "fer2013.npz", planted)  # prepared in another order
    with pytest.raises(UserError, match="another preparation"):
        load_splits("fer2013", protocol="official-clean", data_dir=prepared)
    assert main(["fer2013", f"--data_dir={prepared}", "--write_mask"]) == 0
    without = load_splits("fer2013", protocol="official-clean", data_dir=prepared)
    path.unlink()
    again = load_splits("fer2013", protocol="official-clean", data_dir=prepared)
    np.testing.assert_array_equal(without["test"].rows, again["test"].rows)


def test_colour_faces_with_one_test_split(planted, tmp_path, capsys):
    images = np.repeat(planted.images[..., None], 3, axis=-1)
    usage = np.where(planted.usage == "Training", "Training", "Test")
    save_faces(tmp_path / "raf_db.npz", planted._replace(images=images, usage=usage))
    assert main(["raf_db", f"--data_dir={tmp_path}", f"--json={tmp_path / 'a.json'}"]) == 0
    report = json.loads((tmp_path / "a.json").read_text())
    assert report["shape"] == [48, 48, 3]
    assert report["leaked"]["Test"]["identical"] == 3
    assert report["near_copies"]["pairs"] == 2
    assert report["left"] == {}  # there is no PrivateTest to leave anything of
    assert "49 (3,068)" in capsys.readouterr().out  # all of Test, and of RAF-DB's own


def test_faces_without_any_fault(made_faces, tmp_path):
    faces = take(made_faces, np.flatnonzero(made_faces.usage == "PublicTest"))
    images = np.random.default_rng(2).integers(0, 256, faces.images.shape, np.uint8)
    save_faces(tmp_path / "other.npz", faces._replace(images=images))
    report = audit("other", data_dir=tmp_path, json_path=tmp_path / "a.json")
    assert report["identical"]["redundant"] == report["near_copies"]["pairs"] == 0
    assert report["leaked"]["PublicTest"]["identical"] == 0
    assert (tmp_path / "a.png").is_file()


def test_a_face_of_unknown_count_is_told_from_none(planted, tmp_path):
    happy = take(planted, np.flatnonzero(planted.emotion == 3))
    save_faces(tmp_path / "happy.npz", happy)
    report = audit("happy", data_dir=tmp_path, json_path=tmp_path / "a.json")
    sad = report["leaked"]["PrivateTest"]["by_emotion"]["sad"]
    assert sad == dict(images=0, identical=0, identical_share=None, near=0, near_share=None)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["fer2013", "--data_dir={nowhere}"], 1, "fer_jax.data.prepare fer2013"),
        (["fer2031", "--data_dir={nowhere}"], 1, "Did you mean 'fer2013'"),
        (["synthetic", "--data_dir={nowhere}"], 1, "drawn anew"),
        (["fer2013", "--data_dir={here}", "--json={here}"], 1, "cannot write"),
        (["fer2013", "--data_dir={here}", "--json={here}/fer2013.npz/a.json"], 1, "cannot write"),
        (["fer2013", "--data_dir={here}", "--json={here}/a.png"], 2, "is where the picture goes"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_message(prepared, capsys, arguments, code, message):
    places = dict(here=prepared, nowhere=prepared / "nowhere")
    before = sorted(os.listdir(prepared))
    assert main([argument.format(**places) for argument in arguments]) == code
    assert message in capsys.readouterr().err
    assert sorted(os.listdir(prepared)) == before


def test_a_damaged_dataset_is_refused(prepared, capsys):
    path = prepared / "fer2013.npz"
    path.write_bytes(path.read_bytes()[:1000])
    assert main(["fer2013", f"--data_dir={prepared}"]) == 1
    assert "cannot be read as a prepared dataset" in capsys.readouterr().err


def test_the_real_faces_have_the_faults_that_are_known(real_faces, monkeypatch):
    # Near-copies take long on all faces, and have a test of their own.
    nothing = Pairs(*(np.zeros(0, kind) for kind in (int, int, bool, float)))
    monkeypatch.setattr("fer_jax.data.findings.find_near_copies", lambda images, **_: nothing)
    report = describe(real_faces, examine(real_faces))
    assert report["identical"]["redundant"] == 1853
    assert report["identical"]["groups"] == 35887 - 1853 - 32518  # distinct, less those seen once
    leaked = {usage: entry["identical"] for usage, entry in report["leaked"].items()}
    assert leaked == {"PublicTest": 280, "PrivateTest": 288}
    assert report["left"] == {"official-clean": 3301, "official-strict": 3275}
    assert report["conflicting"]["groups"] == 57
    assert report["constant"]["images"] == 12
    # The classes that leak most: 28 % of "surprise" and 29 % of "disgust".
    shares = report["leaked"]["PrivateTest"]["by_emotion"]
    assert round(100 * shares["surprise"]["identical_share"]) == 28
    assert round(100 * shares["disgust"]["identical_share"]) == 29
