"""Sentences and tables as a person reads them: counts, shares and plurals written alike everywhere."""

from __future__ import annotations

from ncu_roofline.analysis.groups import group
from ncu_roofline.analysis.health import Finding, health
from ncu_roofline.analysis.study import Study, study
from ncu_roofline.capture.capture import Capture
from ncu_roofline.present import kernels, roles
from ncu_roofline.present.columns import cell
from tests.kernels import H100, launch, launches

MANY = [launch(seconds=1e-6)] * 1200


def of(*rows: dict[str, object]) -> Study:
    return study(Capture(launches=launches(*rows), device=H100, name="x.ncu-rep"))


def found(*rows: dict[str, object]) -> dict[str, Finding]:
    return {finding.code: finding for finding in health(of(*rows))}


def test_thousands_stand_apart_in_doubts_as_in_the_first_sentence() -> None:
    assert found(*MANY)["missing_bytes"].message.startswith("No DRAM bytes for all 1,200 launches:")
    assert found(*MANY, launch())["short_kernels"].message.startswith("1,200 of 1,201 launches (92.3 % of the time)")


def test_thousands_stand_apart_in_tables_and_above_them() -> None:
    taken = of(*MANY)
    assert [cell(column, 4991) for column in ("launches", "kernels", "batch", "index")] == ["4,991", "4,991", "4,991", "4991"]
    assert kernels.document(taken, taken.launches.head(50), 1200, (), grouped=False).answer == (
        "50 of 1,200 launches of x.ncu-rep.",
    )


def test_two_launches_are_both() -> None:
    assert found(launch(), launch())["missing_bytes"].message.startswith("No DRAM bytes for both launches: their")


def test_a_small_share_of_the_time_is_not_none() -> None:
    rows = found(launch(seconds=1.0), launch(seconds=1e-6))
    assert "1 of 2 launches (<0.1 % of the time) lasts" in rows["short_kernels"].message


def test_rows_that_a_filter_chose_are_not_called_all() -> None:
    taken = of(launch(), launch("norm"))
    rows = group(taken.launches)
    said = [kernels.document(taken, rows.head(n), n, (), grouped=True, filtered=True).answer[0] for n in (1, 2)]
    assert said == ["1 kernel group of x.ncu-rep that fits the filter.", "2 kernel groups of x.ncu-rep that fit the filter."]


def test_one_launch_without_a_role_is_one_launch() -> None:
    row = {"kernel": "basic", "time_share": 0.697, "launches": 1}
    assert roles.rule(row).startswith("# 69.7 % of the time, 1 launch\n")
    assert roles.rule(row | {"launches": 4991}).startswith("# 69.7 % of the time, 4,991 launches\n")
