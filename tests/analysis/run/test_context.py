"""The context: cached tokens per sequence, by the launch that reads the cache."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from ncu_roofline.analysis.run.context import context, with_context
from ncu_roofline.capture.capture import UNKNOWN, Run
from ncu_roofline.knowledge.models.model import Cache, Model
from ncu_roofline.present.documents.words_notes import note
from tests.analysis.model.test_useful import decode
from tests.small_model import CACHE, MODEL
from tests.stating import stating

CUDNN = "cudnn_generated_fort_native_sdpa_sm80_flash_fprop_wmma_f16_knob_35_16x128x128_1x4x1_cga1x1x1_kernel0_0"


def attending(**columns: Any) -> pl.DataFrame:
    """Launches of attention, a layer each."""
    values = {"role": "attention", "cache_dtype": "bf16", **columns}
    long = max((len(v) for v in values.values() if isinstance(v, list)), default=1)
    rows = [{k: v[n] if isinstance(v, list) else v for k, v in values.items()} for n in range(long)]
    return pl.concat([decode(**{"layer": n, **row}) for n, row in enumerate(rows)])


def read(tokens: float, *, sequences: int = 2, elements: float = 8) -> float:
    """Bytes of so many cached tokens in bf16."""
    return tokens * sequences * elements * 2


def seen(reads: list[float | None], model: Model | None = MODEL, **facts: Any) -> Any:
    on = attending(dram_read_bytes=reads)
    return context(on, stating(**{"batch": 2, **facts}), model).value


def test_the_context_is_the_median_of_what_attention_reads_per_sequence() -> None:
    assert seen([read(90), read(100), read(120)]) == 100
    assert seen([read(100), None]) == 100
    assert seen([read(100.4)]) == 100
    assert seen([None]) is None
    assert seen([0.0]) is None
    assert seen([0.0, read(100)]) == 100
    fact = context(attending(dram_read_bytes=[read(7)]), stating(batch=2), MODEL)
    assert (fact.value, fact.origin) == (7, "inferred")


@pytest.mark.parametrize(
    ("named", "stated", "assumed"), [(None, None, True), ("bf16", None, False), (None, "bf16", False), ("bf16", "bf16", False)]
)
def test_a_context_says_where_the_type_of_the_cache_was_taken_for_granted(
    named: str | None, stated: str | None, assumed: bool
) -> None:
    on = attending(cache_dtype=[named], dram_read_bytes=[read(7)])
    fact = context(on, stating(batch=2, kv=stated), MODEL)
    assert (fact.value, "taken to be bf16" in fact.evidence) == (7, assumed)


def test_all_bytes_stand_in_where_reads_were_not_counted_apart() -> None:
    on = attending(dram_bytes=[read(100), read(100)], dram_read_bytes=[None, read(80)])
    assert context(on, stating(batch=2), MODEL).value == 90


def test_every_gpu_reads_its_share_of_the_heads_as_far_as_they_go() -> None:
    assert seen([read(100, elements=4)], tp=2) == 100
    assert seen([read(100, elements=2)], tp=8) == 100


@pytest.mark.parametrize("facts", [{"batch": None}, {}])
def test_without_batch_or_model_no_context_is_told(facts: dict[str, Any]) -> None:
    on = attending(dram_read_bytes=[read(100)])
    assert context(on, stating(**facts), MODEL) == UNKNOWN
    assert context(on, stating(batch=2), None) == UNKNOWN
    assert context(on.head(0), stating(batch=2), MODEL) == UNKNOWN


def test_caches_of_different_sizes_or_windows_alone_tell_no_context() -> None:
    reads: list[float | None] = [read(100)]
    assert seen(reads, replace(MODEL, caches=(CACHE, replace(CACHE, elements=16)))) is None
    assert seen(reads, replace(MODEL, caches=(replace(CACHE, window=4), replace(CACHE, window=4)))) is None
    assert seen(reads, replace(MODEL, caches=(CACHE, Cache(kind="conv")))) == 100


def test_layers_that_read_a_window_are_left_to_the_others() -> None:
    half = replace(MODEL, caches=(CACHE, replace(CACHE, window=4)))
    reads: list[float | None] = [read(100), read(4), read(4), read(50)]
    # of 100, 4, 4 and 50 only those count that read at least half of the most: 100 and 50
    assert seen(reads, half) == 75
    assert seen([*reads, read(40)], half) == 75
    assert seen(reads, MODEL) == 27
    # a layer that caches nothing reads nothing: it is no reason to leave any out
    assert seen(reads, replace(MODEL, caches=(CACHE, Cache(kind="conv")))) == 27
    one = replace(CACHE, elements=1, split=1)
    small: list[float | None] = [read(100, elements=1), read(4, elements=1), read(4, elements=1)]
    assert seen(small, replace(MODEL, caches=(one, replace(one, window=4)))) == 100


def test_a_context_that_nobody_stated_is_that_of_the_reads() -> None:
    on = attending(dram_read_bytes=[read(100)])
    run, said = with_context(on, stating(batch=2), MODEL)
    assert (run.context.value, said) == (100, ())
    run, said = with_context(on, stating(batch=2), None)
    assert (run.context, said) == (UNKNOWN, ())


@pytest.mark.parametrize(("stated", "contradicted"), [(80, False), (100, False), (125, False), (79, True), (134, True)])
def test_a_stated_context_stands_and_a_quarter_off_is_said(stated: int, contradicted: bool) -> None:
    on = attending(dram_read_bytes=[read(100)])
    run, said = with_context(on, stating(batch=2, context=stated), MODEL)
    assert run.context.value == stated
    assert [f"stated as {stated}" in note(s) and "100 tokens" in note(s) for s in said] == [True] * contradicted


def test_a_stated_context_stands_where_reads_tell_none() -> None:
    run, said = with_context(attending(dram_read_bytes=[None]), stating(batch=2, context=50), MODEL)
    assert (run.context.value, said) == (50, ())


def test_the_launch_that_reads_the_cache_tells_not_the_one_that_combines() -> None:
    # two launches a layer: one reads the cache of 100 tokens, the other, of a name that no rule knows, its partial results
    on = attending(layer=[0, 0, 1, 1], dram_read_bytes=[read(100), read(2), read(100), read(2)])

    assert context(on, stating(batch=2), MODEL).value == 100


def test_a_kernel_that_tells_its_cache_needs_no_model() -> None:
    # 8 sequences of 2,048 tokens, 8 heads of 128 wide, keys and values, 2 bytes: 67,108,864 bytes
    on = decode(kernel=CUDNN, role="attention", layer=0, dram_read_bytes=8 * 2048 * 8 * 128 * 2 * 2.0).with_columns(
        grid=pl.Series([[4, 8, 8]], dtype=pl.Array(pl.Int64, 3))
    )
    fact = context(on, stating(batch=8), None)

    assert (fact.value, "taken to be bf16" in fact.evidence) == (2048, True)
    assert context(on, stating(batch=8, kv="fp8"), None).value == 4096


def test_a_kernel_that_tells_its_sequences_needs_no_batch() -> None:
    # the grid is (splits, 8 heads, 8 sequences): 2,048 tokens as above
    on = decode(kernel=CUDNN, role="attention", layer=0, dram_read_bytes=8 * 2048 * 8 * 128 * 2 * 2.0).with_columns(
        grid=pl.Series([[4, 8, 8]], dtype=pl.Array(pl.Int64, 3))
    )

    assert context(on, Run(), None).value == 2048


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("step[DECODE bs=64 g_sq=64 g_sqsq=64 g_sqsk=131072 g_sk=131072]", 2048),
        ("step[DECODE bs=64 g_sq=64 g_sk=131072 g_sqsq=64 g_sqsk=131072]", 2048),
        # two rows each: 131,072 cached tokens with the new ones, 130,944 before, so 2,046 to 2,048 for each of 64
        ("step[DECODE bs=64 g_sq=128 g_sqsq=256 g_sqsk=262144 g_sk=131072]", 2047),
        ("step[TARGET_VERIFY bs=4 g_sq=16 g_sk=4000]", 998),
        ("step[DECODE bs=64]", None),
    ],
)
def test_sglangs_ranges_tell_the_context_where_they_have_its_size(name: str, told: int | None) -> None:
    assert context(attending().with_columns(nvtx=pl.lit([name])), Run(), None).value == told


def test_the_engines_range_tells_the_context_and_the_bytes_stand_beside_it() -> None:
    # 32 sequences hold 55,086 tokens: 1,721.4 each; attention reads those of 2 x 860.7
    name = "execute_32_context_0(sq0sk0sqsq0sqsk0)_generation_32(sq32sk55086sqsq32sqsk55086)"
    on = attending(dram_read_bytes=[read(55086 / 32, sequences=32)]).with_columns(nvtx=pl.lit([name]))
    fact = context(on, stating(batch=32), MODEL)

    assert (fact.value, fact.evidence) == (1721, "vLLM's step ranges, cached tokens over sequences")
    assert [(w.rank, w.agrees) for w in fact.witnesses] == [("nvtx", True), ("strong", True)]
