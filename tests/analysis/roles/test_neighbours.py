"""What the launches beside one say of its role, on launches whose own role and doubt are given."""

import polars as pl
import pytest

from ncu_roofline.analysis.roles.neighbours import Lane, lane, settled
from ncu_roofline.knowledge.limits import THRESHOLDS

FAR, MANY = THRESHOLDS.far, THRESHOLDS.many

Named = tuple[str, str | None, str | None]
FLASH: Named = ("flash", "attention", None)
GEMM: Named = ("gemm", "fc", None)
OPEN_GEMM: Named = ("mm", "fc", "gemm")
SOFTMAX: Named = ("softmax", "sampling", "softmax")
TOPK: Named = ("topk", "sampling", "topk")
SCALE: Named = ("scale", "elementwise", "pointwise")


def frame(*given: Named, streams: list[int] | None = None, rules: list[str | None] | None = None) -> pl.DataFrame:
    count = len(given)
    return pl.DataFrame(
        {
            "name": [name for name, _, _ in given],
            "role": [role for _, role, _ in given],
            "open": [doubt for _, _, doubt in given],
            "role_rule": rules or [None] * count,
            "process": [0] * count,
            "device": [0] * count,
            "stream": streams or [0] * count,
        },
        schema_overrides={"role": pl.String, "open": pl.String, "role_rule": pl.String},
    )


def told(*given: Named, streams: list[int] | None = None, rules: list[str | None] | None = None) -> list[str | None]:
    return [None if role is None else str(role) for role in settled(frame(*given, streams=streams, rules=rules))]


def test_launches_are_beside_each_other_within_their_stream() -> None:
    both = frame(GEMM, SOFTMAX, TOPK, GEMM, streams=[1, 2, 1, 2])
    assert lane(both) == Lane(("stream",))
    assert lane(frame(GEMM, GEMM)) == Lane()
    assert both.select(lane(both).beside("name", 1)).to_series().to_list() == ["topk", "gemm", None, None]
    assert both.select(lane(both).beside("name", -1)).to_series().to_list() == [None, None, "gemm", "softmax"]
    near = both.select(lane(both).near("open", ("softmax",), (1, -1))).to_series().to_list()
    assert near == [False, False, False, True]


@pytest.mark.parametrize(("between", "expected"), [(FAR - 1, "attention"), (FAR, None)])
def test_a_softmax_is_the_middle_of_attention_only_near_both_products(between: int, expected: str | None) -> None:
    assert told(OPEN_GEMM, *[SCALE] * between, SOFTMAX, OPEN_GEMM)[between + 1] == expected
    assert told(OPEN_GEMM, SOFTMAX, *[SCALE] * between, OPEN_GEMM)[1] == expected


def test_only_the_products_right_beside_such_a_softmax_are_attention() -> None:
    assert told(OPEN_GEMM, OPEN_GEMM, SOFTMAX, OPEN_GEMM, OPEN_GEMM) == [None, "attention", "attention", "attention", None]
    assert told(OPEN_GEMM, SOFTMAX, GEMM) == [None, None, None]


def test_a_softmax_of_attention_beside_a_choice_of_every_layer_chooses_experts() -> None:
    layer = (FLASH, GEMM, ("softmax", "attention", "softmax"), TOPK)
    assert told(*layer * MANY)[2:4] == ["moe-routing", "moe-routing"]


def test_a_choice_that_belongs_to_attention_stays_there_though_another_is_beside_it() -> None:
    layer = (FLASH, GEMM, ("select", "attention", "topk"), TOPK, GEMM)
    assert told(*layer * MANY)[2:4] == [None, "moe-routing"]


def test_a_softmax_of_attention_with_no_choice_beside_it_stays_there() -> None:
    layer = (FLASH, GEMM, ("softmax", "attention", "softmax"), GEMM)
    assert told(*layer * MANY)[2] is None


@pytest.mark.parametrize(("times", "expected"), [(1, None), (2, "moe-routing")])
def test_a_kernel_that_runs_a_quarter_as_often_as_the_layers_runs_in_them(times: int, expected: str | None) -> None:
    layers = [FLASH, GEMM] * (2 * MANY - times) + [FLASH, TOPK] * times
    assert told(*layers)[-1] == expected


def test_too_few_layers_tell_nothing() -> None:
    assert told(*[FLASH, GEMM, TOPK] * (MANY - 1))[2] is None
    assert told(*[FLASH, GEMM, TOPK] * MANY)[2] == "moe-routing"


def test_a_sum_right_behind_experts_adds_them_up() -> None:
    experts: Named = ("experts", "fc", "experts")
    total: Named = ("sum", None, "sum")
    assert told(experts, total, GEMM) == [None, "moe-routing", None]
    assert told(GEMM, total, experts) == [None, None, None]


def test_an_unnamed_kernel_between_a_product_and_the_cache_rotates() -> None:
    unnamed: Named = ("triton", None, "unnamed")
    for after, expected in (("kv-cache", "rope"), ("attention", "rope"), ("rope", "rope"), ("norm", None)):
        assert told(GEMM, unnamed, ("next", after, None))[1] == expected
    assert told(("x", "norm", None), unnamed, FLASH)[1] is None


def test_a_nameless_kernel_is_told_by_both_sides() -> None:
    generic: Named = ("kernel", None, "generic")

    def between(before: str, after: str) -> str | None:
        return told(("a", before, None), generic, ("b", after, None))[1]

    assert [between("rope", "fc"), between("kv-cache", "comm"), between("kv-cache", "norm")] == ["attention", "attention", None]
    assert [between("norm", "activation"), between("activation", "norm"), between("rope", "norm")] == ["fc", "fc", None]
    assert told(("a", "norm", None), *[SCALE] * FAR, generic, ("b", "activation", None))[FAR + 1] is None


def test_the_sum_of_a_split_product_belongs_to_it_at_most_two_launches_on() -> None:
    sums: Named = ("reduce", None, "reduce")
    assert told(GEMM, sums)[1] == "fc"
    assert told(FLASH, sums)[1] == "attention"
    assert told(GEMM, SCALE, SCALE, sums)[3] == "fc"
    assert told(GEMM, SCALE, SCALE, SCALE, sums)[4] is None
    assert told(GEMM, ("reduce", "fc", "reduce"))[1] is None
    assert told(("x", "norm", None), sums)[1] is None


def test_concatenations_before_attention_grow_the_cache() -> None:
    concat: Named = ("cat", "copy", "copy")
    rope: Named = ("rotate", "rope", None)
    for rule in ("aten-concatenate", "aten-index", "aten-index-put"):
        assert told(rope, concat, FLASH, rules=[None, rule, None])[1] == "kv-cache"
    assert told(rope, concat, FLASH, rules=[None, "other", None])[1] is None
    assert told(rope, concat, GEMM, rules=[None, "aten-concatenate", None])[1] is None
    routed: Named = ("route", "moe-routing", None)
    assert told(rope, concat, routed, rules=[None, "aten-index-put", None])[1] == "moe-routing"
    assert told(rope, concat, routed, rules=[None, "aten-index", None])[1] is None


POINT: Named = ("mul", "elementwise", "pointwise")
COPY: Named = ("cast", "copy", "copy")
END: Named = ("rsqrt", "norm", "norm end")
MIDDLE: Named = ("pow", "norm", "norm")


def test_up_to_three_launches_behind_the_end_of_an_eager_norm_are_it_where_nothing_comes_between() -> None:
    assert told(END, POINT, COPY, POINT, POINT) == [None, "norm", "norm", "norm", None]
    assert told(END, FLASH, POINT)[2] is None
    assert told(END, POINT, FLASH, POINT)[3] is None
    assert told(END, FLASH, POINT, POINT)[3] is None


def test_a_cast_before_an_eager_norm_is_it_and_what_stands_between_its_parts() -> None:
    assert told(COPY, MIDDLE)[0] == "norm"
    assert told(POINT, MIDDLE)[0] is None
    assert told(MIDDLE, POINT, COPY, END)[1:3] == ["norm", "norm"]
    assert told(FLASH, POINT, END)[1] is None


def test_one_launch_before_a_negation_and_three_behind_it_rotate() -> None:
    negation: Named = ("neg", "rope", "rope")
    assert told(POINT, POINT, negation, POINT, COPY, POINT, POINT) == [None, "rope", None, "rope", "rope", "rope", None]


def test_a_gather_that_goes_on_like_those_behind_a_sampling_opens_a_pass_too() -> None:
    gather, tables = ("gather", "embedding", "gather"), [("inv_freq", None, None), ("cat", None, None)]
    opened: list[Named] = [gather, *tables, FLASH, GEMM, FLASH, GEMM, ("norm", "norm", None)]
    drawn: Named = ("draw", "sampling", None)
    # the second chunk of a prompt begins behind the layers of the first, which samples nothing
    assert told(*opened, *opened, drawn, *[*opened, drawn] * 4)[8] is None
    rows: list[Named] = [gather, ("experts", "fc", "experts")]
    assert told(*[*opened[:3], *[FLASH, *rows] * 4, drawn] * 2)[4] == "copy"


@pytest.mark.parametrize(("times", "expected"), [(MANY // 2, None), (MANY, "copy")])
def test_a_gather_is_of_each_layer_where_it_runs_in_half_of_them(times: int, expected: str | None) -> None:
    gather: Named = ("gather", "embedding", "gather")
    layers = [FLASH, GEMM] * (2 * MANY - times) + [FLASH, gather] * times
    assert told(*layers)[-1] == expected
