"""Several files in one call: counted together where only the batch differs, else refused; whole results check single kernels."""

from __future__ import annotations

from pathlib import Path

import pytest

import ncu_roofline as nr
from ncu_roofline.analysis.run.files import Seen, beside, borders, unlike
from ncu_roofline.analysis.run.tokens import totals
from ncu_roofline.capture.capture import Capture, File, Run
from ncu_roofline.errors import UnusableInput
from ncu_roofline.readers.combine import combine
from tests.analysis.run.test_cases import layers, step
from tests.kernels import launches

MEASURED = Path("fixtures/measured")


def together(*files: list[dict[str, object]]) -> Capture:
    """Files of launches, read as one capture."""
    return combine([Capture(launches=launches(*rows), name=f"{n}.ncu-rep") for n, rows in enumerate(files)])


def test_further_files_begin_where_those_before_them_end() -> None:
    files = [File(name=str(n), launches=n, run=Run()) for n in (3, 4, 5)]
    assert (borders(files), borders([])) == ([3, 7], [])


def test_a_file_ends_a_step_though_the_next_one_goes_on_like_it() -> None:
    # one file ends behind 2 of 4 layers, the next begins with 2 layers and the head: no step is in either
    one = step(8)
    found = nr.study(together(step(8) + one[:19], one[19:]))
    assert (found.run.steps.value, totals(found.launches, found.run).tokens) == (1, 8)


def test_files_of_another_batch_are_counted_together_and_the_batch_is_a_range() -> None:
    found = nr.study(nr.read([MEASURED / f"h100-dense-{b}.ncu-repz" for b in ("b8", "b32")]))
    assert (found.run.batch.low, found.run.batch.high) == (8, 32)
    assert totals(found.launches, found.run).tokens == 40


@pytest.mark.parametrize(
    ("others", "why"),
    [
        (("h100-dense-b8", "h100-moe-b8"), "one with experts, one without"),
        (("h100-dense-b8", "h100-fp8-b8"), "FC reads of a step 1.46 times those of the other"),
        (("h100-dense-b8", "h100-dense-b8-flushed"), "different cache control"),
        (("h100-dense-b8", "h200-dense-b8"), "mixed devices"),
    ],
)
def test_files_of_another_model_device_or_protocol_are_refused_with_the_reason(others: tuple[str, str], why: str) -> None:
    with pytest.raises((UnusableInput, nr.RooflineError), match=why):
        nr.study(nr.read([MEASURED / f"{name}.ncu-repz" for name in others]))


def test_files_of_another_depth_are_refused() -> None:
    with pytest.raises(UnusableInput, match="4 layers, 6 layers"):
        nr.study(together(step(8, 4), step(8, 6)))
    # a window without a whole step says nothing of its depth
    assert nr.study(together(step(8, 4), layers(8, 2))).run.steps.value == 1


def test_experts_that_another_batch_chooses_make_no_other_model() -> None:
    few, many = (Seen(layers=4, experts=True, fc_bytes=size) for size in (1e9, 2e9))
    assert unlike(few, many) == ""
    assert unlike(Seen(layers=4, experts=False, fc_bytes=1e9), Seen(layers=4, experts=False, fc_bytes=1.1e9)) == ""


def test_the_result_of_a_whole_graph_bears_out_the_sum_of_the_kernels() -> None:
    whole = "h200-whole-dense8-moe8-dense32.ncu-repz"
    found = nr.study(nr.read([MEASURED / "h200-dense-b8.ncu-repz", MEASURED / whole]))
    check = beside(found.every)
    # 3.0735 GB one by one (known.tsv) and 3.070 GB as one graph: 0.1 % more
    assert check is not None
    assert (check.kernels, check.results, round(100 * check.over, 1)) == (3073519872, 3, 0.1)
    assert beside(nr.study(MEASURED / "h200-dense-b8.ncu-repz").every) is None
