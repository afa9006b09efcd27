"""One side of a comparison: what counts, what it is divided by, and the totals of its rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from ncu_roofline.analysis.compare.sides import (
    bandwidth,
    basis_of,
    begun,
    beyond,
    covered,
    decode_launches,
    footings,
    gaps,
    latency,
    only_prefill,
    shape,
    side,
    totals,
    useful,
    whole_layers,
)
from ncu_roofline.analysis.study import Study
from ncu_roofline.capture.capture import Fact, Run
from ncu_roofline.capture.schema import PHASES, enum
from tests.planted import plain

GEMM, ATTEND = {"count": 2, "dram_bytes": 100.0, "flops": 8.0, "seconds": 1.0}, {"role": "attention", "count": 2}


def study(*kernels: dict[str, Any], name: str = "plain", **facts: Any) -> Study:
    return plain(*(kernels or (GEMM,)), name=name, **facts)


def without_tokens(taken: Study, **facts: Any) -> Study:
    """A study of which only these facts are known."""
    return replace(taken, run=Run(**{k: Fact(v, "given") for k, v in facts.items()}))


def phased(*phases: str | None) -> Study:
    taken = study({"count": len(phases)})
    kept = taken.launches.with_columns(pl.Series("phase", phases, dtype=taken.launches["phase"].dtype))
    return replace(taken, launches=kept)


@pytest.mark.parametrize(
    ("phases", "kept", "prefill"),
    [
        (("decode", "prefill", None), [0, 2], False),
        (("prefill", "prefill"), [0, 1], True),
        (("prefill", None), [1], False),
        ((None, None), [0, 1], False),
    ],
)
def test_prefill_counts_only_where_there_is_nothing_else(
    phases: tuple[str | None, ...], kept: list[int], prefill: bool
) -> None:
    taken = phased(*phases)
    assert decode_launches(taken)["index"].to_list() == kept
    assert only_prefill(taken) is prefill


def test_what_stands_beside_nothing_but_a_prompt_is_no_side_of_its_own() -> None:
    """A kernel behind the LM head of a prompt, of unknown phase: the prompt is compared, not the kernel."""
    taken = phased("prefill", None)
    alone = replace(taken, launches=taken.launches.with_columns(step=pl.Series([0, None], dtype=pl.Int64)))
    assert decode_launches(alone)["index"].to_list() == [0, 1]
    assert only_prefill(alone) is True


def test_launches_without_phases_all_count_and_are_no_prefill() -> None:
    taken = study()
    bare = replace(taken, launches=taken.launches.with_columns(phase=pl.lit(None, enum(PHASES))))
    assert decode_launches(bare).height == 2
    assert only_prefill(bare) is False
    assert only_prefill(replace(taken, launches=taken.launches.head(0))) is False


def layered(*rows: tuple[int, int, bool | None]) -> pl.DataFrame:
    """Launches of (step, layer, whole)."""
    return pl.DataFrame(
        rows, schema={"step": pl.Int64, "layer": pl.Int64, "layer_whole": pl.Boolean}, orient="row"
    ).with_columns(process=1, device=0)


def test_whole_layers_are_counted_once_each() -> None:
    found = whole_layers(layered((0, 0, True), (0, 0, True), (0, 1, True), (1, 0, True), (1, 1, False), (1, 2, None)))
    assert found is not None
    assert (found.divisor, found.launches.height, found.scaled) == (3.0, 4, False)
    no_layer = layered((0, 0, True)).with_columns(layer=pl.lit(None, pl.Int64))
    assert whole_layers(no_layer) is None
    assert whole_layers(layered((0, 0, False))) is None


def test_steps_that_were_begun_count_once_each() -> None:
    assert begun(pl.DataFrame({"step": [0, 0, None, 1]})) == 2
    assert begun(pl.DataFrame({"step": [None]}, schema={"step": pl.Int64})) == 0


def test_what_a_capture_covers_is_told_by_its_attention() -> None:
    assert covered(study(GEMM, {"role": "attention", "count": 3})) == 3


def test_every_capture_stands_for_itself_and_for_the_facts_that_are_known() -> None:
    found = footings(without_tokens(study()))
    assert {k: f.divisor for k, f in found.items()} == {"capture": 1.0}
    stated = footings(without_tokens(study(), steps=2, tokens=8))
    assert {k: f.divisor for k, f in stated.items()} == {"capture": 1.0, "step": 2.0, "token": 8.0}
    assert not any(f.scaled for f in stated.values())


def test_a_window_of_one_step_is_a_part_of_its_tokens() -> None:
    assert footings(without_tokens(study(), batch=4, accepted=1.5))["part"].divisor == 6.0
    assert footings(without_tokens(study(), batch=4))["part"].divisor == 4.0
    assert "part" not in footings(without_tokens(study()))
    two = study()
    two = replace(two, launches=two.launches.with_columns(step=pl.Series([0, 1])))
    assert "part" not in footings(without_tokens(two, batch=4))


def window(**facts: Any) -> Study:
    """Two layers, one launch each, of one GPU."""
    taken = without_tokens(study({"count": 2}), **facts)
    return replace(taken, launches=taken.launches.with_columns(process=1, device=0, step_whole=False, layer_whole=True))


def test_layers_that_stand_for_others_divide_by_less() -> None:
    found = footings(window(batch=4, layers_captured=(2, 8)))
    # 2 of 8 layers stand for a step of 4 tokens: a quarter of a step, one token
    assert (found["step"].divisor, found["token"].divisor, found["layer"].divisor) == (0.25, 1.0, 2.0)
    assert found["step"].scaled and found["token"].scaled and not found["layer"].scaled


def test_gpus_beside_each_other_share_the_work_of_a_step() -> None:
    taken = window(batch=4)
    both = taken.launches.with_columns(device=pl.Series([0, 1]), step_whole=True)
    found = footings(replace(taken, launches=both))
    # each GPU holds one step; 2 x the step's 4 tokens over both
    assert (found["step"].divisor, found["token"].divisor, found["step"].scaled) == (2.0, 8.0, False)


def test_the_basis_is_the_finest_that_every_capture_supports() -> None:
    tokens, steps, nothing = (without_tokens(study(), **f) for f in ({"tokens": 2, "steps": 1}, {"steps": 1}, {}))
    assert basis_of([tokens, tokens]) == "token"
    assert basis_of([tokens, steps]) == "step"
    assert basis_of([tokens, nothing]) == "capture"


def test_a_side_is_the_mean_of_its_captures_per_basis() -> None:
    found = side([study(name="a", tokens=5), study(name="b", tokens=10)], "token")
    assert (found.captures, found.name, found.basis) == (2, "a, b", "token")
    assert found.launches["capture"].to_list() == [0, 0, 1, 1]
    # each capture counts half: 100 / 5 / 2 and 100 / 10 / 2
    assert found.launches["bytes"].to_list() == [10.0, 10.0, 5.0, 5.0]
    assert found.launches["flops"].to_list() == pytest.approx([0.8, 0.8, 0.4, 0.4])
    assert found.launches["seconds"].to_list() == [0.1, 0.1, 0.05, 0.05]
    assert found.launches["share"].to_list() == [0.1, 0.1, 0.05, 0.05]
    assert found.launches["role"].to_list() == ["fc"] * 4


def test_useful_work_is_divided_as_well_and_what_is_unknown_stays_so() -> None:
    taken = study(tokens=5)
    given = replace(taken, launches=taken.launches.with_columns(useful_flops=pl.lit(20.0), ridge=pl.lit(None, pl.Float64)))
    found = side([given], "token").launches
    assert found["useful_flops"].to_list() == [4.0, 4.0]
    assert found["ridge"].to_list() == found["useful_intensity"].to_list() == [None, None]
    assert found["intensity"].to_list() == [0.08, 0.08]


def test_a_launch_without_role_is_called_unclassified() -> None:
    taken = study(tokens=1)
    found = side([replace(taken, launches=taken.launches.with_columns(role=pl.lit(None, pl.String)))], "token").launches
    assert found["role"].to_list() == ["unclassified"] * 2


def test_a_grid_is_one_word() -> None:
    frame = pl.DataFrame({"grid": [[132, 2, 1], None]}, schema={"grid": pl.Array(pl.Int64, 3)})
    assert frame.select(shape("grid"))["grid"].to_list() == ["132x2x1", "?"]


def rows(**columns: list[Any]) -> pl.DataFrame:
    """Launches of a side with these numbers; everything else is known and 1."""
    count = len(next(iter(columns.values())))
    ones = {n: [1.0] * count for n in ("bytes", "flops", "seconds", "share", "useful_flops", "intensity", "useful_intensity")}
    other: dict[str, list[Any]] = {"ridge": [2.0] * count, "bandwidth_share": [0.5] * count}
    unknown = ("bytes_most", "flops_most", "seconds_least", "useful_intensity_low", "useful_intensity_high")
    other |= {n: [None] * count for n in unknown} | {"flops_lacking": [False] * count}
    text = {"role": ["fc"] * count, "family": ["fc"] * count, "limited_by": ["memory"] * count}
    given: dict[str, list[Any]] = {**ones, **other, **text, **columns}
    types = {k: pl.String if k in text else pl.Boolean if k == "flops_lacking" else pl.Float64 for k in given}
    return pl.DataFrame(given, schema=types)


def test_what_is_lacking_is_told_by_time() -> None:
    known = gaps(rows(bytes=[None, 1.0, 1.0], flops=[1.0, None, None], seconds=[1.0, 3.0, 4.0]))
    assert gaps(rows(bytes=[None, 1.0], seconds=[0.25, 0.5]))["bytes"] == pytest.approx(1 / 3)
    assert known == {"bytes": 0.125, "flops": 0.875, "seconds": 0.0}


def test_time_itself_is_lacking_by_count() -> None:
    # of the launches with time, one second of two lacks bytes
    found = gaps(rows(bytes=[None, 1.0, None, None], seconds=[1.0, 1.0, None, None]))
    assert found == {"bytes": 0.5, "flops": 0.0, "seconds": 0.5}


def test_without_any_time_what_is_lacking_is_told_by_bytes() -> None:
    found = gaps(rows(bytes=[3.0, 1.0], flops=[None, 1.0], seconds=[None, None]))
    assert found == {"bytes": 0.0, "flops": 0.75, "seconds": 1.0}


def test_without_time_and_bytes_what_is_lacking_is_told_by_count() -> None:
    found = gaps(rows(bytes=[None, None], flops=[None, 1.0], seconds=[None, None]))
    assert found == {"bytes": 1.0, "flops": 0.5, "seconds": 1.0}
    assert gaps(rows(bytes=[None], seconds=[None])) == {"bytes": 1.0, "flops": 0.0, "seconds": 1.0}
    assert gaps(rows(bytes=[])) == {"bytes": 0.0, "flops": 0.0, "seconds": 0.0}


def total(**columns: list[Any]) -> dict[str, Any]:
    return totals(rows(**columns), "role").row(0, named=True)


def test_a_row_is_the_sum_of_its_launches() -> None:
    found = total(bytes=[1.0, 3.0], flops=[5.0, 6.0], seconds=[1.0, 3.0], share=[0.5, 0.25], useful_flops=[2.0, 3.0])
    assert [found[k] for k in ("role", "bytes", "flops", "seconds", "launches", "useful_flops")] == [
        "fc",
        4.0,
        11.0,
        4.0,
        0.75,
        5.0,
    ]


def test_a_sum_is_known_while_a_twentieth_of_the_time_lacks_it() -> None:
    assert total(bytes=[None, 7.0], seconds=[1.0, 19.0])["bytes"] == 7.0
    assert total(bytes=[None, 7.0], seconds=[1.0, 18.0])["bytes"] is None
    assert total(bytes=[None, 7.0], seconds=[None, 10.0])["bytes"] == 7.0
    # 0.02 of 0.8 seconds are a fortieth
    assert total(bytes=[None, 7.0], seconds=[0.02, 0.78])["bytes"] == 7.0


def test_a_sum_of_times_is_known_while_a_twentieth_of_the_launches_lacks_it() -> None:
    assert total(seconds=[None] + [1.0] * 19)["seconds"] == 19.0
    assert total(seconds=[None] + [1.0] * 18)["seconds"] is None


def test_a_sum_of_times_that_is_nothing_was_not_measured() -> None:
    assert total(seconds=[0.0, 0.0])["seconds"] is None
    assert total(seconds=[0.0, 2.0])["seconds"] == 2.0


def test_without_times_a_twentieth_of_the_launches_decides() -> None:
    assert total(bytes=[None] + [1.0] * 19, seconds=[None] * 20)["bytes"] == 19.0
    assert total(bytes=[None] + [1.0] * 18, seconds=[None] * 19)["bytes"] is None
    assert total(bytes=[None], seconds=[0.0])["bytes"] is None


def test_a_row_of_nothing_known_is_no_zero() -> None:
    assert total(bytes=[None, None], seconds=[0.0, 1.0])["bytes"] is None
    # neither launch takes any of the time, so none of it lacks bytes, and still nothing is known
    assert total(bytes=[None, None, None], seconds=[None, None, None])["bytes"] is None


def told(expr: pl.Expr, **columns: list[Any]) -> Any:
    return rows(**columns).select(expr.alias("found")).item()


def test_useful_work_of_a_row_needs_that_of_every_product_and_attention_that_worked() -> None:
    assert told(useful(), useful_flops=[2.0, 3.0]) == 5.0
    assert told(useful(), useful_flops=[2.0, None]) is None
    assert told(useful(), useful_flops=[2.0, None], family=["fc", "attention"]) is None
    assert told(useful(), useful_flops=[2.0, None], family=["fc", "other"]) == 2.0
    assert told(useful(), useful_flops=[2.0, None], flops=[1.0, 0.0]) == 2.0
    assert told(useful(), useful_flops=[2.0, None], flops=[1.0, None]) is None


def test_the_part_beyond_the_ridge_is_of_all_bytes() -> None:
    common: dict[str, list[Any]] = {"bytes": [1.0, 3.0, 4.0], "ridge": [2.0, 2.0, None]}
    assert told(beyond(), useful_intensity=[3.0, 1.0, 9.0], **common) == 0.125
    assert told(beyond(), useful_intensity=[2.0, 2.5, 9.0], **common) == 0.375
    # executed work right of the ridge proves nothing: tiles are counted whole
    assert told(beyond(), useful_intensity=[None] * 3, intensity=[5.0, 1.0, 9.0], **common) == 0.0
    assert told(beyond(), useful_intensity=[None] * 3, intensity=[5.0, 5.0, 9.0], **common) is None
    assert told(beyond(), useful_intensity=[None] * 3, intensity=[None] * 3, **common) is None
    # nor does it where the most that is useful lies left of the ridge, or the least right of it: 3 of 8 bytes
    padded: dict[str, list[Any]] = {"useful_intensity": [None] * 3, "intensity": [5.0] * 3, **common}
    assert told(beyond(), useful_intensity_high=[1.9, 2.1, 1.0], **padded) == 0.0
    assert told(beyond(), useful_intensity_high=[1.9, None, 1.0], useful_intensity_low=[1.0, 2.5, 1.0], **padded) == 0.375
    assert told(beyond(), useful_intensity=[1.0], ridge=[None]) is None
    assert told(beyond(), useful_intensity=[1.0], bytes=[0.0]) is None
    assert told(beyond(), useful_intensity=[1.0]) == 0.0


def test_the_part_limited_by_latency_is_of_the_time_whose_limit_is_known() -> None:
    assert told(latency(), limited_by=["latency", "memory", None], seconds=[1.0, 3.0, 4.0]) == 0.25
    assert told(latency(), limited_by=["latency", "memory", None], seconds=[1.0, 3.0, 5.0]) is None  # known of 4 of 9 s
    assert told(latency(), limited_by=["memory"]) == 0.0
    assert told(latency(), limited_by=[None]) is None
    assert told(latency(), limited_by=["latency"], seconds=[0.0]) is None


def test_the_share_of_bandwidth_is_weighed_by_time() -> None:
    assert told(bandwidth(), bandwidth_share=[0.2, 0.6, None, 0.9], seconds=[1.0, 3.0, 5.0, None]) == pytest.approx(0.5)
    assert told(bandwidth(), bandwidth_share=[0.25], seconds=[0.5]) == 0.25
    assert told(bandwidth(), bandwidth_share=[None]) is None
    assert told(bandwidth(), bandwidth_share=[0.5], seconds=[0.0]) is None
    assert told(bandwidth(), bandwidth_share=[0.5], seconds=[None]) is None


def test_a_row_carries_its_parts() -> None:
    found = total(bytes=[1.0, 3.0], useful_intensity=[3.0, 1.0], limited_by=["latency", "memory"], bandwidth_share=[0.2, 0.6])
    assert (found["beyond"], found["latency_share"], found["bandwidth_share"]) == (0.25, 0.5, pytest.approx(0.4))


def test_rows_stand_in_the_order_of_the_launches() -> None:
    names = ["rope", "fc", "norm", "copy", "attention", "sampling", "comm", "embedding", "other", "activation"]
    assert totals(rows(role=names), "role")["role"].to_list() == names
