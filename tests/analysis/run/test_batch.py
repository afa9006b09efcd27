"""The batch of decode steps: what it is read off, and when it is not named."""

from __future__ import annotations

import polars as pl
import pytest

from ncu_roofline.analysis.run.batch import rows_of_tiles, with_tiles
from ncu_roofline.capture.capture import UNKNOWN, Fact, Run
from ncu_roofline.capture.schema import PHASES, ROLES, enum
from tests.analysis.run.inferred import infer_batch
from tests.kernels import launch, launches
from tests.stating import stating

KERNELS = {"norm": "RMSNormKernel", "sampling": "SamplingFromProbKernel", "verify": "rejection_greedy_sample_kernel"}
"""Of each, the blocks along x are its rows."""


def steps(*each: dict[str, int], phase: str = "decode") -> pl.DataFrame:
    """Decode steps, each of one launch of these kinds with so many rows."""
    rows = [(number, kind, size) for number, step in enumerate(each) for kind, size in step.items()]
    frame = launches(*(launch(KERNELS[kind], grid=[size, 1, 1]) for _, kind, size in rows))
    return placed(frame, [None] * len(rows), [number for number, *_ in rows], phase)


def placed(frame: pl.DataFrame, roles: list[str | None], of_step: list[int | None], phase: str = "decode") -> pl.DataFrame:
    return frame.with_columns(
        role=pl.Series(roles, dtype=enum(ROLES)),
        phase=pl.lit(phase, enum(PHASES)),
        layer=pl.lit(None, pl.Int64),
        step=pl.Series(of_step, dtype=pl.Int64),
    )


def told(value: int, evidence: str) -> Fact[int]:
    return Fact(value, "inferred", evidence)


def unknown(evidence: str) -> Fact[int]:
    return Fact(None, "unknown", evidence)


@pytest.mark.parametrize(
    ("step", "found"),
    [
        ({"norm": 8}, told(8, "norm grids: 8 rows in every decode step")),
        ({"norm": 1}, told(1, "norm grids: 1 row in every decode step")),
        ({"sampling": 3}, told(3, "sampling grids: 3 rows in every decode step")),
        ({"norm": 4, "sampling": 4}, told(4, "norm grids, sampling grids: 4 rows in every decode step")),
        # padded to the size of a CUDA graph, less than twice as many
        ({"norm": 8, "sampling": 5}, told(5, "sampling grids: 5 rows in every decode step")),
        ({"norm": 10, "sampling": 5}, unknown("a step works on 10 rows and samples 5: drafts or prompt tokens are among them")),
        # fewer rows than are sampled: of one half of a batch, or of another pass
        ({"norm": 2, "sampling": 4, "verify": 2}, unknown("rejection-sampling grids say 2; sampling grids say 4")),
        ({"norm": 12, "sampling": 4, "verify": 3}, told(3, "rejection-sampling grids: 3 rows in every decode step")),
    ],
)
def test_the_batch_of_a_step_is_what_it_verifies_or_samples_else_its_rows(step: dict[str, int], found: Fact[int]) -> None:
    assert infer_batch(steps(step)) == found


@pytest.mark.parametrize(
    ("step", "found"),
    [
        ({"norm": 12, "verify": 4}, told(4, "rejection-sampling grids: 4 rows in every decode step")),
        ({"norm": 12, "sampling": 12}, unknown("the 12 rows of a step hold drafts beside the sequences")),
        ({"sampling": 6}, unknown("the 6 rows of a step hold drafts beside the sequences")),
    ],
)
def test_where_drafts_are_accepted_only_what_counts_sequences_tells(step: dict[str, int], found: Fact[int]) -> None:
    assert infer_batch(steps(step), accepted=2.5) == found


def test_nothing_that_counts_rows_leaves_the_batch_unknown() -> None:
    other = launches(launch("copy_kernel", grid=[8, 1, 1]))

    assert infer_batch(placed(other, ["copy"], [0])) == UNKNOWN
    assert infer_batch(steps({"norm": 8}, phase="prefill")) == UNKNOWN


def test_a_batch_that_changes_is_a_range_and_no_value() -> None:
    few, many = {"norm": 2}, {"norm": 8}

    assert infer_batch(steps(few, *[many] * 4)) == Fact(None, "unknown", "rows change between steps, from 2 to 8", 2, 8)
    assert infer_batch(steps({"norm": 5}, few, *[many] * 3)).span == (2, 8)


def test_kinds_of_kernels_that_contradict_each_other_leave_the_batch_unknown_and_are_named() -> None:
    rope = launch("rotary_embedding_kernel", grid=[16, 1, 1])
    frame = placed(launches(launch(KERNELS["norm"], grid=[8, 1, 1]), rope), [None, None], [0, 0])

    assert infer_batch(frame) == unknown("norm grids say 8; rope grids say 16")


def test_an_engines_own_range_wins_over_grids_and_the_grid_stands_against_it() -> None:
    marked = launch(KERNELS["norm"], grid=[16, 1, 1], nvtx=["step[DECODE bs=5]"])

    found = infer_batch(placed(launches(marked), [None], [0]))

    assert found == told(5, "SGLang's step ranges: 5 rows in every decode step")
    assert [(w.says, w.low, w.agrees) for w in found.witnesses] == [
        ("SGLang's step ranges", 5, True),
        ("norm grids", 16, False),
    ]


def products(*flops: float, step: int = 0) -> pl.DataFrame:
    """Products of a matrix of 10 x 100, one a layer: 2,000 FLOPs for every row of the tiles."""
    frame = placed(launches(*[launch("gemm")] * len(flops)), ["fc"] * len(flops), [step] * len(flops))
    work = {"tensor_flops": pl.Series(flops), "flops_source": "counter", "matrix_n": 10, "matrix_k": 100, "experts_read": None}
    return frame.with_columns(
        layer=pl.int_range(pl.len()), **{k: v if isinstance(v, pl.Series) else pl.lit(v) for k, v in work.items()}
    )


def test_tensor_work_over_a_known_matrix_bounds_the_batch_and_never_votes() -> None:
    # tiles of 8 and 16 rows in the first step, of 32 in the second: no step has more than 32
    rows = pl.concat([products(16_000.0, 32_000.0), products(64_000.0, step=1)])
    assert rows_of_tiles(rows) == 32
    bound = with_tiles(rows, Run()).batch
    assert (bound.value, bound.low, bound.high, bound.witnesses[0].rank) == (None, None, 32, "bound")
    known = with_tiles(rows, Run(batch=told(40, "norm grids"))).batch
    assert (known.value, known.witnesses[0].agrees) == (40, False)
    assert with_tiles(rows, stating(batch=4)).batch.witnesses == ()
    guessed = rows.with_columns(flops_source=pl.lit("instructions"))
    assert rows_of_tiles(guessed) is None


def test_steps_that_nothing_tells_of_do_not_count() -> None:
    frame = pl.concat(
        [steps({"norm": 8}, {"norm": 8}), steps({}, {"norm": 10, "sampling": 5}).with_columns(step=pl.lit(7, pl.Int64))]
    )
    numbered = frame.with_columns(index=pl.int_range(pl.len()))

    assert infer_batch(numbered) == told(8, "norm grids: 8 rows in every decode step")


def test_launches_of_no_step_are_one_group() -> None:
    frame = launches(*(launch(KERNELS["norm"], grid=[8, 1, 1]) for _ in range(3)))

    assert infer_batch(placed(frame, [None] * 3, [None] * 3)) == told(8, "norm grids: 8 rows in every decode step")


def test_launches_of_no_step_are_no_part_of_the_first_steps() -> None:
    for step in (0, 1):
        frame = launches(launch(KERNELS["norm"], grid=[8, 1, 1]), launch(KERNELS["norm"], grid=[6, 1, 1]))
        assert infer_batch(placed(frame, [None] * 2, [step, None])) == Fact(
            None, "unknown", "rows change between steps, from 6 to 8", 6, 8
        )


@pytest.mark.parametrize(
    ("role", "found"), [(None, told(1, "matrix-vector products: 1 row in every decode step")), ("fc", UNKNOWN)]
)
def test_a_product_of_one_row_tells_if_it_is_the_first_product(role: str | None, found: Fact[int]) -> None:
    frame = launches(launch("other"), launch("gemv2T_kernel"))

    assert infer_batch(placed(frame, [role, "fc"], [0, 0])) == found
