"""Student's t and Fisher's F for small samples, from the incomplete beta function."""

from __future__ import annotations

from functools import lru_cache
from math import exp, lgamma, log, log1p

STEPS = 300
TINY = 1e-300


def incomplete_beta(a: float, b: float, x: float) -> float:
    """Regularised I_x(a, b), by Lentz's continued fraction (Numerical Recipes, section 6.4)."""
    if x <= 0:
        return 0.0
    if x > (a + 1) / (a + b + 2):
        return 1 - incomplete_beta(b, a, 1 - x)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)) / a
    c, d = 1.0, 1 / _away_from_zero(1 - (a + b) * x / (a + 1))
    fraction = d
    for m in range(1, STEPS):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _away_from_zero(1 + term * d)
            c = _away_from_zero(1 + term / c)
            fraction *= c * d
        if abs(c * d - 1) < 1e-14:
            break
    return front * fraction


def _away_from_zero(value: float) -> float:
    return value if abs(value) > TINY else TINY


def two_sided(t: float, dof: float) -> float:
    """Chance that |t| of Student's distribution is at least this."""
    return incomplete_beta(dof / 2, 0.5, dof / (dof + t * t))


@lru_cache(maxsize=4096)
def quantile(error: float, dof: float) -> float:
    """|t| that is exceeded with this chance, both tails together.

    >>> round(quantile(0.05, 10), 3), round(quantile(0.001, 4), 3), round(quantile(0.05, 1), 2)
    (2.228, 8.61, 12.71)
    """
    low, high = 0.0, 1.0
    while two_sided(high, dof) > error:
        high *= 2
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if two_sided(middle, dof) > error else (low, middle)
    return high


def f_exceeds(ratio: float, upper: float, lower: float) -> float:
    """Chance that a ratio of two equal variances with these degrees of freedom is at least this.

    >>> round(f_exceeds(2.866, 4, 20), 3)
    0.05
    """
    return incomplete_beta(lower / 2, upper / 2, lower / (lower + upper * ratio))


# Croux and Rousseeuw 1992, "Time-efficient algorithms for two highly robust estimators of scale":
# factors that make Qn unbiased for normal samples of 2 to 9, then n/(n+1.4) and n/(n+3.8).
SMALL = (0.399, 0.994, 0.512, 0.844, 0.611, 0.857, 0.669, 0.872)
MOST = 100
EFFICIENCY = 0.82
"""Of Qn against the standard deviation, for normal samples: what a value is worth in degrees of freedom."""


def robust_deviation(values: list[float]) -> float:
    """Spread of most values (Qn): a change in up to half of them is not taken for noise."""
    step = max(1.0, len(values) / MOST)
    some = [values[int(i * step)] for i in range(min(len(values), MOST))]
    n = len(some)
    if n < 2:
        return 0.0
    apart = sorted(abs(a - b) for i, a in enumerate(some) for b in some[i + 1 :])
    half = n // 2 + 1
    raw = 2.2219 * apart[half * (half - 1) // 2 - 1]
    if n <= 9:
        return raw * SMALL[n - 2]
    return raw * (n / (n + 1.4) if n % 2 else n / (n + 3.8))


def effective(contributions: list[tuple[float, float]]) -> tuple[float, float]:
    """Sum of variances and its degrees of freedom (Welch and Satterthwaite); (variance, dof) each, at least one."""
    total = sum(v for v, _ in contributions)
    if total == 0:
        return 0.0, max(d for _, d in contributions)
    return total, total**2 / sum(v * v / d for v, d in contributions)
