"""Roles by what a kernel reads and where, with every name hidden; bytes by hand, captures with known truth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

import ncu_roofline as nr
from ncu_roofline.analysis.roles import behaviour
from ncu_roofline.analysis.roles.roles import assign
from ncu_roofline.capture.capture import Capture, Fact, Run
from ncu_roofline.capture.schema import ROLE_SOURCES, ROLES
from ncu_roofline.knowledge.models.models import load
from tests.kernels import launch, launches

MEASURED = Path(__file__).parents[3] / "fixtures" / "measured"
TRUTH = pl.read_csv(Path(__file__).with_name("measured_families.tsv"), separator="\t", quote_char=None)
"""Each distinct kernel of each capture of ours with its family, settled by hand: by range, name, grid and bytes."""
LLAMA = load("llama-3.1-8b")

# Llama 3.1 8B in BF16, N x K x 2 bytes: QKV 6144 x 4096, O 4096 x 4096, gate and up 28672 x 4096, down 4096 x 14336
QKV, OUT, GATE_UP, DOWN, HEAD = 50.33e6, 33.55e6, 234.88e6, 117.44e6, 1050.67e6
SMALL = 0.03e6
CACHE = 67.11e6  # 8 sequences x 2,048 tokens x 2 x 8 heads x 128 x 2 bytes
LAYER = (SMALL, QKV, SMALL, CACHE, SMALL, OUT, SMALL, GATE_UP, SMALL, DOWN)
FAMILIES = (None, "fc", None, "attention", None, "fc", None, "fc", None, "fc")


def frame(reads: tuple[float, ...], names: tuple[str, ...] = (), writes: tuple[float, ...] = ()) -> pl.DataFrame:
    rows = [launch(names[i] if names else "kernel_17") for i in range(len(reads))]
    written = writes or tuple(0.0 for _ in reads)
    named = assign(launches(*rows))
    return named.with_columns(dram_read_bytes=pl.Series(reads), dram_write_bytes=pl.Series(written))


def roles(reads: tuple[float, ...], **given: tuple[str, ...] | tuple[float, ...]) -> list[str | None]:
    told = behaviour.decide(frame(reads, **given), Run(), LLAMA)  # type: ignore[arg-type]
    found: list[str | None] = told["role"].cast(pl.String).to_list()
    return found


def hidden(capture: Capture, *, alike: bool) -> Capture:
    """The capture without ranges, every kernel called kernel_N (one N for equal names, or for all)."""
    numbers = [17] * capture.launches.height if alike else capture.launches["name"].rank("dense").to_list()
    names = pl.Series("name", [f"kernel_{n}" for n in numbers])
    bare = capture.launches.with_columns(names, names.alias("kernel"), nvtx=pl.lit(None, capture.launches.schema["nvtx"]))
    return replace(capture, launches=bare)


def families(capture: str, names: pl.Series) -> list[str]:
    rows = TRUTH.filter(pl.col("capture") == capture)
    known = list(zip(rows["name begins with"], rows["family"], strict=True))
    return [next(family for begin, family in known if name.startswith(begin)) for name in names]


@pytest.mark.parametrize("alike", [False, True], ids=["names-hidden", "one-name-for-all"])
@pytest.mark.parametrize("name", sorted(set(TRUTH["capture"])))
def test_95_percent_of_the_bytes_have_the_right_family_without_names(name: str, alike: bool) -> None:
    model = "qwen3-30b-a3b" if "moe" in name else "llama-3.1-8b"
    capture = nr.read(MEASURED / f"{name}.ncu-repz", model=model)
    told = nr.study(hidden(capture, alike=alike)).launches
    right = told["family"].cast(pl.String) == pl.Series(families(name, capture.launches["name"]))
    evidenced = told.filter(pl.col("role_source") == "behaviour")

    assert float(told.filter(right)["dram_bytes"].sum()) >= 0.95 * float(told["dram_bytes"].sum())
    assert told.filter(~right & (pl.col("role_source") == "behaviour")).is_empty()
    assert set(evidenced["role_rule"]) == {"matrix-bytes", "cache-bytes"}


@pytest.mark.parametrize("name", ["h100-dense-b8", "h100-moe-b8"])
def test_without_a_model_behaviour_says_nothing(name: str) -> None:
    told = nr.study(hidden(nr.read(MEASURED / f"{name}.ncu-repz"), alike=True)).launches

    assert told["role"].null_count() == told.height


@pytest.mark.parametrize("name", ["h100-dense-b8", "h100-moe-b8", "h100-fp8-b8"])
@pytest.mark.parametrize("model", ["llama-2-7b", "qwen2.5-7b", "phi-2", "gpt-oss-20b", "gemma-2-9b", "llama-3.1-70b"])
def test_a_model_that_was_not_run_makes_no_cache_of_a_matrix(name: str, model: str) -> None:
    capture = nr.read(MEASURED / f"{name}.ncu-repz", model=model)
    told = nr.study(hidden(capture, alike=True)).launches
    wrong = told["family"].cast(pl.String) != pl.Series(families(name, capture.launches["name"]))

    assert told.filter(wrong & (pl.col("role_source") == "behaviour")).is_empty()


def test_matrices_in_order_are_fc_and_the_reader_between_them_is_attention() -> None:
    assert roles(LAYER * 2 + (SMALL, HEAD)) == [*FAMILIES * 2, None, "fc"]


def test_one_layer_is_no_pattern() -> None:
    assert roles(LAYER) == [None] * len(LAYER)


def test_equal_kernels_of_layers_that_the_window_cuts_are_the_same() -> None:
    names = tuple(f"kernel_{at}" for at in range(len(LAYER)))
    cut = roles(LAYER[5:] + LAYER * 2 + LAYER[:4], names=names[5:] + names * 2 + names[:4])

    assert cut == [*FAMILIES[5:], *FAMILIES * 2, *FAMILIES[:4]]


def test_attention_that_reads_as_much_as_the_output_projection_is_the_first_of_the_two() -> None:
    # batch 4 at context 2,048: half of 67.11 MB is 33.55 MB, the bytes of O exactly
    assert roles(tuple(OUT if read == CACHE else read for read in LAYER) * 2) == list(FAMILIES * 2)


def test_fp8_weights_are_half_as_large_and_the_cache_is_not() -> None:
    halves = tuple(read / 2 if read not in (SMALL, CACHE) else read for read in LAYER)

    assert roles(halves * 3) == list(FAMILIES * 3)


def test_a_copy_of_the_cache_is_no_attention() -> None:
    writes = tuple(read if read == CACHE else 0.0 for read in LAYER)

    assert roles(LAYER * 2, writes=writes * 2) == ["fc" if role == "fc" else None for role in FAMILIES * 2]


def test_two_products_of_unfused_attention_share_the_cache() -> None:
    halves = (*LAYER[:3], CACHE / 2, SMALL, CACHE / 2, *LAYER[4:])

    assert roles(halves * 2) == [*FAMILIES[:3], "attention", None, "attention", *FAMILIES[4:]] * 2


def test_bytes_in_another_order_say_nothing() -> None:
    assert set(roles((DOWN, OUT, GATE_UP, QKV, CACHE) * 3)) == {None}


def test_a_batched_gemv_between_the_projections_is_attention_against_its_name() -> None:
    gemv = "void gemvNSP_kernel<__nv_bfloat16>(int)"
    names = tuple(gemv if role else "kernel_17" for role in FAMILIES)
    told = behaviour.decide(frame(LAYER * 2, names * 2), Run(), LLAMA)

    assert told["role"].cast(pl.String).to_list() == list(FAMILIES * 2)
    assert told["role_source"].cast(pl.String).to_list()[3] == "behaviour"
    assert told["family"].cast(pl.String).to_list()[3] == "attention"
    assert told["role_source"].cast(pl.String).to_list()[1] == "name"


def test_a_projection_that_its_name_calls_attention_is_fc_where_attention_stands_beside_it() -> None:
    names = tuple("attention_kernel" if read == QKV else "kernel_17" for read in LAYER)

    assert roles(LAYER * 2, names=names * 2) == list(FAMILIES * 2)


def test_the_user_is_never_overruled() -> None:
    given = frame(LAYER * 2).with_columns(
        role=pl.lit("copy").cast(pl.Enum(ROLES)),
        role_source=pl.lit("user").cast(pl.Enum(ROLE_SOURCES)),
        role_rule=pl.lit("mine"),
    )

    assert set(behaviour.decide(given, Run(), LLAMA)["role"]) == {"copy"}


def test_numbers_of_experts_that_two_products_share_tell_them_in_any_layer() -> None:
    # Qwen3 30B: gate and up of an expert 2 x 768 x 2,048 x 2 bytes, down half of that; 46 and 52 of 128 are read
    expert = 6.29e6
    layers = [(20.97e6, 33.6e6, 16.78e6, SMALL, n * expert, SMALL, n * expert / 2) for n in (46, 52)]
    told = behaviour.decide(frame((*layers[0], *layers[1])), Run(), load("qwen3-30b-a3b"))

    assert told["role"].cast(pl.String).to_list() == ["fc", "attention", "fc", None, "fc", None, "fc"] * 2


def test_tensor_parallel_ranks_read_their_share() -> None:
    halves = tuple(read / 2 if read not in (SMALL,) else read for read in LAYER)
    run = Run(tp=Fact(2, "given"), weights=Fact("bf16", "given"))

    assert behaviour.decide(frame(halves * 2), run, LLAMA)["role"].cast(pl.String).to_list() == list(FAMILIES * 2)
