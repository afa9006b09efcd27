"""Quantiles against published tables; the robust scale on samples of known spread."""

import random
from math import inf, isclose

import pytest

from ncu_roofline.analysis.student import effective, f_exceeds, quantile, robust_deviation, two_sided


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
