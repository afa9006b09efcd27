"""Lines in logarithms through three points and fewer: slopes and intervals by hand."""

from __future__ import annotations

from math import e, exp, log, sqrt

import pytest

from ncu_roofline.analysis.sweep.fits import power_law, proportional

T1, T2 = 12.7062, 4.30265
"""Student's t at 1 and 2 degrees of freedom, 0.05 two-sided, from printed tables."""


def test_slope_factor_and_interval_of_a_power_law_are_those_of_least_squares() -> None:
    # ln x = 0, 1, 2 and ln y = 0, 1, 3: means 1 and 4/3, slope (-1 x 0 + 0 x 1 + 1 x 3) / 2 = 1.5;
    # residuals 1/6, -2/6, 1/6, squares 6/36 in all, one degree of freedom
    fit = power_law([(1.0, 1.0), (e, e), (e**2, e**3)])

    assert fit is not None and fit.exponent_low is not None and fit.exponent_high is not None
    assert fit.points == 3
    assert fit.exponent == pytest.approx(1.5)
    assert fit.factor == pytest.approx(exp(4 / 3 - 1.5))
    reach = T1 * sqrt(6 / 36 / 1 / 2)
    assert (fit.exponent_low, fit.exponent_high) == pytest.approx((1.5 - reach, 1.5 + reach), rel=1e-4)


def test_four_points_have_two_degrees_of_freedom() -> None:
    # ln y = 0, 1, 0, 1 at ln x = 0, 1, 2, 3: slope (1.5 x 1 - 0.5 x 1) / 5 = 0.2,
    # residuals -0.2, 0.6, -0.6, 0.2: squares 0.8
    fit = power_law([(1.0, 1.0), (e, e), (e**2, 1.0), (e**3, e)])

    assert fit is not None and fit.exponent_high is not None
    assert fit.exponent == pytest.approx(0.2)
    assert fit.exponent_high - fit.exponent == pytest.approx(T2 * sqrt(0.8 / 2 / 5), rel=1e-4)


@pytest.mark.parametrize("odd", [(0.0, 1.0), (1.0, 0.0), (-1.0, 1.0), (1.0, -1.0), (0.0, 0.0)])
def test_points_that_have_no_logarithm_are_left_out(odd: tuple[float, float]) -> None:
    law, slope = power_law([(1.0, 2.0), odd, (4.0, 8.0)]), proportional([(1.0, 2.0), odd])

    assert law is not None and law.points == 2 and law.exponent == pytest.approx(1.0)
    assert law.exponent_low is law.exponent_high is None
    assert slope is not None and slope.points == 1 and slope.value == pytest.approx(2.0)
    assert proportional([odd]) is None


def test_points_below_one_count() -> None:
    law, slope = power_law([(0.25, 0.5), (0.5, 1.0)]), proportional([(0.5, 0.25)])

    assert law is not None and (law.exponent, law.factor) == pytest.approx((1.0, 2.0))
    assert slope is not None and slope.value == 0.5


def test_one_x_is_no_line() -> None:
    assert power_law([]) is power_law([(2.0, 1.0)]) is power_law([(2.0, 1.0), (2.0, 3.0)]) is None


def test_the_factor_of_a_proportion_is_the_geometric_mean_with_its_interval() -> None:
    # ln(y / x) = 0 and 1: mean 0.5, squares 0.25 + 0.25, one degree of freedom, standard error sqrt(0.5 / 1 / 2)
    slope = proportional([(3.0, 3.0), (2.0, 2.0 * e)])

    assert slope is not None and slope.low is not None and slope.high is not None
    assert slope.points == 2
    assert slope.value == pytest.approx(exp(0.5))
    assert (log(slope.low), log(slope.high)) == pytest.approx((0.5 - T1 * 0.5, 0.5 + T1 * 0.5), rel=1e-4)


def test_three_ratios_have_two_degrees_of_freedom() -> None:
    # 0, 0, 3: mean 1, squares 1 + 1 + 4
    slope = proportional([(1.0, 1.0), (2.0, 2.0), (1.0, e**3)])

    assert slope is not None and slope.high is not None
    assert log(slope.high) == pytest.approx(1 + T2 * sqrt(6 / 2 / 3), rel=1e-4)


def test_one_ratio_has_no_interval() -> None:
    slope = proportional([(4.0, 2.0)])

    assert slope is not None and (slope.value, slope.low, slope.high, slope.points) == (0.5, None, None, 1)
