"""Steps, layers and batch, found in the order and the grids of launches."""

from __future__ import annotations

import polars as pl
import pytest

from ncu_roofline.analysis.roles.roles import assign
from ncu_roofline.analysis.run.ranks import gpus
from ncu_roofline.analysis.run.sequence import Segmented, facts, segment
from ncu_roofline.capture.capture import Run
from ncu_roofline.capture.schema import ROLES, enum
from ncu_roofline.knowledge.kernels.roles import load_rules
from ncu_roofline.knowledge.models import models
from ncu_roofline.present.documents.words_notes import note
from ncu_roofline.readers import read
from tests.analysis.run.inferred import infer_batch
from tests.corpus import CORPUS, needs_corpus
from tests.kernels import launch, launches
from tests.stating import stating

GUJIALIANG = "gujialiang123__MOEresearch__results__"
TRITON = GUJIALIANG + "2026-06-09_sglang_triton_sweep__ncu__"
LFM = GUJIALIANG + "2026-07-08_v6_ncu__lfm2.5-8b-a1b__cookbook_baseline__"
GEMMA = (
    "EricLBuehler__mistral.rs__gemma4_cuda_sweep_20260525__26b_bf16_moe_profile_20260526__vllm_26b_bf16_d128_g16_ncu_range.csv"
)


def of_capture(name: str) -> Segmented:
    """A public capture, segmented by the roles of the rules."""
    folder = "rep" if name.endswith(".ncu-rep") else "csv"
    return segment(assign(read(CORPUS / folder / name).launches, load_rules(None)))


def sequence(*roles: str, grids: dict[int, list[int]] | None = None) -> pl.DataFrame:
    """Launches of these roles, each named by its role, in this order."""
    rows = [launch(role, index=at, grid=(grids or {}).get(at, [1, 1, 1])) for at, role in enumerate(roles)]
    return launches(*rows).with_columns(role=pl.Series(roles, dtype=enum(ROLES)))


LAYER = ("norm", "fc", "attention", "fc", "norm", "fc")
STEP = ("embedding", *LAYER, *LAYER, "norm", "fc", "sampling")


def test_a_step_ends_at_its_sampling_and_a_layer_begins_at_its_norm() -> None:
    found = segment(sequence(*STEP, *STEP)).launches.with_columns(step=pl.int_range(pl.len()) // len(STEP))
    # 1 launch before the layers, twice 6 in layers, 3 after them
    assert found["layer"].head(len(STEP)).to_list() == [None] + [0] * 6 + [1] * 6 + [None] * 3
    assert found["position"].head(8).to_list() == [None, 0, 1, 2, 3, 4, 5, 0]


def test_only_whole_steps_are_counted() -> None:
    cut = segment(sequence(*STEP, *STEP, *STEP[:-1]))
    assert cut.launches["step_whole"].to_list() == [True] * 32 + [False] * 15


def test_a_window_without_any_end_holds_no_step() -> None:
    middle = segment(sequence(*LAYER[3:], *LAYER, *LAYER, *LAYER[:2]))
    assert middle.steps.value is None
    assert middle.layers.value is None
    assert middle.whole_layers == 2
    assert middle.launches["layer"].to_list() == [0] * 3 + [1] * 6 + [2] * 6 + [3] * 2


def test_norms_of_queries_and_keys_do_not_begin_a_layer() -> None:
    layer = ("norm", "fc", "norm", "fc", "norm", "attention", "fc", "norm", "fc")
    # the norms at 2 and 4 of each layer run once per head: another grid
    heads = {9 * at + place: [32, 1, 1] for at in range(3) for place in (2, 4)}
    found = segment(sequence(*layer * 3, grids=heads)).launches
    assert found["layer"].to_list() == [0] * 9 + [1] * 9 + [2] * 9


def test_a_routers_softmax_is_no_attention() -> None:
    layer = ("norm", "fc", "attention", "fc", "norm", "fc", "attention", "fc")
    frame = sequence("embedding", *layer * 4, "norm", "fc", "sampling")
    softmax = pl.when(pl.int_range(pl.len()) % 8 == 7).then(pl.lit("softmax_warp_forward")).otherwise("kernel")
    found = segment(frame.with_columns(kernel=softmax))
    assert found.layers.value == 4
    assert found.launches["layer"].max() == 3


def test_without_norms_a_layer_is_one_period_long() -> None:
    names = ["q", "k", "v", "qk", "av", "o", "gate", "up", "down", "q", "k", "v"]
    rows = launches(*[launch(n, index=at) for at, n in enumerate(names)])
    found = segment(rows.with_columns(role=pl.Series(["fc"] * 12, dtype=enum(ROLES)))).launches
    assert found["layer"].to_list() == [0] * 9 + [1] * 3
    assert found["layer_whole"].to_list() == [True] * 9 + [False] * 3


def test_an_empty_capture_has_columns_and_no_facts() -> None:
    empty = segment(sequence(*STEP).clear())
    assert {"phase", "step", "layer", "position"} <= set(empty.launches.columns)
    assert empty.steps.value is None


def test_the_batch_is_the_smallest_norm_grid_because_query_norms_run_per_head() -> None:
    grids = {1: [32, 1, 1], 3: [1024, 1, 1]}  # 32 rows; 32 rows x 32 heads
    frame = sequence(
        "embedding", "norm", "fc", "norm", "attention", "fc", "norm", "fc", "sampling", grids=grids | {6: [32, 1, 1]}
    )
    names = {"norm": "RMSNormKernel", "sampling": "SamplingFromProbKernel"}
    named = frame.with_columns(
        kernel=pl.col("role").cast(pl.String).replace(names),
        grid=pl.when(pl.col("role") == "sampling").then(pl.lit([32, 1, 1], pl.Array(pl.Int64, 3))).otherwise("grid"),
    )
    found = segment(named)
    batch = infer_batch(found.launches)
    assert (batch.value, batch.origin) == (32, "inferred")
    assert "norm grids" in batch.evidence


def test_a_stated_fact_wins_and_the_contradiction_is_said() -> None:
    run, doubts = facts(segment(sequence(*STEP, *STEP)), stating(layers=3))
    assert run.layers.value == 3
    assert [d for d in doubts if "layers is stated as 3, but the capture shows 2" in note(d)]


def test_ranks_that_take_turns_are_gpus_and_runs_in_a_row_are_not() -> None:
    norms = pl.when(pl.col("role") == "norm").then(pl.lit("RMSNormKernel")).otherwise("kernel")  # one row: decode
    one = sequence(*STEP).with_columns(device=pl.lit(0, pl.Int64), process=pl.lit(1, pl.Int64), kernel=norms)
    other = one.with_columns(process=pl.lit(2, pl.Int64), index=pl.col("index") + len(STEP))
    in_a_row = pl.concat([one, other])
    turns = in_a_row.with_columns(index=(pl.col("index") % len(STEP)) * 2 + pl.col("process"))
    assert (gpus(in_a_row), segment(in_a_row).steps.value) == (1, 2)
    assert (gpus(turns), segment(turns).steps.value) == (2, 1)


def test_a_part_of_a_hybrid_model_is_not_scaled_to_all_of_it() -> None:
    window = segment(sequence(*LAYER, *LAYER, *LAYER[:2]))
    assert facts(window, Run(), models.load("qwen3-30b-a3b"))[0].layers.value == 48
    hybrid = facts(window, Run(), models.load("lfm2.5-8b-a1b"))[0].layers
    assert (hybrid.value, "a part is not scaled to all" in hybrid.evidence) == (None, True)


def test_two_processes_are_segmented_apart() -> None:
    one, other = sequence(*STEP), sequence(*STEP).with_columns(index=pl.col("index") + len(STEP))
    rows = pl.concat([one.with_columns(process=pl.lit(1, pl.Int64)), other.with_columns(process=pl.lit(2, pl.Int64))])
    mixed = rows.with_columns(index=(pl.col("index") % len(STEP)) * 2 + pl.col("process") - 1).sort("index")
    found = segment(mixed).launches.filter(pl.col("process") == 2)
    assert found["layer"].to_list() == [None] + [0] * 6 + [1] * 6 + [None] * 3


@needs_corpus
def test_the_vllm_capture_holds_one_prefill_pass_and_sixteen_steps_of_593_launches() -> None:
    found = of_capture(GEMMA)
    run, _ = facts(found, Run())
    values = {n: getattr(run, n).value for n in ("steps", "prefill_passes", "layers", "batch")}
    assert values == {"steps": 16, "prefill_passes": 1, "layers": 30, "batch": 1}
    # 622 + 16 x 593 = 10,110 launches; one more copy follows the last sampling
    sizes = found.launches.filter("step_whole").group_by("phase", "step").len().sort("phase", "step")
    assert sizes["len"].to_list() == [593] * 16 + [622]


@needs_corpus
def test_the_hf_capture_holds_one_layer_and_three_kernels_of_the_next() -> None:
    found = of_capture("rishi-more-2003__decode-roofline__bench__results__ncu_gemv.csv")
    # q k v qk av o gate up down, then q k v
    assert found.launches["layer"].to_list() == [0] * 9 + [1] * 3
    assert found.launches["position"].to_list() == [*range(9), 0, 1, 2]
    assert found.whole_layers == 1
    assert infer_batch(found.launches).value == 1


@needs_corpus
@pytest.mark.parametrize(
    ("capture", "batch"),
    [
        (TRITON + "R_short_decode__ncu_raw_full.csv", 1),
        (TRITON + "R_medium_balanced__ncu_raw_full.csv", 8),
        (TRITON + "R_concurrent_decode__ncu_raw_full.csv", 32),
        (LFM + "R_decode_c1_out2k__ncu.ncu-rep", 1),
        (LFM + "R_conc_ref__ncu.ncu-rep", 32),
        (LFM + "R_decode_c128_out256__ncu.ncu-rep", 128),
    ],
)
def test_the_batch_of_a_partial_window_is_read_off_its_grids(capture: str, batch: int) -> None:
    found = of_capture(capture)
    assert infer_batch(found.launches).value == batch
    assert found.steps.value is None


@needs_corpus
def test_hybrid_layers_are_counted_by_their_convolutions() -> None:
    found = of_capture(LFM + "R_decode_c1_out2k__ncu.ncu-rep")
    # twice norm, in_proj, conv, out_proj, norm, gate_up, activation, w2; then the beginning of an attention layer
    assert found.launches["layer"].to_list() == [0] * 8 + [1] * 8 + [2] * 4
    assert found.whole_layers == 2


@needs_corpus
def test_a_prefill_is_no_decode_step() -> None:
    found = of_capture(TRITON + "R_long_prefill__ncu_raw_full.csv")
    assert found.launches["phase"].unique().to_list() == ["prefill"]
    assert infer_batch(found.launches).value is None
