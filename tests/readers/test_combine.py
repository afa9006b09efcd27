"""Several files are one capture: in the given order, on one device, whatever each of them measured."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest

from ncu_roofline.analysis.work.work import work
from ncu_roofline.capture.capture import Capture, Fact, Run
from ncu_roofline.errors import UnreadableCapture
from ncu_roofline.readers.combine import combine
from tests.kernels import H100, h100, launch, launches

OPCODES = "sass__inst_executed_per_opcode_with_modifier_all"
REPORT = Capture(
    launches=launches(launch("a", m={OPCODES: [{"id": "HMMA.16816.F32", "value": 3.0}], "dram__bytes.sum": 5.0})),
    device=H100,
    name="a.ncu-rep",
    notes=("one note",),
)
TABLE = Capture(
    launches=launches(launch("b", m={"lts__t_bytes.sum": 7.0})).with_columns(pl.lit(9.0).alias(f"m:{OPCODES}")),
    device=H100,
    name="b.csv",
    notes=("one note",),
)


@pytest.mark.parametrize("order", [(REPORT, TABLE), (TABLE, REPORT)], ids=["report first", "table first"])
def test_opcodes_of_a_report_stand_beside_their_sum_in_a_table(order: tuple[Capture, Capture]) -> None:
    both = combine(order)
    done = work(both.launches, h100(), H100).sort("kernel")

    assert both.launches["index"].to_list() == [0, 1]
    assert both.launches["kernel"].to_list() == [c.launches["kernel"][0] for c in order]
    assert done["tensor_flops"].to_list() == [3 * 2 * 16 * 8 * 16, None]
    assert done["dram_bytes"].to_list() == [5, None]
    assert done["l2_bytes"].to_list() == [None, 7]


def test_one_note_of_many_files_is_said_once() -> None:
    assert combine([REPORT, TABLE]).notes == ("2 files: one note",)


def test_a_fact_on_which_files_differ_is_unknown_and_says_so() -> None:
    first, second = (replace(REPORT, run=Run(cache_control=Fact(v, "command line"))) for v in ("all", "none"))
    fact = combine([first, second]).run.cache_control

    assert (fact.value, fact.evidence) == (None, "differs between the files: all, none")


def test_files_of_different_devices_are_refused_by_name() -> None:
    other = replace(TABLE, device=replace(H100, name="NVIDIA A100"))

    with pytest.raises(UnreadableCapture, match=r"mixed devices .*NVIDIA A100 in b\.csv"):
        combine([REPORT, other])
