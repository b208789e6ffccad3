"""Rules of ensembles against examples by hand; none takes a weight from other than validation."""

import numpy as np
import pytest
from scipy import stats

from fer_jax import ensemble_rules as rules
from fer_jax import stacking
from fer_jax.ensemble_rules import Members
from fer_jax.errors import UserError
from tests import told

# Two faces of class 0 and two of class 1, three members and two classes; p of class 0:
FIRST = np.array([[0.9, 0.6, 0.3, 0.2], [0.6, 0.4, 0.4, 0.4], [0.2, 0.4, 0.9, 0.1]])
SMALL = Members(np.stack([FIRST, 1 - FIRST], axis=2), np.array([0, 0, 1, 1]), "validation")


def drawn(*, m=4, n=200, split="validation", seed=0, skills=(0.5, 1.0, 1.5, 2.0)):
    return rules.stack([
        told.predictions(n=n, seed=10 * seed + i, skill=skills[i], split=split, run=f"m{i}")
        for i in range(m)
    ])


def first(fitted):
    """Give the rule's probability of class 0 for each face of SMALL."""
    scores = fitted.combine(SMALL.probabilities)
    np.testing.assert_allclose(scores.sum(1), 1)
    return scores[:, 0]


def test_members_are_measured_by_hand():
    # Right at faces 0 1 2 3; 0 2 3; only 3.
    np.testing.assert_allclose(SMALL.accuracies, [1, 0.75, 0.25])
    assert rules.best_single(SMALL) == 0
    # Members of equal accuracy: the one of less loss, here the more certain of its right answers.
    tied = Members(SMALL.probabilities[[1, 0, 0]] * [[[1, 1]]], SMALL.labels, "validation")
    assert rules.best_single(tied) == 1


def test_means_and_votes_by_hand():
    np.testing.assert_allclose(
        first(rules.fit_rule("simple mean", SMALL)), [17 / 30, 14 / 30, 16 / 30, 7 / 30]
    )
    expected = stats.gmean(SMALL.probabilities, axis=0)
    np.testing.assert_allclose(
        rules.fit_rule("geometric mean", SMALL).combine(SMALL.probabilities),
        expected / expected.sum(1, keepdims=True),
    )
    # Votes for class 0 of three: 2, 1, 1, 0; (votes + mean) / 4.
    np.testing.assert_allclose(
        first(rules.fit_rule("majority vote", SMALL)),
        [(2 + 17 / 30) / 4, (1 + 14 / 30) / 4, (1 + 16 / 30) / 4, (7 / 30) / 4],
    )
    # One vote each: the more certain member decides.
    tie = np.array([[[0.9, 0.1]], [[0.4, 0.6]]])
    assert rules.majority_vote(tie).argmax() == 0


def test_weights_are_validation_accuracies():
    found = rules.fit_rule("accuracy-weighted", SMALL)
    np.testing.assert_allclose(found.settings["weights"], [0.5, 0.375, 0.125])
    # .5 x .9 + .375 x .6 + .125 x .2 for the first face.
    np.testing.assert_allclose(first(found), [0.7, 0.5, 0.4125, 0.2625])


def test_each_class_has_weights_of_its_own():
    # Recall of class 0: 1, .5, 0; of class 1: 1, 1, .5. First face, before adding up to 1:
    # class 0 (.9 + .5 x .6) / 1.5 = .8; class 1 (.1 + .4 + .5 x .8) / 2.5 = .36.
    found = rules.fit_rule("class-accuracy-weighted", SMALL)
    assert found.settings["weights"] == [[1, 1], [0.5, 1], [0, 0.5]]
    assert first(found)[0] == pytest.approx(0.8 / 1.16)
    # A class that nobody ever had right is averaged plainly instead of dividing by zero.
    scores = rules.class_weighted_mean(SMALL.probabilities, np.array([[0, 1], [0, 1], [0, 1.0]]))
    np.testing.assert_allclose(scores[:, 0], SMALL.probabilities.mean(0)[:, 0])


def test_power_and_exponential_weights():
    accuracies = np.array([0.6, 0.3])
    np.testing.assert_allclose(rules.power_weights(accuracies, 2), [1, 0.25])
    np.testing.assert_allclose(rules.exp_weights(accuracies, 10), [1, np.exp(-3)])
    for weigh in (rules.power_weights, rules.exp_weights):
        weights = weigh(accuracies, 0)
        np.testing.assert_allclose(
            rules.weighted_mean(SMALL.probabilities[:2], weights), SMALL.probabilities[:2].mean(0)
        )
        assert np.isfinite(weigh(np.array([1e-3, 0.7]), 200)).all()
    assert rules.power_weights(np.zeros(2), 3).tolist() == [1, 1]


@pytest.mark.parametrize("name", ["accuracy to the power q", "exp(q x accuracy)"])
def test_q_is_the_smallest_of_the_best_on_validation(name):
    # Mean of all: wrong at face 1 (14/30) and 2 (16/30). A large q leaves the first member, which
    # is always right, so the q chosen is the first of the grid that has all four right.
    found = rules.fit_rule(name, SMALL)
    weigh = rules.power_weights if "power" in name else rules.exp_weights
    right = {
        q: (rules.weighted_mean(SMALL.probabilities, weigh(SMALL.accuracies, q)).argmax(1)
            == SMALL.labels).all()
        for q in found.settings["grid"]
    }
    assert found.settings["q"] == next(q for q in found.settings["grid"] if right[q]) > 0
    same = Members(SMALL.probabilities[[0, 0]], SMALL.labels, "validation")
    assert rules.fit_rule(name, same).settings["q"] == 0


def test_greedy_selection_takes_the_best_first_and_comes_back_to_it():
    # The first member alone has all right, and nothing can be better with fewer members.
    found = rules.fit_rule("greedy selection", SMALL)
    assert found.settings["chosen"] == [1, 0, 0]
    # p of the label for three faces. Alone each has 2 right, the first with least loss. With the
    # second it has .6 .6 .5 (a tie goes to class 0, the label), three right, and no step on is
    # better: a member more often than the other loses a face.
    p = np.array([[0.9, 0.8, 0.2], [0.3, 0.4, 0.8]])
    pair = Members(np.stack([p, 1 - p], axis=2), np.zeros(3, int), "validation")
    assert rules.select_greedily(pair, steps=6).tolist() == [1, 1]


def test_greedy_selection_in_bags_never_sees_more_than_half():
    members = drawn()
    weights = rules.select_in_bags(members, steps=5, bags=8, seed=0)
    assert weights.sum() == pytest.approx(1) and (weights > 0).sum() >= 2
    # The best member is in about half of the bags, so it cannot have more than all of those.
    assert weights.max() < 1
    again = rules.select_in_bags(members, steps=5, bags=8, seed=0)
    np.testing.assert_array_equal(weights, again)


def test_stacking_learns_what_no_mean_can(monkeypatch):
    monkeypatch.setattr(stacking, "CANDIDATES", (1e-3, 10.0))
    # The first member names the next class, always: a mean is wrong, a regression is not.
    labels = np.arange(90) % 3
    shifted = 0.8 * np.eye(3)[(labels + 1) % 3] + 0.2 / 3
    noise = np.random.default_rng(0).dirichlet(np.ones(3), 90)
    members = Members(np.stack([shifted, noise]), labels, "validation")
    found = rules.fit_rule("stacking", members)
    assert (found.combine(members.probabilities).argmax(1) == labels).all()
    assert found.settings["C"] == 10.0  # separable faces ask for the weakest penalty
    assert found.settings["held_out_losses"] == sorted(found.settings["held_out_losses"])[::-1]
    # A class without a validation face stays a column, of zeros.
    assert found.combine(np.full((2, 4, 3), 1 / 3)).shape == (4, 3)


def test_stacking_without_enough_faces_says_so():
    with pytest.raises(UserError, match="needs at least 10 validation faces of two classes"):
        rules.fit_rule("stacking", SMALL)


@pytest.mark.parametrize("name", rules.RULES)
@pytest.mark.parametrize("split", ["test", "train", "public"])
def test_no_rule_is_fitted_on_other_faces(name, split):
    with pytest.raises(UserError, match=f"weights must come from the split validation, .*{split}"):
        rules.fit_rule(name, SMALL._replace(split=split))


def test_the_best_single_is_not_chosen_on_test():
    with pytest.raises(UserError, match="the best single model must come"):
        rules.best_single(SMALL._replace(split="test"))


def test_members_of_other_faces_make_no_ensemble():
    said = told.predictions(n=20)
    with pytest.raises(UserError, match="at least two members, not 1"):
        rules.stack([said])
    with pytest.raises(UserError, match="the labels differ at"):
        rules.stack([said, told.predictions(n=20, labels=(said.labels + 1) % 7)])
