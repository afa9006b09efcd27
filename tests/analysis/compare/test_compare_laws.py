"""Laws of comparing, on runs made at random."""

from dataclasses import replace

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ncu_roofline.analysis.compare.compare import ROWS, Comparison, compare
from ncu_roofline.analysis.study import Study
from tests.planted import plain

number = st.floats(1e-3, 1e3)
kernel = st.fixed_dictionaries(
    {
        "kernel": st.sampled_from(["gemm", "fa", "norm", "quant"]),
        "role": st.sampled_from(["fc", "attention", "norm"]),
        "count": st.integers(1, 5),
        "dram_bytes": number.map(lambda x: x * 1e6),
        "seconds": number.map(lambda x: x * 1e-6),
        "flops": number.map(lambda x: x * 1e6),
        "grid": st.integers(1, 3),
    }
)
kernels = st.lists(kernel, min_size=1, max_size=5)
quick = settings(max_examples=25)


def of(kernel: str, role: str, count: int, grid: int) -> dict[str, object]:
    """A kernel of which only its name, role, number and grid matter."""
    return {"kernel": kernel, "role": role, "count": count, "dram_bytes": 1e6, "seconds": 1e-6, "flops": 1e6, "grid": grid}


ONE_OF_TWO = [of("gemm", "attention", 1, 1), of("gemm", "norm", 1, 1)]
TWO = [of("fa", "attention", 2, 1), of("gemm", "norm", 1, 2), of("norm", "attention", 2, 1)]
"""One kernel may be either of two others, and neither is more like it."""


def judged(base: Study, head: Study, *rows: str) -> Comparison:
    """The comparison with the tables that a law is about."""
    return compare([base], [head], rows=rows)


@quick
@given(kernels, kernels)
@example(ONE_OF_TWO, TWO)
def test_swapping_the_sides_flips_every_change_and_keeps_its_noise(
    one: list[dict[str, object]], other: list[dict[str, object]]
) -> None:
    base, head = plain(*one), plain(*other)
    there, back = judged(base, head, "kernel"), judged(head, base, "kernel")
    for quantity in ("bytes", "flops", "seconds"):
        forth, return_ = getattr(there.judged, quantity), getattr(back.judged, quantity)
        assert forth.log == -return_.log
        assert forth.reach == pytest.approx(return_.reach)
    assert there.rows["kernel"].height == back.rows["kernel"].height
    kinds = {"fused": "split", "split": "fused", "added": "removed", "removed": "added"}
    mirrored = sorted(kinds.get(k, k) for k in back.rows["kernel"]["what"])
    assert sorted(there.rows["kernel"]["what"].cast(pl.String)) == mirrored


@quick
@given(kernels, kernels)
def test_the_parts_add_up_to_the_whole_however_kernels_are_matched(
    one: list[dict[str, object]], other: list[dict[str, object]]
) -> None:
    comparison = judged(plain(*one), plain(*other), *ROWS)
    for rows in comparison.rows.values():
        for side in ("base", "head"):
            for quantity in ("bytes", "flops", "seconds"):
                whole = getattr(getattr(comparison.judged, quantity), side)
                assert rows[f"{side}_{quantity}"].sum() == pytest.approx(whole)


@quick
@given(kernels, kernels, st.sampled_from([1e-3, 1e3, 1e6]))
def test_the_unit_of_time_changes_no_byte_and_no_verdict(
    one: list[dict[str, object]], other: list[dict[str, object]], unit: float
) -> None:
    def scaled(rows: list[dict[str, object]]) -> Study:
        made = plain(*rows)
        return replace(made, launches=made.launches.with_columns(pl.col("seconds") * unit))

    plainly, otherwise = judged(plain(*one), plain(*other)), judged(scaled(one), scaled(other))
    assert plainly.verdict == otherwise.verdict
    assert plainly.judged.bytes == otherwise.judged.bytes
    assert plainly.judged.beyond == otherwise.judged.beyond


@quick
@given(kernels, st.sampled_from([0.5, 0.8, 1.0, 1.3]), st.sampled_from([0.6, 1.0, 1.4]))
def test_an_identical_layer_on_both_sides_changes_no_verdict(
    rows: list[dict[str, object]], bytes_: float, seconds: float
) -> None:
    def changed(times: int) -> Study:
        grown = [{**r, "count": r["count"] * times} for r in rows]  # type: ignore[operator]
        made = plain(*grown)
        return replace(made, launches=made.launches.with_columns(pl.col("dram_bytes") * bytes_, pl.col("seconds") * seconds))

    def unchanged(times: int) -> Study:
        return plain(*[{**r, "count": r["count"] * times} for r in rows])  # type: ignore[operator]

    # the same layers again on both sides: every change stays in proportion
    once, twice = judged(unchanged(2), changed(2)), judged(unchanged(4), changed(4))
    assert once.verdict == twice.verdict


@quick
@given(kernels, kernels)
def test_two_launches_merged_into_one_change_no_total(one: list[dict[str, object]], other: list[dict[str, object]]) -> None:
    merged = [
        {**r, "count": 1, **{q: r[q] * r["count"] for q in ("dram_bytes", "seconds", "flops")}}  # type: ignore[operator]
        for r in other
    ]
    apart, together = judged(plain(*one), plain(*other)), judged(plain(*one), plain(*merged))
    for quantity in ("bytes", "flops", "seconds"):
        assert getattr(apart.judged, quantity).log == pytest.approx(getattr(together.judged, quantity).log, abs=1e-9)


@quick
@given(kernels)
def test_a_run_against_itself_is_no_change_unless_it_is_beyond_the_ridge(rows: list[dict[str, object]]) -> None:
    comparison = judged(plain(*rows), plain(*rows), "kernel")
    assert comparison.judged.bytes.log == 0.0
    assert comparison.verdict == ("outside_regime" if (comparison.judged.beyond or 0) > 0.3 else "no_change")
    assert set(comparison.rows["kernel"]["what"].cast(pl.String)) == {"same"}
