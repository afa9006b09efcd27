"""Quantiles against published tables; the robust scale on samples of known spread."""

import random
from math import exp, inf, isclose, lgamma, pi, tan

import pytest

from ncu_roofline.analysis.compare.student import (
    MOST,
    effective,
    f_exceeds,
    incomplete_beta,
    quantile,
    robust_deviation,
    two_sided,
)


@pytest.mark.parametrize(
    ("error", "dof", "published"),
    [(0.05, 1, 12.706), (0.05, 10, 2.228), (0.01, 4, 4.604), (0.001, 4, 8.610), (0.001, 30, 3.646), (0.05, 1000, 1.962)],
)
def test_quantiles_are_those_of_the_published_table_of_t(error: float, dof: float, published: float) -> None:
    assert quantile(error, dof) == pytest.approx(published, abs=5e-4)


@pytest.mark.parametrize(("upper", "lower", "published"), [(4, 20, 2.866), (1, 10, 4.965), (10, 10, 2.978), (5, 60, 2.368)])
def test_five_per_cent_points_are_those_of_the_published_table_of_f(upper: float, lower: float, published: float) -> None:
    assert f_exceeds(published, upper, lower) == pytest.approx(0.05, abs=1e-4)


def test_a_variance_infinitely_larger_is_never_chance() -> None:
    assert f_exceeds(inf, 4, 10) == 0.0


def test_a_quantile_is_exceeded_with_the_probability_it_was_asked_for() -> None:
    assert two_sided(quantile(1e-4, 7.5), 7.5) == pytest.approx(1e-4, rel=1e-9)


def test_the_robust_scale_is_the_standard_deviation_of_normal_samples_on_average() -> None:
    rng = random.Random(3)
    for size in (2, 3, 5, 8, 20, 60):
        mean = sum(robust_deviation([rng.gauss(0, 2.0) for _ in range(size)]) for _ in range(2000)) / 2000
        assert isclose(mean, 2.0, rel_tol=0.06), size


def test_a_step_in_half_of_the_values_is_not_spread() -> None:
    rng = random.Random(5)
    alternating = [rng.gauss(-5.0 * (n % 2), 0.01) for n in range(40)]
    assert robust_deviation(alternating) < 0.03


def test_degrees_of_freedom_of_equal_variances_add_up() -> None:
    variance, dof = effective([(1.0, 5.0), (1.0, 5.0)])
    assert (variance, dof) == (2.0, 10.0)  # (1 + 1)^2 / (1/5 + 1/5)


def test_one_dominant_variance_brings_its_own_degrees_of_freedom() -> None:
    _, dof = effective([(1.0, 3.0), (1e-9, 100.0)])
    assert dof == pytest.approx(3.0, rel=1e-6)


@pytest.mark.parametrize("x", [-0.5, 0.0])
def test_the_incomplete_beta_is_nothing_at_its_lower_end_and_below(x: float) -> None:
    assert incomplete_beta(2.0, 3.0, x) == 0.0


@pytest.mark.parametrize("x", [1.0, 1.5])
def test_the_incomplete_beta_is_one_at_its_upper_end_and_above(x: float) -> None:
    assert incomplete_beta(2.0, 3.0, x) == 1.0


@pytest.mark.parametrize("x", [1e-6, 0.3, 0.5, 0.9, 1 - 1e-8])
def test_with_a_one_the_incomplete_beta_is_a_power(x: float) -> None:
    assert incomplete_beta(2.5, 1.0, x) == pytest.approx(x**2.5, rel=1e-12)
    assert incomplete_beta(1.0, 5.0, x) == pytest.approx(1 - (1 - x) ** 5, rel=1e-9)


def test_the_incomplete_beta_is_exact_beside_both_ends() -> None:
    # I_x(a, b) is x^a / (a B(a, b)) for small x, and I_x(1/2, 1/2) is 1 - 2/pi sqrt(1 - x) beside 1
    whole = exp(lgamma(1.5) + lgamma(5.5) - lgamma(7.0))
    assert incomplete_beta(1.5, 5.5, 1e-9) == pytest.approx(1e-9**1.5 / (1.5 * whole), rel=1e-6)
    assert 1 - incomplete_beta(0.5, 0.5, 1 - 1e-8) == pytest.approx(2 / pi * 1e-4, rel=1e-6)


@pytest.mark.parametrize("error", [0.9, 0.5, 0.2, 0.01])
def test_quantiles_of_one_degree_of_freedom_are_those_of_cauchy(error: float) -> None:
    assert quantile(error, 1) == pytest.approx(tan(pi / 2 * (1 - error)), rel=1e-9)


@pytest.mark.parametrize(
    ("size", "between", "factor"),
    [
        # Croux and Rousseeuw's table, then n / (n + 1.4) for odd and n / (n + 3.8) for even numbers of values. Of 0, 1, 2, ...
        # n - 1 pairs are 1 apart; the pair number h (h - 1) / 2 with h = n // 2 + 1 is one of them up to n = 5, and for odd n = 7
        (2, 1, 0.399),
        (3, 1, 0.994),
        (4, 1, 0.512),
        (5, 1, 0.844),
        (6, 2, 0.611),
        (7, 1, 0.857),
        (8, 2, 0.669),
        (9, 2, 0.872),
        (10, 2, 10 / 13.8),
        (11, 2, 11 / 12.4),
    ],
)
def test_the_robust_scale_has_the_published_factor_of_each_sample_size(size: int, between: int, factor: float) -> None:
    assert robust_deviation([float(n) for n in range(size)]) == pytest.approx(2.2219 * between * factor)


def test_the_robust_scale_of_less_than_two_values_is_zero() -> None:
    assert robust_deviation([]) == robust_deviation([5.0]) == 0.0


def test_of_twice_as_many_values_as_are_looked_at_every_second_one_counts() -> None:
    assert robust_deviation([0.0 if n % 2 == 0 else float(n) ** 2 for n in range(2 * MOST)]) == 0.0
    assert robust_deviation([0.0 if n % 2 == 1 else float(n) ** 2 for n in range(2 * MOST)]) > 0.0
    assert MOST == 100


def test_variances_of_zero_add_nothing_and_keep_the_best_degrees_of_freedom() -> None:
    assert effective([(0.0, 3.0), (0.0, 5.0)]) == (0.0, 5.0)
    assert effective([(0.0, 3.0), (2.0, 7.0)]) == (2.0, 7.0)
    variance, dof = effective([(0.25, 4.0), (0.75, 9.0)])
    assert (variance, dof) == (1.0, pytest.approx(1 / (0.0625 / 4 + 0.5625 / 9)))
