"""Alarms of an evaluation: each rings for what it is for, and a right one rings none."""

import jax.numpy as jnp
import numpy as np
import pytest

from fer_jax import evaluate, metrics, results
from fer_jax.data.faces import Faces
from fer_jax.data.official_counts import PRIVATE, PUBLIC
from fer_jax.data.protocols import split_indices
from fer_jax.evaluation_alarms import (
    CHOOSE_ON_PUBLIC, condense_evaluations, find_evaluation_alarms,
)

FER2013 = {"dataset": "fer2013", "protocol": "official"}


def entry(confusion, *, loss=1.2, split="test", **changes):
    """Make an element of `evaluations` from counts, as results.json has it."""
    counts = np.asarray(confusion)
    held = metrics.Confusion(
        jnp.asarray(counts, jnp.int32), jnp.float32(loss * counts.sum()), jnp.int32(counts.sum())
    )
    where = {"split": split, "views": "plain", "distortion": "clean", "strength": 0.0, "draws": 1}
    return where | metrics.summarise(held) | changes


def mostly_right(support):
    """Count 60 % of each class right and the others as the next class."""
    right = [int(0.6 * n) for n in support]
    wrong = [n - r for n, r in zip(support, right, strict=True)]
    return np.diag(right) + np.roll(np.diag(wrong), 1, axis=1)


def always(emotion, support):
    confusion = np.zeros((len(support), len(support)), int)
    confusion[:, emotion] = support
    return confusion


def test_a_right_evaluation_rings_none():
    assert find_evaluation_alarms(entry(mostly_right(PRIVATE)), counts=PRIVATE, **FER2013) == []
    # A network with an eighth output that it never needs.
    eight = np.pad(mostly_right(PRIVATE), (0, 1))
    assert find_evaluation_alarms(entry(eight), counts=(*PRIVATE, 0), **FER2013) == []


def test_a_collapse_is_named_with_its_share():
    assert find_evaluation_alarms(entry(always(3, PRIVATE)), **FER2013) == [
        "collapse: every face is called happy"
    ]
    # 20 of 3,589 faces otherwise: 99.4 % are called happy.
    nearly = always(3, PRIVATE)
    nearly[0, 3] -= 20
    nearly[0, 0] += 20
    assert find_evaluation_alarms(entry(nearly), **FER2013) == [
        "collapse: 99.4 % of the faces are called happy"
    ]


def test_the_priors_entropy_rings_only_for_a_blind_network():
    share = np.array(PRIVATE) / sum(PRIVATE)
    prior = float(-(share * np.log(share)).sum())
    blind = mostly_right(PRIVATE)[:, ::-1]  # few are right
    assert find_evaluation_alarms(entry(blind, loss=prior * 1.003), **FER2013) == [
        f"collapse: the loss is the entropy of the class prior, {prior:.4f}"
    ]
    assert find_evaluation_alarms(entry(mostly_right(PRIVATE), loss=prior), **FER2013) == []


def test_li_s_hybrid_b_rings_both():
    # Table 4: 1.8136 and 24.71 % of 7,178 faces, 1,774 of which are happy; the entropy of those
    # faces is 1.8128.
    both = tuple(a + b for a, b in zip(PUBLIC, PRIVATE, strict=True))
    found = find_evaluation_alarms(
        entry(always(3, both), loss=1.8136), dataset="fer2013", protocol="keras80"
    )
    assert found == [
        "collapse: every face is called happy",
        "collapse: the loss is the entropy of the class prior, 1.8128",
    ]


def test_faces_that_the_split_does_not_have_are_told():
    # Public and private swapped; known from the paper even if nothing was loaded.
    (alarm,) = find_evaluation_alarms(entry(mostly_right(PUBLIC)), **FER2013)
    assert "rows sum to 467/56/496/895/653/415/607, and the split has 491/55/528" in alarm
    # A batch dropped: the rows are not those of the faces that were loaded.
    short = entry(mostly_right((10, 10, 2)))
    loaded = {"dataset": "own", "protocol": "source", "counts": (10, 10, 4)}
    assert len(find_evaluation_alarms(short, **loaded)) == 1
    # A part of the dataset, as config.data.sizes asks for, cannot have the published counts.
    assert find_evaluation_alarms(entry(mostly_right((9,) * 7)), whole=False, **FER2013) == []
    # A DAE classifies nothing; its faces are counted all the same.
    dae = entry(np.eye(7, dtype=int)) | {"n": 3588, "confusion": None}
    assert find_evaluation_alarms(dae, **FER2013) == [
        "counts: 3588 faces were counted, and the split has 3589"
    ]


def test_an_accuracy_that_the_recalls_do_not_give_is_told():
    wrong = entry(mostly_right(PRIVATE)) | {"accuracy": 0.681}
    (alarm,) = find_evaluation_alarms(wrong, **FER2013)
    assert alarm.startswith("accuracy: 0.6810 is not the support-weighted recall, 0.59")


@pytest.fixture(scope="module")
def faces():
    """Give 126 distinct faces, every emotion in every usage."""
    usage = np.repeat(["Training", "PublicTest", "PrivateTest"], 42)
    images = np.random.default_rng(0).integers(0, 256, (126, 8, 8), np.uint8)
    emotion = np.tile(np.arange(7, dtype=np.uint8), 18)
    return Faces(images, emotion, usage, np.full(126, ""), np.arange(126))


PROTOCOLS = ("official", "official-clean", "official-strict", "keras80", "ratio:50-25-25")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_split_that_chose_the_epoch_rings_and_no_other(faces, protocol):
    splits = split_indices(faces, protocol)
    for name, index in splits.items():
        # By the faces themselves: which splits share any with the validation split?
        shares = np.intersect1d(index, splits["validation"]).size > 0
        found = find_evaluation_alarms(
            entry(mostly_right((10, 10, 10)), split=name), dataset="own", protocol=protocol
        )
        assert [a for a in found if a.startswith("choosing:")] == found
        assert bool(found) == (shares and name != "validation")
    assert (protocol in CHOOSE_ON_PUBLIC) == protocol.startswith("official")


def test_a_runs_evaluations_are_told_in_one_line_for_each_alarm():
    strengths = (0.05, 0.1, 0.2, 0.3, 0.5)
    noisy = [
        {"split": "test", "views": "plain", "distortion": "random_grey", "strength": s,
         "alarms": ["a"]} for s in strengths
    ]
    crop = noisy[0] | {"split": "private", "distortion": "clean", "views": "ten_crop"}
    assert condense_evaluations([*noisy, crop | {"alarms": ["b"]}, {"split": "old"}]) == [
        "a (test random_grey 0.05, test random_grey 0.1, test random_grey 0.2, "
        "test random_grey 0.3 and 1 more)",
        "b (private clean ten_crop)",
    ]


def test_the_command_prints_them(monkeypatch, capsys, tmp_path):
    told = entry(always(3, PRIVATE)) | {"alarms": ["collapse: every face is called happy"]}
    monkeypatch.setattr("fer_jax.finished.add_evaluation", lambda *args, **fields: told)
    assert evaluate.main([f"--workdir={tmp_path}", "--split=private"]) in (None, 0)
    # 879 of PrivateTest's 3,589 faces are happy.
    assert capsys.readouterr().out.splitlines() == [
        "private clean: loss 1.2000, accuracy 0.2449",
        "alarm: collapse: every face is called happy",
    ]


def test_a_finished_run_warns_of_them_once(monkeypatch):
    said = []
    monkeypatch.setattr(results.logging, "warning", lambda text, *args: said.append(text % args))
    told = entry(always(3, PRIVATE)) | {"alarms": ["a"]}
    results.warn_of({"run": "vgg", "evaluations": [told, told | {"split": "private"}]})
    assert said == ["vgg: a (test clean, private clean)"]
