"""Whether two captures were measured alike: each kind of difference, with facts stated."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from ncu_roofline.analysis.compare import comparability
from ncu_roofline.analysis.compare.comparability import (
    basis_differs,
    clocks_differ,
    differences,
    differs,
    mean_clock,
    rung_of,
    rungs_differ,
    same_model,
    unknown_conditions,
    values,
    vary_of,
    windows,
)
from ncu_roofline.analysis.compare.sides import Footing
from ncu_roofline.analysis.study import Study
from ncu_roofline.capture.capture import Capture, Device, Fact, Run
from ncu_roofline.errors import UnusableInput
from ncu_roofline.knowledge.devices import gpus
from ncu_roofline.knowledge.devices.gpu import Gpu
from ncu_roofline.knowledge.verdicts import conditions
from tests.kernels import full

BASE = {"dram_bytes": [10.0], "dram_bytes_source": ["counter"], "flops": [5.0], "flops_source": ["counter"], "seconds": [1.0]}
NOTHING: frozenset[str] = frozenset()


def studied(frame: pl.DataFrame, run: Run | None = None, gpu: Gpu | None = None) -> Study:
    """A study of these launches."""
    launches = full(frame)
    return Study(capture=Capture(launches=launches, name="stated"), launches=launches, gpu=gpu, run=run or Run(), notes=())


def stated(**facts: Any) -> Study:
    return studied(pl.DataFrame(BASE), Run(**{name: Fact(value, "given", "stated") for name, value in facts.items()}))


def on(name: str | None, gpu: Gpu | None = None) -> Study:
    made = studied(pl.DataFrame(BASE), gpu=gpu)
    return replace(made, capture=replace(made.capture, device=Device(name=name)))


def launched(**columns: list[Any]) -> Study:
    return studied(pl.DataFrame({**BASE, **columns}))


def test_what_varies_is_a_list_of_known_words() -> None:
    assert vary_of(["batch, kv", "tp", ""]) == {"batch", "kv", "tp"}
    with pytest.raises(UnusableInput, match="`vary=` colour,size: not something that can vary; known: batch"):
        vary_of(["size,batch,colour"])


def test_the_values_of_a_side_are_the_distinct_known_ones() -> None:
    side = [stated(batch=8, weights="fp8"), stated(batch=8), stated(batch=4, weights="bf16")]

    assert values(side, "batch") == (8, 4)
    assert values(side, "weights") == ("fp8", "bf16")
    assert values(side, "kv") == ()
    assert values([stated(tp=2)], "tp") == ("2",)


def changing(low: int, high: int, tokens: int, steps: int = 2) -> Study:
    """Steps of `low` to `high` sequences, `tokens` of all together."""
    changes: Fact[int] = Fact(None, "unknown", "rows change between steps", low, high)
    run = Run(steps=Fact(steps, "given", "stated"), tokens=Fact(tokens, "given", "stated"), batch=changes)
    return studied(pl.concat([pl.DataFrame(BASE)] * steps), run)


def test_a_batch_that_changes_from_step_to_step_is_no_single_one_and_differs_by_its_mean() -> None:
    assert values([changing(8, 32, 40)], "batch") == ("8 to 32, 20 on average",)
    batch = next(c for c in conditions() if c.fact == "batch")

    def blocked(base: Study, head: Study) -> bool:
        found = comparability.differs(batch, [base], [head], NOTHING)
        return found is not None and found.blocks

    assert blocked(stated(batch=8), changing(8, 32, 40))
    assert blocked(changing(8, 32, 40), changing(8, 32, 48, steps=3))  # 20 against 16
    assert not blocked(changing(8, 32, 40), changing(8, 32, 60, steps=3))  # 20 on both sides
    # a range of what may be one batch is none that is known
    pieces = replace(stated(), run=Run(batch=Fact(None, "unknown", "pieces of steps", 8, 64)))
    assert values([pieces], "batch") == ()


def test_a_device_is_its_product_else_its_own_name() -> None:
    h100 = gpus.find("h100")

    assert values([on("NVIDIA H100 PCIe", h100), on("Odd Card"), on(None)], "device") == (h100.product, "Odd Card")


@pytest.mark.parametrize(
    ("base", "head", "vary", "refused"),
    [
        ("a", "b", NOTHING, True),
        ("a", "b", frozenset({"model"}), False),
        ("a", "b", frozenset({"batch"}), True),
        ("a", "a", NOTHING, False),
        ("a", None, NOTHING, False),
        (None, "b", NOTHING, False),
        (None, None, NOTHING, False),
    ],
)
def test_captures_of_two_models_are_refused_unless_the_model_varies(
    base: str | None, head: str | None, vary: frozenset[str], refused: bool
) -> None:
    sides = [stated(model=base)], [stated(model=head)]
    if not refused:
        same_model(*sides, vary)
        return
    with pytest.raises(UnusableInput, match="is of model a, stated of b"):
        same_model(*sides, vary)


WEIGHTS = next(c for c in conditions() if c.fact == "weights")


@pytest.mark.parametrize(("base", "head"), [("fp8", "fp8"), (None, None)])
def test_a_fact_that_is_the_same_or_unknown_on_both_sides_is_no_difference(base: str | None, head: str | None) -> None:
    assert differs(WEIGHTS, [stated(weights=base)], [stated(weights=head)], NOTHING) is None


def test_a_fact_that_differs_blocks_unless_it_varies_on_purpose() -> None:
    sides = [stated(weights="bf16")], [stated(weights="fp8")]

    found, meant = differs(WEIGHTS, *sides, NOTHING), differs(WEIGHTS, *sides, frozenset({"weights", "kv"}))

    assert found is not None and meant is not None
    assert (found.what, found.base, found.head, found.effect) == ("weight type", "bf16", "fp8", WEIGHTS.effect)
    assert found.numbers == WEIGHTS.numbers
    assert (found.blocks, meant.blocks) == (True, False)
    other = differs(WEIGHTS, *sides, frozenset({"kv"}))
    assert other is not None and other.blocks


@pytest.mark.parametrize(("base", "head"), [(None, "fp8"), ("fp8", None)])
def test_a_fact_unknown_on_one_side_is_said_and_does_not_block(base: str | None, head: str | None) -> None:
    found = differs(WEIGHTS, [stated(weights=base)], [stated(weights=head)], NOTHING)

    assert found is not None
    assert (found.base, found.head) == (base or "unknown", head or "unknown")
    assert found.effect == f"taken to be the same, else {WEIGHTS.effect}"
    assert not found.blocks


def test_a_side_that_does_not_agree_with_itself_differs_from_one_like_it() -> None:
    mixed = [stated(weights="bf16"), stated(weights="fp8")]

    found = differs(WEIGHTS, mixed, mixed, NOTHING)

    assert found is not None and found.blocks
    assert found.base == found.head == "bf16 and fp8"


def test_conditions_that_neither_side_tells_are_named() -> None:
    both, one = stated(cache_control="all", batch=4), stated(batch=4, context=10)

    assert unknown_conditions([both], [one]) == ("clock control", "replay mode")
    assert unknown_conditions([one], [both]) == ("clock control", "replay mode")
    assert unknown_conditions([stated()], [stated()])[-2:] == ("batch", "context")


def test_differences_that_block_come_first() -> None:
    base = replace(stated(weights="bf16", batch=1, kv="bf16"), launches=full(pl.DataFrame(PLACED)))
    head = replace(stated(weights=None, batch=2, kv="fp8"), launches=full(pl.DataFrame(PLACED)))

    found = differences([base], [head], NOTHING)

    assert [(d.what, d.blocks) for d in found] == [("batch", True), ("cache type", True), ("weight type", False)]


PLACED = {**BASE, "phase": ["decode"], "step": [0], "role": ["fc"]}


def footing(*kinds: str, scaled: bool = False) -> Any:
    """What stands for a study here: the bases it supports."""
    frame = pl.DataFrame()
    return {kind: Footing(launches=frame, divisor=1.0, scaled=scaled and kind == "token") for kind in (*kinds, "capture")}


@pytest.fixture
def footed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparability, "footings", lambda study: study)
    monkeypatch.setattr(
        comparability, "basis_of", lambda studies: next(b for b in ORDER if all(b in study for study in studies))
    )


ORDER = ("token", "part", "step", "layer", "capture")


@pytest.mark.usefixtures("footed")
@pytest.mark.parametrize(
    ("each", "expected"),
    [
        ([footing("part")], True),
        ([footing("part", "token", scaled=True)], True),
        ([footing("part"), footing("part", "token", scaled=True)], True),
        ([footing("part", "token")], False),
        ([footing("part"), footing("part", "token")], False),
        ([footing()], False),
        ([footing("token", scaled=True)], False),
    ],
)
def test_windows_are_parts_of_a_step_whose_layers_may_stand_for_the_rest(each: list[Any], expected: bool) -> None:
    assert windows(each[:1], each[1:]) is expected


@pytest.mark.usefixtures("footed")
@pytest.mark.parametrize(
    ("base", "head", "told"),
    [
        (footing("token"), footing("token"), None),
        (footing("layer"), footing(), None),
        (footing(), footing("layer"), None),
        (footing("part"), footing("part", "token", scaled=True), None),
        (footing("step", "layer"), footing("layer"), ("per step", "per layer", "layer")),
        (footing("part", "token"), footing("part"), ("per token", "per part", "part")),
        (footing("token"), footing(), ("per token", "per capture", "capture")),
    ],
)
def test_tokens_known_on_one_side_only_block(base: Any, head: Any, told: tuple[str, str, str] | None) -> None:
    found = basis_differs([base], [head])

    assert len(found) == (told is not None)
    for difference in found:
        one, other, coarse = told or ("", "", "")
        assert (difference.what, difference.base, difference.head, difference.blocks) == ("tokens basis", one, other, True)
        assert difference.effect.startswith(f"every number is per {coarse} on both sides")


def clock(*pairs: tuple[float | None, float | None]) -> Study:
    return studied(pl.DataFrame(pairs, schema={"hz": pl.Float64, "seconds": pl.Float64}, orient="row"))


def hertz(_: pl.DataFrame) -> pl.Expr:
    return pl.col("hz")


def test_the_clock_of_a_side_is_weighted_by_time() -> None:
    # (100 x 1 + 200 x 3 + 400 x 4) / 8
    assert mean_clock([clock((100.0, 1.0), (200.0, 3.0), (None, 9.0)), clock((400.0, 4.0), (900.0, None))], hertz) == 287.5


@pytest.mark.parametrize("pair", [(None, 1.0), (100.0, None), (100.0, 0.0)])
def test_a_clock_without_time_is_not_known(pair: tuple[float | None, float | None]) -> None:
    assert mean_clock([clock(pair)], hertz) is None


def test_a_clock_of_less_than_a_second_is_known() -> None:
    assert mean_clock([clock((100.0, 0.5))], hertz) == 100.0


@pytest.mark.parametrize(
    ("one", "other", "differ"),
    [(1e9, 1.04e9, False), (1e9, 1.06e9, True), (1.06e9, 1e9, True), (None, 1e9, False), (1e9, None, False)],
)
def test_clocks_more_than_a_twentieth_apart_block(
    one: float | None, other: float | None, differ: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparability, "sm_hertz", hertz)
    monkeypatch.setattr(comparability, "dram_hertz", lambda _: pl.lit(2e9))
    sides = [clock((one, 1.0))], [clock((other, 1.0))]

    found = clocks_differ(*sides, NOTHING)

    assert [(d.what, d.numbers, d.blocks) for d in found] == [("SM clock", ("time",), True)] * differ
    assert clocks_differ(*sides, frozenset({"clocks"})) == clocks_differ(*sides, frozenset({"device"})) == []
    assert len(clocks_differ(*sides, frozenset({"batch"}))) == differ


def test_the_memory_clock_is_compared_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparability, "sm_hertz", lambda _: pl.lit(2e9))
    monkeypatch.setattr(comparability, "dram_hertz", hertz)

    (found,) = clocks_differ([clock((1e9, 1.0))], [clock((2e9, 1.0))], NOTHING)

    assert (found.what, found.base, found.head) == ("memory clock", "1 GHz", "2 GHz")


def sourced(*rows: tuple[float | None, str | None], column: str = "dram_bytes") -> Study:
    schema = {column: pl.Float64, f"{column}_source": pl.String}
    return studied(pl.DataFrame(rows, schema=schema, orient="row"))


@pytest.mark.parametrize(
    ("rows", "rung"),
    [
        ([(10.0, "counter"), (25.0, "l2_miss"), (20.0, "counter")], "counted"),  # 30 against 25
        ([(10.0, "counter"), (25.0, "l2_miss")], "misses"),
        ([(0.5, "rate"), (None, "l2_miss")], "counted"),
        ([(0.0, "l2_miss")], None),
        ([(5.0, None)], None),
        ([], None),
    ],
)
def test_a_number_stands_on_the_rung_of_most_of_it(rows: list[tuple[float | None, str | None]], rung: str | None) -> None:
    assert rung_of([sourced(*rows)], "dram_bytes") == rung


def test_a_side_stands_on_the_rung_of_all_its_captures_that_name_sources() -> None:
    unsourced = sourced((9.0, None))

    assert rung_of([sourced((10.0, "counter")), sourced((11.0, "l2_miss")), unsourced], "dram_bytes") == "misses"
    assert rung_of([unsourced], "dram_bytes") is None


@pytest.mark.parametrize(
    ("head", "found"),
    [
        ({"dram_bytes_source": ["l2_miss"]}, [("source of bytes", "counted", "misses", ("bytes",), True)]),
        ({"flops_source": ["pipe"]}, [("source of FLOPs", "counted", "estimated", ("FLOPs",), False)]),
        ({"dram_bytes_source": ["rate"]}, []),
        ({"dram_bytes": [0.0], "dram_bytes_source": ["l2_miss"]}, []),
    ],
)
def test_other_rungs_block_where_the_bytes_stand_on_them(head: dict[str, list[Any]], found: list[Any]) -> None:
    for sides in (([launched()], [launched(**head)]), ([launched(**head)], [launched()])):
        told = rungs_differ(*sides)
        ends = [(d.what, *sorted((d.base, d.head)), d.numbers, d.blocks) for d in told]
        assert ends == [(what, *sorted((one, other)), numbers, blocks) for what, one, other, numbers, blocks in found]
