"""Floor and footprint of a model and a device small enough to count on paper."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ncu_roofline.analysis.model.floor import Floor, batches, floor, over_batches
from ncu_roofline.analysis.model.footprint import (
    Setting,
    check,
    dtype_of,
    held_here,
    kv_bytes,
    kv_dtype,
    kv_per_gpu,
    memory_batch,
)
from ncu_roofline.errors import UnusableInput
from ncu_roofline.knowledge.devices.gpu import Gpu
from ncu_roofline.knowledge.models.model import Cache, Weight
from ncu_roofline.present.documents.words_notes import note
from tests.small_model import small

EMBEDDING = Weight(name="embed_tokens", n=100, k=10, role="embedding", read="rows")
QUERIES = Weight(name="q_proj", n=20, k=10, role="fc", layers=(0, 1))
NORM = Weight(name="norm", n=10, layers=(0, 1))
HEAD = Weight(name="lm_head", n=100, k=10, role="fc")
ROUTER = Weight(name="router", n=4, k=10, role="router", layers=(0, 1))
EXPERTS = Weight(name="experts.up_proj", n=5, k=10, role="fc", layers=(0, 1), copies=4, read="experts")

TINY = small(
    architecture="Tiny",
    longest_context=64,
    layer_kinds=("full", "full"),
    weights=(EMBEDDING, QUERIES, NORM, HEAD),
    caches=(Cache(kind="full", elements=4, flops=16, split=2),) * 2,
)
"""1000 parameters of embedding, 400 of queries, 20 of norms, 1000 of the head."""

SPARSE = replace(TINY, name="sparse", experts=4, experts_per_token=1, weights=(ROUTER, EXPERTS))
"""80 parameters of routers; 400 of experts, of which one token uses 100."""

CHIP = Gpu(
    name="chip",
    product="Chip",
    chip=None,
    compute_capability=None,
    sms=None,
    l2_bytes=None,
    memory_bytes=10_000.0,
    bus_bits=None,
    bandwidth=100.0,
    boost_hertz=None,
    peaks={"bf16": 1000.0},
)


def test_bytes_time_and_work_of_a_step_are_those_counted_on_paper() -> None:
    least = floor(TINY, CHIP, Setting(batch=3, context=10))

    assert least.weight_bytes == 2900  # (3 x 10 + 400 + 20 + 1000) x 2
    assert least.kv_bytes == 480  # 3 sequences x 2 layers x 4 elements x 10 tokens x 2
    assert least.flops == 9360  # 3 x (2 x 1400 + 2 layers x 16 x 10 tokens)
    assert least.memory_seconds == pytest.approx(33.8)  # (2900 + 480) / 100
    assert least.compute_seconds == pytest.approx(9.36)  # 9360 / 1000
    assert least.crossover_batch == pytest.approx(10)  # 1400 x 2 / 100 = 28 s against 2.8 s a sequence
    assert least.resident_bytes == 4840  # 2420 x 2
    assert least.memory_batch == 32  # (10000 - 4840) / 160 = 32.25
    assert (least.experts_read, least.fc_precision, least.doubts) == (0, "bf16", ())


def test_two_gpus_divide_matrices_and_heads_and_repeat_norms_and_rows() -> None:
    least = floor(TINY, CHIP, Setting(batch=3, context=10, tp=2))

    assert least.weight_bytes == 3000  # 1400 x 2 + 2 x (20 + 30) x 2
    assert least.kv_bytes == 480
    assert least.memory_seconds == pytest.approx(17.4)  # (1400 + 100 + 240) / 100
    assert least.compute_seconds == pytest.approx(4.68)
    assert least.crossover_batch == pytest.approx(10)
    assert least.resident_bytes == 6880  # 1400 x 2 + 2 x (1000 + 20) x 2
    assert least.memory_batch == 82  # (10000 - 3440) / 80


def test_more_gpus_than_heads_of_the_cache_repeat_it() -> None:
    setting = Setting(context=10, tp=4)

    assert (kv_per_gpu(TINY, setting), kv_bytes(TINY, setting)) == (80, 320)  # 160 / 2 heads, on 4 GPUs


def test_a_layer_that_reads_anothers_cache_holds_none() -> None:
    shared = replace(TINY, caches=(TINY.caches[0], replace(TINY.caches[0], owned=False)))
    setting = Setting(context=10)

    assert (kv_bytes(shared, setting), kv_bytes(shared, setting, held=True)) == (160, 80)
    assert memory_batch(shared, CHIP, setting) == (64, 4840)  # (10000 - 4840) / 80 = 64.5


def test_without_context_there_is_no_cache_and_no_limit() -> None:
    assert kv_bytes(TINY, Setting()) == 0
    assert memory_batch(TINY, CHIP, Setting(tp=2)) == (None, 6880)
    assert memory_batch(TINY, replace(CHIP, memory_bytes=None), Setting(context=10, tp=2)) == (None, 6880)
    assert memory_batch(replace(TINY, caches=()), CHIP, Setting(context=10, tp=2)) == (None, 6880)


def test_attention_takes_no_time_without_context() -> None:
    least = floor(TINY, CHIP, Setting(batch=2))

    assert least.flops == 5600  # 2 x 2 x 1400
    assert least.compute_seconds == pytest.approx(5.6)


@pytest.mark.parametrize(
    ("memory", "batch"),
    [
        (5000.0, 1),  # 4840 + 160: exactly one sequence
        (5159.0, 1),
        (5160.0, 2),
        (4840.0, 0),  # the weights alone fill it; the floor holds for more memory
        (160.0, 0),  # the weights do not fit, one cache does
    ],
)
def test_memory_holds_whole_sequences_beside_the_weights(memory: float, batch: int) -> None:
    assert memory_batch(TINY, replace(CHIP, memory_bytes=memory), Setting(context=10)) == (batch, 4840)


@pytest.mark.parametrize(("memory", "left"), [(4999.0, "0.0 GB"), (159.0, "0.0 GB")])
def test_one_sequence_beyond_memory_is_refused(memory: float, left: str) -> None:
    with pytest.raises(UnusableInput, match=f"`context=` 10 is beyond memory.* chip leaves {left}"):
        memory_batch(TINY, replace(CHIP, memory_bytes=memory), Setting(context=10))


def test_a_tied_head_is_read_and_not_held_twice() -> None:
    tied = replace(TINY, weights=(EMBEDDING, QUERIES, NORM, replace(HEAD, counted=False)))

    assert memory_batch(tied, CHIP, Setting()) == (None, 2840)  # (1000 + 400 + 20) x 2
    assert floor(tied, CHIP, Setting()).weight_bytes == 2860  # (10 + 400 + 20 + 1000) x 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"batch": 0}, "`batch=` 0"),
        ({"batch": 1_000_001}, "`batch=` 1000001"),
        ({"context": 0}, "`context=` 0"),
        ({"context": 100_000_001}, "`context=` 100000001"),
        ({"tp": 0}, "`tp=` 0"),
        ({"tp": 1025}, "`tp=` 1025 is impossible"),
        ({"tp": 3}, "`tp=` 3 does not divide the 8"),
        ({"tp": 16}, "`tp=` 16 does not divide the 8"),
    ],
)
def test_what_is_out_of_range_is_refused(options: dict[str, int], said: str) -> None:
    with pytest.raises(UnusableInput, match=said):
        check(TINY, Setting(**options))  # type: ignore[arg-type]


def test_the_ends_of_the_ranges_are_possible() -> None:
    check(TINY, Setting())
    check(TINY, Setting(batch=1_000_000, context=100_000_000, tp=8))
    check(replace(TINY, heads=1024), Setting(tp=1024))


def test_an_unknown_method_of_quantisation_needs_the_type_stated() -> None:
    odd = replace(TINY, stored=(("experts", "fp8"), ("layers", "unknown")))

    with pytest.raises(UnusableInput, match="say the type with `weights=`"):
        check(odd, Setting())
    check(odd, Setting(weights="fp8"))


@pytest.mark.parametrize(
    ("weight", "stored", "setting", "name"),
    [
        (QUERIES, (), {}, "bf16"),
        (QUERIES, (), {"weights": "fp8"}, "fp8"),
        (QUERIES, (), {"head": "fp8"}, "bf16"),
        (HEAD, (), {"head": "fp8"}, "fp8"),
        (HEAD, (), {"head": "fp8", "weights": "int4"}, "fp8"),
        (HEAD, (), {"weights": "int4"}, "int4"),
        (ROUTER, (), {"head": "fp8"}, "fp8"),
        (ROUTER, (), {"weights": "int4"}, "int4"),
        (NORM, (), {"weights": "int4"}, "bf16"),
        (EMBEDDING, (), {"weights": "int4", "head": "fp8"}, "bf16"),
        (QUERIES, (("layers", "fp8"),), {}, "fp8"),
        (QUERIES, (("layers", "fp8"),), {"weights": "int4"}, "int4"),
        (HEAD, (("layers", "fp8"),), {}, "bf16"),
        (NORM, (("layers", "fp8"),), {}, "bf16"),
        (ROUTER, (("layers", "fp8"),), {}, "bf16"),
        (EXPERTS, (("layers", "fp8"),), {}, "fp8"),
        (EXPERTS, (("experts", "mxfp4"),), {}, "mxfp4"),
        (QUERIES, (("experts", "mxfp4"),), {}, "bf16"),
        (EXPERTS, (("experts", "mxfp4"), ("layers", "fp8")), {}, "mxfp4"),
    ],
)
def test_a_tensor_is_stored_as_stated_else_as_published(
    weight: Weight, stored: tuple[tuple[str, str], ...], setting: dict[str, Any], name: str
) -> None:
    assert dtype_of(weight, replace(TINY, stored=stored), Setting(**setting)).name == name


def test_a_model_that_names_no_type_is_taken_to_have_16_bits() -> None:
    untold = replace(TINY, native="")

    assert dtype_of(NORM, untold, Setting()).name == "bf16"
    assert dtype_of(NORM, replace(TINY, native="fp32"), Setting()).name == "fp32"
    assert [kv_dtype(m, Setting()).name for m in (untold, replace(TINY, native="fp32"))] == ["bf16", "fp32"]
    assert kv_dtype(TINY, Setting(kv="fp8")).name == "fp8"


def test_only_matrices_and_experts_are_divided_among_gpus() -> None:
    assert [held_here(w, Setting(tp=4)) for w in (EMBEDDING, QUERIES, NORM, HEAD, ROUTER, EXPERTS)] == [
        1,
        0.25,
        1,
        0.25,
        1,
        0.25,
    ]


def test_distinct_experts_are_read_and_one_tokens_experts_are_worked_on() -> None:
    least = floor(SPARSE, CHIP, Setting(batch=2))

    assert least.experts_read == 1.75  # 4 x (1 - 0.75^2)
    assert least.weight_bytes == 510  # (80 + 400 x 1.75 / 4) x 2
    assert least.flops == 720  # 2 x 2 x (80 + 100)
    assert least.compute_seconds == pytest.approx(0.72)
    assert [d.what for d in least.doubts] == ["no_context", "even_routing"]


@pytest.mark.parametrize("peak", [1.0, 10.0, 1000.0, 20_000.0])
def test_the_crossover_with_experts_is_where_reading_takes_as_long_as_the_work(peak: float) -> None:
    cross = floor(SPARSE, replace(CHIP, peaks={"bf16": peak}), Setting()).crossover_batch

    assert cross is not None
    read = (80 + 400 * (1 - 0.75**cross)) * 2 / 100
    assert cross * 2 * 180 / peak == pytest.approx(read, rel=1e-6)


def test_the_router_is_repeated_on_every_gpu_at_the_crossover_too() -> None:
    cross = floor(SPARSE, CHIP, Setting(tp=2)).crossover_batch

    assert cross is not None
    read = (80 + 200 * (1 - 0.75**cross)) * 2 / 100
    assert cross * 2 * (80 + 50) / 1000 == pytest.approx(read, rel=1e-6)


@pytest.mark.parametrize(("head", "precision"), [(39, "fp8"), (41, "bf16")])
def test_the_precision_is_that_of_most_of_the_work(head: int, precision: str) -> None:
    # queries in fp8: 400 parameters; the head in bf16: ten times `head`
    model = replace(TINY, stored=(("layers", "fp8"),), weights=(replace(HEAD, n=head), QUERIES))
    gpu = replace(CHIP, peaks={"bf16": 1000.0, "fp8": 2000.0})

    least = floor(model, gpu, Setting())

    assert least.fc_precision == precision
    assert least.compute_seconds == pytest.approx(2 * 400 / 2000 + 2 * head * 10 / 1000)


def test_experts_count_as_often_as_one_token_uses_them() -> None:
    # 100 of 400 parameters of experts in fp8 against 130 in bf16
    model = replace(SPARSE, stored=(("layers", "fp8"),), weights=(EXPERTS, replace(HEAD, n=13)))

    assert floor(model, replace(CHIP, peaks={"bf16": 1000.0, "fp8": 2000.0}), Setting()).fc_precision == "bf16"


def test_work_of_one_precision_adds_up() -> None:
    # 400 + 400 in fp8 against 500 in bf16
    model = replace(TINY, stored=(("layers", "fp8"),), weights=(replace(HEAD, n=50), QUERIES, replace(QUERIES, name="o_proj")))

    assert floor(model, replace(CHIP, peaks={"bf16": 1000.0, "fp8": 2000.0}), Setting()).fc_precision == "fp8"


def test_a_device_without_a_peak_for_the_type_is_refused() -> None:
    with pytest.raises(UnusableInput, match="chip has no known peak for int8"):
        floor(TINY, CHIP, Setting(weights="int8"))


@pytest.mark.parametrize(
    ("peak", "context", "sizes"),
    [
        (1000.0, None, [1, 2, 4, 8, 16]),  # crossover 10
        (800.0, None, [1, 2, 4, 8]),  # crossover 8
        (1000.0, 10, [1, 2, 4, 8, 16]),  # memory holds 32
        (1000.0, 60, [1, 2, 4, 5, 8, 16]),  # (10000 - 4840) / 960 = 5.4
        (20.0, None, [1]),  # crossover 0.2
        (1e9, None, [2**n for n in range(13)]),  # at most 4096
    ],
)
def test_batches_are_powers_of_two_up_to_the_crossover_and_the_batch_of_memory(
    peak: float, context: int | None, sizes: list[int]
) -> None:
    assert batches(TINY, replace(CHIP, peaks={"bf16": peak}), Setting(context=context)) == sizes


def test_a_table_over_batches_has_the_floor_of_each() -> None:
    rows = over_batches(TINY, CHIP, Setting(context=10), [3, 33]).to_dicts()

    assert rows[0] == {
        "batch": 3,
        "weight_bytes": 2900,
        "kv_bytes": 480,
        "bytes_per_token": pytest.approx(3380 / 3),
        "memory_seconds": pytest.approx(33.8),
        "compute_seconds": pytest.approx(9.36),
        "step_seconds": pytest.approx(33.8),
        "ceiling_seconds": None,  # nobody saw a kernel on this chip
        "typical_seconds": None,
        "tokens_per_second": pytest.approx(3 / 33.8),
        "useful_intensity": pytest.approx(9360 / 3380),
        "bound": "memory",
        "experts_read": None,
        "fits": True,
    }
    assert rows[1]["fits"] is False


def least(**facts: Any) -> Floor:
    known: dict[str, Any] = {
        "setting": Setting(batch=4),
        "weight_bytes": 100.0,
        "kv_bytes": 20.0,
        "flops": 1.0,
        "gpu_bytes": 120.0,
        "memory_seconds": 2.0,
        "compute_seconds": 1.0,
        "crossover_batch": 8.0,
        "memory_batch": 8,
        "resident_bytes": 100.0,
        "experts_read": 0.0,
        "fc_precision": "bf16",
    }
    return Floor(**{**known, **facts})


def test_bytes_and_rates_follow_from_the_parts() -> None:
    one = least()

    assert (one.bytes, one.bytes_per_token, one.step_seconds, one.tokens_per_second) == (120, 30, 2, 2)
    assert least(compute_seconds=8.0).tokens_per_second == 0.5


@pytest.mark.parametrize(("compute", "bound"), [(1.9, "memory"), (2.0, "memory"), (2.1, "compute")])
def test_the_longer_term_bounds_the_step(compute: float, bound: str) -> None:
    assert least(compute_seconds=compute).bound == bound


@pytest.mark.parametrize(("allowed", "fits"), [(3, False), (4, True), (5, True), (None, None)])
def test_a_batch_fits_up_to_the_one_that_memory_allows(allowed: int | None, fits: bool | None) -> None:
    assert least(memory_batch=allowed).fits is fits


@pytest.mark.parametrize(
    ("allowed", "cross", "first"),
    [(7, 8.0, "memory"), (8, 8.0, "crossover"), (9, 8.0, "crossover"), (None, 8.0, None), (7, None, None)],
)
def test_a_growing_batch_meets_the_lower_limit_first(allowed: int | None, cross: float | None, first: str | None) -> None:
    assert least(memory_batch=allowed, crossover_batch=cross).first == first


UNTOLD = "names no data type"


@pytest.mark.parametrize(
    ("model", "gpu", "setting", "said"),
    [
        ({"native": ""}, {}, {"context": 10}, [UNTOLD]),
        ({"native": ""}, {}, {"context": 10, "weights": "bf16"}, []),
        ({}, {}, {"context": 10}, []),
        ({}, {}, {}, ["without `context=`"]),
        ({}, {}, {"context": 64}, []),
        ({"longest_context": 9}, {}, {"context": 10}, ["context 10 is beyond the 9 tokens"]),
        ({"longest_context": None}, {}, {"context": 10}, []),
        ({}, {"memory_bytes": 4840.0}, {"context": 10}, []),
        ({}, {"memory_bytes": 4839.0}, {"context": 10}, ["do not fit into 1 x"]),
        ({}, {"memory_bytes": 3440.0}, {"context": 10, "tp": 2}, []),
        ({}, {"memory_bytes": 3439.0}, {"context": 10, "tp": 2}, ["do not fit into 2 x"]),
        ({}, {"memory_bytes": None}, {"context": 10}, []),
        ({}, {"doubts": ("boosts higher", "chip is cut down")}, {"context": 10}, ["chip: boosts higher", "chip is cut down"]),
    ],
)
def test_doubts_say_what_the_floor_rests_on(
    model: dict[str, Any], gpu: dict[str, Any], setting: dict[str, Any], said: list[str]
) -> None:
    told = floor(replace(TINY, **model), replace(CHIP, **gpu), Setting(**setting)).doubts

    assert len(told) == len(said)
    assert all(part in whole for part, whole in zip(said, map(note, told), strict=True))
