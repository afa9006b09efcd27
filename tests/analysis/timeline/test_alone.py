"""Whether a step carries a piece of a prompt, by its rows (synthetic): by hand."""

import polars as pl
import pytest

from ncu_roofline.analysis.study import Choices
from ncu_roofline.analysis.timeline.alone import padded
from ncu_roofline.analysis.timeline.steps import Stepped, stepped
from ncu_roofline.capture.timeline import RANGES, SCHEMA, Timeline

NORM = "void vllm::rms_norm_kernel<c10::BFloat16, 8>(c10::BFloat16*)"
ATTENTION = "kernel_unified_attention_2d"
PRODUCT = "nvjet_tst_64x8_64x16_2x1_v_bz_TNT"
EMBEDDING = "void at::native::(anonymous namespace)::indexSelectSmallIndex<c10::BFloat16, long>(int)"
DRAW = "void at::native::reduce_kernel<512, 1, at::native::ReduceOp<float, at::native::ArgMaxOps<float>, unsigned int, long, 4, 4>>(int)"


def step(rows: int, sampled: int, layers: int = 2) -> list[tuple[str, int]]:
    """Names and blocks of one pass over so many rows, of which so many are sampled."""
    layer = [(NORM, rows), (PRODUCT, 7), (ATTENTION, 9), (PRODUCT, 7), (NORM, rows), (PRODUCT, 7), (PRODUCT, 7)]
    return [(EMBEDDING, 3), *(layers * layer), (NORM, rows), (PRODUCT, 99), (DRAW, sampled)]


def timed(*steps: list[tuple[str, int]], ranges: tuple[str, ...] = (), phase: str | None = None) -> Stepped:
    """The passes one after another, a kernel each microsecond; a range of the engine around each."""
    rows: list[tuple[object, ...]] = []
    marks: list[tuple[str, int, int, int]] = []
    for number, kernels in enumerate(steps):
        first = len(rows)
        for name, blocks in kernels:
            shape = ([blocks, 1, 1], [128, 1, 1])
            rows.append(("kernel", name, 1000 * len(rows), 900, 0, 7, None, None, *shape, None, None, None))
        if ranges:
            marks.append((ranges[number], 1000 * first, 1000 * len(rows) - 100, 0))
    events = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    opened = pl.DataFrame(marks, schema=RANGES, orient="row")
    return stepped(Timeline(source="synthetic", events=events, ranges=opened), Choices(phase=phase))


def test_a_graph_holds_the_next_multiple_of_eight() -> None:
    held = pl.DataFrame({"n": [1, 2, 3, 5, 8, 9, 64, 65, 256, 257]}).select(held=padded(pl.col("n")))["held"]

    assert held.to_list() == [1, 2, 4, 8, 8, 16, 64, 72, 256, 272]


@pytest.mark.parametrize(("ran", "batch"), [(8, 8), (8, 5), (16, 9)])
def test_rows_that_are_sampled_or_pad_a_graph_are_decode(ran: int, batch: int) -> None:
    found = timed(*[step(ran, batch)] * 3)

    assert (found.steps.value, len(found.times)) == (3, 2)


def test_a_step_of_rows_that_nothing_tells_from_prompt_tokens_leaves_the_number_open() -> None:
    # 40 sequences and 24 tokens of a prompt are 64 rows, of which 41 are sampled: less than twice as many
    found = timed(step(40, 40), step(64, 41), step(40, 40), step(40, 40))

    assert (found.steps.value, found.steps.low, found.steps.high) == (None, 3, 4)
    assert found.times == pytest.approx((18e-6, 18e-6))


VLLM = "execute_new_{}_cached_{}"


def test_a_later_piece_of_a_prompt_is_no_step_though_its_range_tells_no_new_request() -> None:
    passes = [step(512, 1), step(512, 1), step(4, 4), step(4, 4), step(4, 4)]
    names = (VLLM.format(1, 0), VLLM.format(0, 1), *[VLLM.format(0, 4)] * 3)
    found = timed(*passes, ranges=names)

    assert found.steps.value == 3
    assert found.times == pytest.approx((18e-6, 18e-6))
    assert found.study.run.batch.value == 4


def test_ranges_of_new_requests_are_no_decode_steps() -> None:
    found = timed(step(68, 5), step(4, 4), ranges=(VLLM.format(1, 4), VLLM.format(0, 4)))

    assert found.steps.value == 1


@pytest.mark.parametrize("name", ["executeStep: 0 ctx reqs, 4 gen reqs", "_forward_step: 0 ctx reqs, 4 gen reqs"])
def test_ranges_of_earlier_executors_of_tensorrt_llm_are_steps(name: str) -> None:
    found = timed(*[step(4, 4)] * 3, ranges=(name,) * 3)

    assert (found.steps.value, found.study.run.batch.value) == (3, 4)


def test_a_request_that_was_put_off_and_begins_anew_is_no_decode() -> None:
    plain, again = "execute_context_0(0)_generation_4(4)", "execute_context_0(0)_generation_4(515)"
    found = timed(step(4, 4), step(515, 4), step(4, 4), step(4, 4), ranges=(plain, again, plain, plain))

    assert found.steps.value == 3
