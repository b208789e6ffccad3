"""Rules that make one answer of several models' probabilities, fitted on validation faces only."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from fer_jax.errors import UserError
from fer_jax.predictions import (
    LEAST, Predictions, check_same_faces, check_validation, cross_entropy,
)
from fer_jax.stacking import fit_logistic

# Exponents q that the exponential rules choose from; 0 is the simple mean. The exp form's reach as
# far: 200 * (0.67 - 0.60) weighs the better of two models by e^14, so that it decides alone.
POWERS = (0, 1, 2, 4, 8, 16, 32, 64, 128)
RATES = (0, 1, 2, 5, 10, 20, 50, 100, 200)
GREEDY_STEPS, GREEDY_BAGS = 50, 20


class Members(NamedTuple):
    """What the members of an ensemble said of the same faces, in the same order."""

    probabilities: np.ndarray  # f64 [m, n, k]
    labels: np.ndarray  # i32 [n]
    split: str

    @property
    def accuracies(self) -> np.ndarray:
        """Return each member's share of right answers `[m]`."""
        return (self.probabilities.argmax(2) == self.labels).mean(1)

    @property
    def losses(self) -> np.ndarray:
        """Return each member's mean cross-entropy in nats `[m]`."""
        return np.array([cross_entropy(p, self.labels) for p in self.probabilities])


class Fitted(NamedTuple):
    """A rule with what it took from validation: `combine` makes `[m, n, k]` into `[n, k]`."""

    combine: Callable[[np.ndarray], np.ndarray]
    settings: dict[str, Any]  # what was fitted, as JSON values


def fit_rule(name: str, validation: Members, *, seed: int = 0) -> Fitted:
    """Fit the rule `name` of `RULES` on validation faces.

    Raises:
      UserError: the faces are not validation faces.
    """
    check_validation(validation.split, "an ensemble's weights")
    return RULES[name](validation, seed)


def cross_validate(name: str, validation: Members, *, seed: int = 0, folds: int = 5) -> float:
    """Measure a rule by validation faces alone: each answered by a fit on the other folds.

    A rule that is fitted and measured on the same faces looks better the more it fits. This is the
    accuracy by which rules are to be chosen; for those that fit nothing it is the plain one.

    Raises:
      UserError: the faces are not validation faces, or fewer than folds.
    """
    n = len(validation.labels)
    if n < folds:
        raise UserError(f"there are {n} validation faces; an ensemble needs at least {folds}")
    place = np.random.default_rng(seed).permutation(np.arange(n) % folds)
    right = 0
    for fold in range(folds):
        rest, held = (
            Members(validation.probabilities[:, where], validation.labels[where], validation.split)
            for where in (place != fold, place == fold)
        )
        answers = fit_rule(name, rest, seed=seed).combine(held.probabilities).argmax(1)
        right += int((answers == held.labels).sum())
    return right / n


def stack(members: Sequence[Predictions]) -> Members:
    """Put models' predictions of the same faces on one another.

    Raises:
      UserError: there are fewer than two, or their faces differ.
    """
    if len(members) < 2:
        raise UserError(f"an ensemble needs at least two members, not {len(members)}")
    check_same_faces(members)
    probabilities = np.stack([member.probabilities.astype(np.float64) for member in members])
    return Members(probabilities, members[0].labels, members[0].split)


def best_single(validation: Members) -> int:
    """Return the place of the member with the best validation accuracy; on ties, least loss.

    Raises:
      UserError: the faces are not validation faces.
    """
    check_validation(validation.split, "the best single model")
    return min(
        range(len(validation.probabilities)),
        key=lambda i: (-validation.accuracies[i], validation.losses[i], i),
    )


def weighted_mean(probabilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Average `[m, n, k]` with weights `[m]`, which need not add up to 1."""
    return np.einsum("m,mnk->nk", weights / weights.sum(), probabilities)


def geometric_mean(probabilities: np.ndarray) -> np.ndarray:
    """Average the logarithms of `[m, n, k]`; each face's result adds up to 1."""
    logs = np.log(np.maximum(probabilities, LEAST)).mean(0)
    scores = np.exp(logs - logs.max(1, keepdims=True))
    return scores / scores.sum(1, keepdims=True)


def majority_vote(probabilities: np.ndarray) -> np.ndarray:
    """Count the members' answers; where votes tie, the mean probability decides.

    The result is (votes + mean probability) / (m + 1): it adds up to 1, and no difference of
    means outweighs a vote, for it is below 1.
    """
    m, _, k = probabilities.shape
    votes = np.eye(k)[probabilities.argmax(2)].sum(0)
    return (votes + probabilities.mean(0)) / (m + 1)


def class_weighted_mean(probabilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Average each class's channel with its own weights `[m, k]`, then make faces add up to 1.

    A class that no member has a weight for is averaged plainly.
    """
    sums = weights.sum(0)
    shares = np.where(sums > 0, weights / np.where(sums > 0, sums, 1), 1 / len(weights))
    scores = np.einsum("mk,mnk->nk", shares, probabilities)
    return scores / scores.sum(1, keepdims=True)


def power_weights(accuracies: np.ndarray, q: float) -> np.ndarray:
    """Weigh members by accuracy to the power q (Kim et al. 2016); q = 0 weighs all alike.

    Accuracies `[m]` are divided by the best first, which changes no ratio and loses no digits.
    """
    best = accuracies.max()
    return (accuracies / best) ** q if best > 0 else np.ones_like(accuracies)


def exp_weights(accuracies: np.ndarray, q: float) -> np.ndarray:
    """Weigh members by exp(q * accuracy), divided by the best one's."""
    return np.exp(q * (accuracies - accuracies.max()))


def select_greedily(
    validation: Members, *, steps: int, among: np.ndarray | None = None
) -> np.ndarray:
    """Choose members one after another, with replacement (Caruana et al. 2004).

    Each step adds the member that gives the mean of the chosen ones the most right answers on
    validation faces; on ties the least loss, then the first member. Of the `steps` ensembles on
    the way the best one counts by the same order, the smallest on ties. `among` are the places
    that may be chosen, all if None.

    Returns how many times each member was chosen `[m]`.
    """
    among = np.arange(len(validation.probabilities)) if among is None else among
    labels, total = validation.labels, np.zeros(validation.probabilities.shape[1:])
    counts = np.zeros(len(validation.probabilities))
    best, best_counts = (np.inf, np.inf), counts
    for size in range(1, steps + 1):
        tried = [(_score((total + validation.probabilities[i]) / size, labels), i) for i in among]
        score, chosen = min(tried)
        total = total + validation.probabilities[chosen]
        counts = counts + np.eye(len(counts))[chosen]
        if score < best:
            best, best_counts = score, counts
    return best_counts


def select_in_bags(validation: Members, *, steps: int, bags: int, seed: int) -> np.ndarray:
    """Average greedy selections among random halves of the members (Caruana's bagging).

    A member that suits the validation faces by chance is missing from half of the bags.
    """
    m = len(validation.probabilities)
    generator = np.random.default_rng(seed)
    halves = [generator.permutation(m)[: -(-m // 2)] for _ in range(bags)]
    chosen = [select_greedily(validation, steps=steps, among=np.sort(half)) for half in halves]
    return np.mean([counts / counts.sum() for counts in chosen], axis=0)


def _score(probabilities: np.ndarray, labels: np.ndarray) -> tuple[int, float]:
    """Order ensembles: few errors first, then little loss."""
    errors = int((probabilities.argmax(1) != labels).sum())
    return errors, round(cross_entropy(probabilities, labels), 12)


def _with_weights(weights: np.ndarray, **settings: Any) -> Fitted:
    shares = weights / weights.sum()
    return Fitted(
        partial(weighted_mean, weights=shares), {**settings, "weights": shares.tolist()}
    )


def _mean(validation: Members, seed: int) -> Fitted:
    return _with_weights(np.ones(len(validation.probabilities)))


def _geometric(validation: Members, seed: int) -> Fitted:
    return Fitted(geometric_mean, {})


def _vote(validation: Members, seed: int) -> Fitted:
    return Fitted(majority_vote, {})


def _by_accuracy(validation: Members, seed: int) -> Fitted:
    return _with_weights(power_weights(validation.accuracies, 1))


def _by_class_accuracy(validation: Members, seed: int) -> Fitted:
    right = validation.probabilities.argmax(2) == validation.labels
    classes = np.eye(validation.probabilities.shape[2])[validation.labels]
    weights = right @ classes / np.maximum(classes.sum(0), 1)
    return Fitted(partial(class_weighted_mean, weights=weights), {"weights": weights.tolist()})


def _exponential(
    validation: Members, seed: int, *, weigh: Callable, grid: tuple[float, ...]
) -> Fitted:
    """Choose q by validation accuracy; on ties the smallest, which is nearest the simple mean."""
    tried = [weigh(validation.accuracies, q) for q in grid]
    right = [
        (weighted_mean(validation.probabilities, w).argmax(1) == validation.labels).sum()
        for w in tried
    ]
    chosen = int(np.argmax(right))
    return _with_weights(tried[chosen], q=grid[chosen], grid=list(grid))


def _greedy(validation: Members, seed: int) -> Fitted:
    counts = select_greedily(validation, steps=GREEDY_STEPS)
    return _with_weights(counts, chosen=counts.astype(int).tolist(), steps=GREEDY_STEPS)


def _bagged(validation: Members, seed: int) -> Fitted:
    weights = select_in_bags(validation, steps=GREEDY_STEPS, bags=GREEDY_BAGS, seed=seed)
    return _with_weights(weights, bags=GREEDY_BAGS, steps=GREEDY_STEPS)


def _stacked(validation: Members, seed: int) -> Fitted:
    return Fitted(*fit_logistic(validation.probabilities, validation.labels, seed=seed))


RULES = {
    "simple mean": _mean,
    "geometric mean": _geometric,
    "majority vote": _vote,
    "accuracy-weighted": _by_accuracy,
    "class-accuracy-weighted": _by_class_accuracy,
    "accuracy to the power q": partial(_exponential, weigh=power_weights, grid=POWERS),
    "exp(q x accuracy)": partial(_exponential, weigh=exp_weights, grid=RATES),
    "greedy selection": _greedy,
    "greedy selection, bagged": _bagged,
    "stacking": _stacked,
}
# What a rule is, for a reader of the table.
MEANINGS = {
    "simple mean": "mean of the members' probabilities",
    "geometric mean": "mean of their logarithms",
    "majority vote": "most votes; the mean probability decides ties",
    "accuracy-weighted": "weights are the validation accuracies",
    "class-accuracy-weighted": "each class has its own weights: the members' validation recall",
    "accuracy to the power q": f"q chosen of {', '.join(map(str, POWERS))}",
    "exp(q x accuracy)": f"q chosen of {', '.join(map(str, RATES))}",
    "greedy selection": f"members added with replacement, at most {GREEDY_STEPS}",
    "greedy selection, bagged": f"mean of {GREEDY_BAGS} selections among random halves",
    "stacking": "logistic regression on log-probabilities, C by cross-validation",
}
