"""A model card's numbers are those of the run's results, and it says what it does not know."""

import json

import pytest

from fer_jax import model_card
from fer_jax.model_card import describe
from fer_jax.report.model_card import write_card
from fer_jax.report.wording import interval, percent
from fer_jax.trained import SHIPPED, load_trained


@pytest.fixture(scope="module")
def held(finished_study):
    return json.loads((finished_study[0] / "A" / "results.json").read_text())


def test_every_accuracy_stands_with_its_interval(held):
    text = write_card(describe(held, image_shape=(48, 48, 1)))
    for entry in held["evaluations"]:
        assert f"{percent(entry['accuracy'])} ({interval(entry)})" in text
    assert f"- Seed: {held['seed']}; one run" in text and held["commit"] in text
    assert "no number here is of real ones" in text  # the tiny study's faces are drawn


def test_the_rows_by_class_are_the_confusions(held):
    text = write_card(describe(held, image_shape=(48, 48, 1)))
    clean = next(
        e for e in held["evaluations"] if (e["split"], e["distortion"]) == ("test", "clean")
    )
    for i, name in enumerate(("angry", "disgust", "fear")):
        faces = sum(clean["confusion"][i])
        right = f"{100 * clean['confusion'][i][i] / faces:.1f} % ("
        rows = [line for line in text.splitlines() if line.startswith(f"| {name} | {faces} | ")]
        assert any(row.split(" | ")[2].startswith(right) for row in rows)


def test_what_is_not_of_the_runs_own_evaluation_is_left_out(held):
    entry = held["evaluations"][0]
    others = [
        entry | {"weights": "raw"}, entry | {"distortion": "fog"}, entry | {"views": "ten_crop"},
        entry | {"draws": 10}, entry | {"filter": "median:3"},
    ]
    more = held | {"evaluations": held["evaluations"] + others}
    assert describe(more, image_shape=(48, 48, 1)) == describe(held, image_shape=(48, 48, 1))


def test_the_command_does_not_say_where_on_a_disk_it_ran(held):
    ran = "python -m fer_jax.main --config=c.py --workdir=/home/me/x/shipped --data_dir=/data/fer"
    described = describe(held | {"command": ran}, image_shape=(48, 48, 1))
    assert described["command"] == "python -m fer_jax.main --config=c.py --workdir=runs/shipped"


def test_a_card_of_nothing_says_so():
    assert "Nothing is known of how this model was trained" in write_card({"run": "x"})


def test_the_command_prints_it_or_writes_it(held, finished_study, tmp_path, capsys):
    workdir = str(finished_study[0] / "A")
    assert model_card.main([workdir]) == 0
    text = capsys.readouterr().out
    assert text == write_card(describe(held, image_shape=(48, 48, 1)))
    assert model_card.main([workdir, f"--out={tmp_path / 'card.md'}"]) == 0
    assert (tmp_path / "card.md").read_text() == text
    assert model_card.main([str(tmp_path)]) == 1
    assert "has no results.json" in capsys.readouterr().err


def test_the_shipped_card_is_the_shipped_models():
    if not SHIPPED.is_file():
        pytest.skip(f"the shipped weights are not at {SHIPPED} yet")
    card = load_trained().card
    assert SHIPPED.with_suffix(".md").read_text() == write_card(card)
    assert card["model"] == "resnet9" and card["protocol"] == "official-clean"
