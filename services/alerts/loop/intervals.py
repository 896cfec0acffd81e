"""Intervals of estimates, by published formulas, at 95 % unless said otherwise. Pure.

* One proportion: the score interval. E. B. Wilson, Journal of the American Statistical Association 22 (1927) 209-212.
* The difference of two proportions: method 10. R. G. Newcombe, Statistics in Medicine 17 (1998) 873-890.
* The difference of two means: B. L. Welch, Biometrika 34 (1947) 28-35, with the quantile of Student's t by expansion
  26.7.5 of Abramowitz and Stegun, Handbook of Mathematical Functions (1964).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist, fmean, variance

CONFIDENCE = 0.95


def wilson_interval(hits: int, number: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the interval of a proportion of `hits` among `number`, which is at least 1."""
    z = _normal_quantile(confidence)
    share = hits / number
    centre = share + z * z / (2 * number)
    reach = z * sqrt(share * (1 - share) / number + z * z / (4 * number * number))
    scale = 1 + z * z / number
    return max(0.0, (centre - reach) / scale), min(1.0, (centre + reach) / scale)


def newcombe_interval(
    first: tuple[int, int], second: tuple[int, int], confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Return the interval of the first proportion less the second, each as hits and number."""
    one, other = first[0] / first[1], second[0] / second[1]
    low_one, high_one = wilson_interval(*first, confidence)
    low_other, high_other = wilson_interval(*second, confidence)
    difference = one - other
    low = difference - sqrt((one - low_one) ** 2 + (high_other - other) ** 2)
    high = difference + sqrt((high_one - one) ** 2 + (other - low_other) ** 2)
    return max(-1.0, low), min(1.0, high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What is known of some measured values: how many, their mean, and their variance (None for fewer than two)."""

    number: int
    mean: float
    variance: float | None


def sample_of(values: Sequence[float]) -> Sample:
    """Return the sample of some values."""
    return Sample(
        number=len(values),
        mean=fmean(values) if values else 0.0,
        variance=variance(values) if len(values) > 1 else None,
    )


def welch_interval(first: Sample, second: Sample, confidence: float = CONFIDENCE) -> tuple[float, float] | None:
    """Return the interval of the first mean less the second; None if either has fewer than two values."""
    if first.variance is None or second.variance is None:
        return None
    of_first, of_second = first.variance / first.number, second.variance / second.number
    difference, spread = first.mean - second.mean, of_first + of_second
    if spread == 0:
        return difference, difference
    freedom = spread**2 / (of_first**2 / (first.number - 1) + of_second**2 / (second.number - 1))
    reach = student_quantile(freedom, confidence) * sqrt(spread)
    return difference - reach, difference + reach


def mean_interval(sample: Sample, confidence: float = CONFIDENCE) -> tuple[float, float] | None:
    """Return the interval of a mean; None if there are fewer than two values."""
    if sample.variance is None:
        return None
    reach = student_quantile(sample.number - 1, confidence) * sqrt(sample.variance / sample.number)
    return sample.mean - reach, sample.mean + reach


def student_quantile(freedom: float, confidence: float = CONFIDENCE) -> float:
    """Return the two-sided quantile of Student's t; with three degrees of freedom or more it is right to 1 %."""
    x = _normal_quantile(confidence)
    terms = (
        (x**3 + x) / 4,
        (5 * x**5 + 16 * x**3 + 3 * x) / 96,
        (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384,
        (79 * x**9 + 776 * x**7 + 1482 * x**5 - 1920 * x**3 - 945 * x) / 92160,
    )
    return x + sum(term / freedom**power for power, term in enumerate(terms, start=1))


def _normal_quantile(confidence: float) -> float:
    return NormalDist().inv_cdf((1 + confidence) / 2)
