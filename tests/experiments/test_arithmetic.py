"""The arithmetic that the ledger says of the papers' numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from experiments import arithmetic
from fer_jax.data.protocols import DICK_COUNTS


@pytest.mark.parametrize(
    "percent, hits, n",
    [
        (24.71, 1774, 7178), (58.78, 4219, 7178), (16.70, 1199, 7178), (57.34, 250, 436),
        (50.00, 218, 436), (86.31, 2648, 3068), (25.8, 1825, 7066),
    ],
)
def test_a_percentage_is_found_as_a_fraction(percent, hits, n):
    decimals = 3 if percent == 25.8 else 4
    found = arithmetic.fraction_of(percent / 100, n, decimals=decimals)
    if percent == 25.8:  # three decimals fit several: the collapsed one is among them
        assert round(hits / n, 3) == 0.258
    else:
        assert found == (hits, n)


def test_what_is_no_fraction_is_told():
    # 1443/5741 = .25135 rounds to .2513, 1444/5741 to .2515.
    assert arithmetic.fraction_of(0.2514, 5741, decimals=4) is None
    assert arithmetic.fraction_of(0.5098, 436, decimals=4) is None
    assert arithmetic.fraction_of(0.5878, 3589, decimals=4) is None


def test_the_collapsed_losses_are_the_priors_entropies():
    # Li: a network that says Training's frequencies of the 7,178; printed 1.8136.
    assert round(arithmetic.entropy(arithmetic.LI_TEST, arithmetic.LI_TRAIN), 4) == 1.8132
    # Dick's AlexNet: printed 1.81.
    assert round(arithmetic.entropy(DICK_COUNTS), 2) == 1.81
    assert arithmetic.entropy((5, 5)) == pytest.approx(np.log(2))


def test_dick_s_classes_add_up_to_another_accuracy():
    hits = arithmetic.dick_hits()
    assert hits == {
        "angry": 560, "disgust": 38, "fear": 401, "happy": 1446, "sad": 729, "surprise": 641,
        "neutral": 701,
    }
    assert round(100 * sum(hits.values()) / sum(DICK_COUNTS), 2) == 63.91


def test_one_answer_for_all_is_scored_as_scikit_learn_does():
    labels = np.repeat(np.arange(7), DICK_COUNTS)
    happy = np.full_like(labels, 3)
    found = arithmetic.always(DICK_COUNTS)
    macro = f1_score(labels, happy, average="macro", zero_division=0)
    weighted = f1_score(labels, happy, average="weighted", zero_division=0)
    assert (found["macro_f1"], found["weighted_f1"]) == pytest.approx((macro, weighted))
    assert (round(macro, 3), round(weighted, 3)) == (0.059, 0.106)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.integers(0, 30), min_size=3, max_size=3), min_size=3, max_size=3))
def test_no_confusion_has_a_lower_macro_f1_than_its_accuracy_forces(rows):
    confusion = np.array(rows)
    support, predicted, hits = confusion.sum(1), confusion.sum(0), np.diag(confusion)
    if not support.all():
        return
    macro = np.mean(2 * hits / (support + predicted))
    accuracy = hits.sum() / confusion.sum()
    assert arithmetic.least_macro_f1(accuracy, tuple(support)) <= macro + 1e-12


def test_the_sizes_under_dick_s_table_come_from_its_layers():
    found = {name: round(size, 2) for name, size in arithmetic.resnet_memory().items()}
    assert found == {
        "input": 0.56, "activations": 1305.50, "parameters": 25.07, "total": 1331.14
    }


def test_every_reason_says_its_numbers():
    said = {ident: reason() for ident, reason in arithmetic.CANNOT_BE_RIGHT.items()}
    assert "1,774/7,178 = 24.71 %" in said["li2023.B.clean.accuracy"]
    assert "only 2 are k/3,589 and all are k/7,178" in said["li2023.data.test.images.text"]
    assert "sum to 4,516, that is 63.91 %" in said["dick2024.resnet.accuracy"]
    assert "at least 0.233" in said["dick2024.resnet.f1"]
    assert "= 4.63" in said["dong2021.raf_db.gain"]
