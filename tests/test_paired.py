"""McNemar's test against a textbook and scipy; the bootstrap against a binomial's own spread."""

import numpy as np
import pytest
from scipy import stats

from fer_jax import paired


def test_mcnemar_of_a_textbook():
    # Agresti, Categorical Data Analysis: approval of the prime minister, 150 and 86 changed their
    # mind; without correction z^2 = 17.36, with it (64 - 1)^2 / 236 = 16.82.
    found = paired.mcnemar(150, 86)
    assert found["test"] == "chi-square" and found["statistic"] == pytest.approx(16.8178, abs=1e-4)
    assert found["p"] == pytest.approx(4.115e-5, rel=1e-3)


@pytest.mark.parametrize("a, b", [(0, 5), (5, 0), (9, 3), (12, 12)])
def test_few_discordant_faces_are_tested_exactly(a, b):
    # Two-sided: twice the smaller tail of a fair coin, at most 1.
    expected = min(1.0, 2 * stats.binom.cdf(min(a, b), a + b, 0.5))
    found = paired.mcnemar(a, b)
    assert found["test"] == "exact" and found["p"] == pytest.approx(expected)


def test_the_two_tests_meet_where_one_takes_over():
    exact = stats.binomtest(8, 25).pvalue
    assert paired.mcnemar(8, 17)["p"] == pytest.approx(exact, abs=0.005)


def test_equal_models_differ_by_nothing():
    assert paired.mcnemar(0, 0)["p"] == 1.0 == paired.mcnemar(20, 20)["p"]
    right = np.arange(30) % 3 > 0
    assert paired.bootstrap_difference(right, right, seed=0) == (0.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="expected the same"):
        paired.bootstrap_difference(right, right[1:], seed=0)
    with pytest.raises(ValueError, match="no negative count"):
        paired.mcnemar(-1, 3)


def test_the_interval_is_as_wide_as_a_binomials():
    # B is always wrong, so the difference is A's accuracy, a binomial share with p = .7 and
    # sd sqrt(.7 x .3 / 1000) = .01449. 10,000 resamples know a 2.5 % quantile to
    # sqrt(.025 x .975 / 10,000) / density(1.96) = .0016 / .0584 = .027 sd; four of that and half a
    # face's step (.0005 = .035 sd) are allowed.
    right = np.arange(1000) < 700
    found = paired.bootstrap_difference(right, np.zeros(1000, bool), seed=1)
    sd = np.sqrt(0.7 * 0.3 / 1000)
    assert found.value == pytest.approx(0.7)
    for end, sign in ((found.low, -1), (found.high, 1)):
        assert end == pytest.approx(0.7 + sign * 1.96 * sd, abs=(4 * 0.027 + 0.035) * sd)


def test_a_draw_of_counts_is_a_draw_of_faces():
    # Drawn face by face, as the textbook has it; both sample the same distribution, so their
    # quantiles differ by noise: 2,000 resamples, 4 x .06 sd, on a difference of sd .0245.
    generator = np.random.default_rng(0)
    a, b = generator.random(400) < 0.6, generator.random(400) < 0.55
    index = generator.integers(0, 400, (2000, 400))
    by_face = np.percentile((a[index].mean(1) - b[index].mean(1)), (2.5, 97.5))
    found = paired.bootstrap_difference(a, b, seed=0)
    sd = np.std(a.astype(float) - b) / 20
    np.testing.assert_allclose((found.low, found.high), by_face, atol=0.35 * sd)


def test_the_seed_decides_the_interval():
    generator = np.random.default_rng(0)
    a, b = generator.random((2, 300)) < 0.6
    one, again, other = (paired.bootstrap_difference(a, b, seed=s) for s in (0, 0, 1))
    assert one == again and one.value == other.value


def test_counts_and_disagreement_by_hand():
    a, b = np.array([1, 1, 0, 0, 1], bool), np.array([1, 0, 1, 0, 1], bool)
    assert paired.contingency(a, b) == {"both": 2, "only_a": 1, "only_b": 1, "neither": 1}
    answers = np.array([[0, 1, 2, 3], [0, 1, 2, 0], [1, 1, 2, 0]])
    np.testing.assert_allclose(
        paired.disagreement(answers), [[0, 0.25, 0.5], [0.25, 0, 0.25], [0.5, 0.25, 0]]
    )
