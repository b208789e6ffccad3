"""Compare two models on the same faces: McNemar's test and the paired bootstrap."""

from typing import Any, NamedTuple

import numpy as np
import scipy

# Below so many discordant faces the chi-square is no good approximation of the binomial.
FEW = 25
RESAMPLES = 10_000


class Difference(NamedTuple):
    """An accuracy minus another one's, 0..1, with its 95 % interval."""

    value: float
    low: float
    high: float


def mcnemar(only_a: int, only_b: int) -> dict[str, Any]:
    """Test whether two models are equally often right (McNemar 1947).

    Only the discordant faces count: those that A alone and those that B alone has right. Under 25
    of them the test is the exact two-sided binomial one, else the chi-square with one degree of
    freedom and Edwards' continuity correction, (|a - b| - 1)^2 / (a + b).

    Returns `p`, `test` ("exact" or "chi-square") and `statistic` (None where exact).

    Raises:
      ValueError: a negative count.
    """
    if min(only_a, only_b) < 0:
        raise ValueError(f"got {only_a} and {only_b} discordant faces; expected no negative count")
    discordant = only_a + only_b
    if discordant < FEW:
        p = scipy.stats.binomtest(only_a, discordant).pvalue if discordant else 1.0
        return {"test": "exact", "statistic": None, "p": float(p)}
    statistic = max(abs(only_a - only_b) - 1, 0) ** 2 / discordant
    return {
        "test": "chi-square", "statistic": statistic, "p": float(scipy.stats.chi2.sf(statistic, 1)),
    }


def bootstrap_difference(
    right_a: np.ndarray, right_b: np.ndarray, *, seed: int, resamples: int = RESAMPLES
) -> Difference:
    """Resample faces, for both models the same ones, and take the accuracies' difference A - B.

    `right_a` and `right_b` are bool `[n]`. Each face's difference is -1, 0 or 1, so a resample of n
    faces is a multinomial draw of how often each of the three comes: the same distribution as
    drawing faces, without indices `[resamples, n]`. The interval is the percentile one.

    Raises:
      ValueError: the two do not have the same number of faces, or none.
    """
    if right_a.shape != right_b.shape or not right_a.size:
        raise ValueError(f"got {right_a.shape} and {right_b.shape} faces; expected the same, n > 0")
    n = len(right_a)
    ahead, behind = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    shares = np.array([ahead, behind, n - ahead - behind]) / n
    drawn = np.random.default_rng(seed).multinomial(n, shares, size=resamples)
    low, high = np.percentile((drawn[:, 0] - drawn[:, 1]) / n, (2.5, 97.5))
    return Difference((ahead - behind) / n, float(low), float(high))


def contingency(right_a: np.ndarray, right_b: np.ndarray) -> dict[str, int]:
    """Count the faces that both, one alone or none has right."""
    return {
        "both": int((right_a & right_b).sum()),
        "only_a": int((right_a & ~right_b).sum()),
        "only_b": int((~right_a & right_b).sum()),
        "neither": int((~right_a & ~right_b).sum()),
    }


def disagreement(answers: np.ndarray) -> np.ndarray:
    """Compute the share of faces on which each pair of models `[m, n]` answers differently."""
    return (answers[:, None] != answers[None]).mean(2)
