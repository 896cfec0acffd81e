"""Intervals against the worked examples of those who published them."""

import pytest

from services.alerts.loop.intervals import (
    mean_interval,
    newcombe_interval,
    sample_of,
    student_quantile,
    welch_interval,
    wilson_interval,
)

# R. G. Newcombe, Two-sided confidence intervals for the single proportion, Statistics in Medicine 17 (1998), Table I,
# method 3
SINGLE = [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]
# the same, Interval estimation for the difference between independent proportions, Table II, method 10
DIFFERENCES = [
    ((56, 70), (48, 80), 0.0524, 0.3339),
    ((9, 10), (3, 10), 0.1705, 0.8090),
    ((6, 7), (2, 7), 0.0582, 0.8062),
    ((5, 56), (0, 29), -0.0381, 0.1926),
    ((0, 10), (0, 20), -0.1611, 0.2775),
    ((0, 10), (0, 10), -0.2775, 0.2775),
    ((10, 10), (0, 20), 0.6791, 1.0),
    ((10, 10), (0, 10), 0.6075, 1.0),
]
# Student's data of sleep (Biometrika 6 (1908)), as R's manual of t.test tells them
DRUG_1 = (0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0)
DRUG_2 = (1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4)
# two-sided 95 % points of Student's t, as printed in every table of it
T_TABLE = [(5, 2.571), (10, 2.228), (15, 2.131), (20, 2.086), (30, 2.042), (60, 2.000), (120, 1.980)]


@pytest.mark.parametrize(("hits", "number", "low", "high"), SINGLE)
def test_one_proportion(hits: int, number: int, low: float, high: float) -> None:
    assert wilson_interval(hits, number) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("first", "second", "low", "high"), DIFFERENCES)
def test_the_difference_of_two_proportions(
    first: tuple[int, int], second: tuple[int, int], low: float, high: float
) -> None:
    assert newcombe_interval(first, second) == pytest.approx((low, high), abs=5e-5)


def test_a_proportion_never_leaves_its_bounds() -> None:
    assert 0.9 < wilson_interval(38, 38)[0] < wilson_interval(38, 38)[1] <= 1.0
    assert wilson_interval(0, 77)[0] == 0.0


@pytest.mark.parametrize(("freedom", "quantile"), T_TABLE)
def test_students_t(freedom: int, quantile: float) -> None:
    assert student_quantile(freedom) == pytest.approx(quantile, abs=1e-3)


def test_the_difference_of_two_means() -> None:
    assert welch_interval(sample_of(DRUG_1), sample_of(DRUG_2)) == pytest.approx((-3.3654832, 0.2054832), abs=1e-4)


def test_one_mean() -> None:
    """R: t.test(extra) of group 2: 2.33, 0.8976775 to 3.7623225."""
    assert mean_interval(sample_of(DRUG_2)) == pytest.approx((0.8976775, 3.7623225), abs=2e-3)


def test_too_few_values_have_no_interval() -> None:
    assert welch_interval(sample_of((1.0,)), sample_of(DRUG_2)) is None
    assert mean_interval(sample_of(())) is None


def test_equal_values_have_no_spread() -> None:
    assert welch_interval(sample_of((2.0, 2.0)), sample_of((1.0, 1.0))) == (1.0, 1.0)
