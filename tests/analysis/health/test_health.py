"""What a capture lacks is said once, in grammar, with advice that would help."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from ncu_roofline.analysis.health.health import NOTES, WEAKENS, Finding, health, reader
from ncu_roofline.analysis.roofline.groups import group
from ncu_roofline.analysis.roofline.overview import overview
from ncu_roofline.analysis.run.tokens import totals
from ncu_roofline.analysis.study import Study, study
from ncu_roofline.capture.capture import Capture, Device
from ncu_roofline.present.documents.answer import answer
from ncu_roofline.present.documents.summary import document
from ncu_roofline.present.documents.words_health import doubt, words
from ncu_roofline.readers.csv.csv import gaps
from ncu_roofline.readers.report.report import Loss
from tests.kernels import EVERY_SCALAR, EVERY_TENSOR, H100, SASS, TENSOR, launch, launches

BYTES = {"dram__bytes.sum": 1e8}
WORK = {**EVERY_SCALAR, **EVERY_TENSOR}


def of(*rows: dict[str, object], device: Device = H100) -> Study:
    return study(Capture(launches=launches(*rows), device=device, name="x.ncu-rep"))


def found(taken: Study) -> dict[str, Finding]:
    return {finding.code: finding for finding in health(taken)}


def told(taken: Study) -> str:
    return " ".join(document(taken, overview(taken), group(taken.launches), health(taken)).answer)


def test_one_launch_is_spoken_of_in_the_singular() -> None:
    lacking = found(of(launch(m={"gpu__time_duration.sum": 1e-6}, seconds=1e-6)))

    assert words(lacking["missing_flops"])[0] == "No FLOPs for the only launch: its side and limit are unknown."
    assert words(lacking["missing_bytes"])[0].startswith("No DRAM bytes for the only launch: its bytes")
    assert "the only launch (100 % of the time) lasts under 20 µs" in words(lacking["short_kernels"])[0].lower()


def test_where_only_some_launches_lack_a_counter_the_advice_is_not_to_collect_it() -> None:
    some = found(of(launch(m={**WORK, **BYTES}), launch(m=WORK, seconds=None)))

    assert (
        words(some["missing_bytes"])[1]
        == words(some["missing_time"])[1]
        == "The other launches have them: capture these kernels again."
    )


def test_where_nothing_was_measured_nothing_else_is_complained_of() -> None:
    nothing = found(of(launch(seconds=None)))

    assert {"missing_bytes", "missing_flops", "cache_flushed"}.isdisjoint(nothing)
    assert nothing["unmeasured"].severity == "blocks"


def test_an_unknown_device_is_told_once_and_by_its_name() -> None:
    nameless, strange = of(launch(m=BYTES), device=Device()), of(launch(m=BYTES), device=Device(name="Voodoo 2"))

    assert sum("--gpu NAME" in doubt(f) for f in health(nameless)) == 1
    assert "does not say which GPU" in words(found(nameless)["device_unknown"])[0]
    assert words(found(strange)["device_unknown"])[0].startswith("Voodoo 2 is not a known GPU")


def test_integer_dot_products_are_no_missing_counter() -> None:
    dots = found(of(launch("mul_mat_vec_q", m={**WORK, **BYTES})))

    assert "missing_flops" not in dots
    assert words(dots["integer_dots"])[0].startswith("The only launch computes with integer dot products")


def test_a_lower_bound_is_said_to_be_one() -> None:
    partial = told(of(launch(m={SASS.format("fadd"): 5e6, SASS.format("fmul"): 0.0, SASS.format("ffma"): 0.0, **BYTES})))

    assert "at least 5 MFLOP executed" in partial
    assert "100 % of them by a partial count of the work: the side is not certain" in partial
    assert "at least" not in told(of(launch(m={**WORK, SASS.format("fadd"): 5e6, **BYTES})))


def test_no_work_among_what_was_counted_is_not_no_work() -> None:
    assert "no FLOPs among the kinds of work that were counted" in told(
        of(launch("copy_kernel", m={f"{TENSOR}bf16_dst_fp32.sum": 0.0, **BYTES}))
    )
    assert "0 FLOP executed" in told(of(launch(m={**WORK, **BYTES})))


def test_integer_work_is_counted_in_operations() -> None:
    integer = told(of(launch(m={**WORK, f"{TENSOR}int8.sum": 3e9, **BYTES})))

    assert "3 GOP executed" in integer
    assert "OP/B by datasheet" in integer
    assert "FLOP/B" not in integer


def test_a_share_of_the_time_whose_limit_is_known_is_not_called_one_of_all_time() -> None:
    # 0.1 s without FLOPs, 0.1 s near neither roof: half of the time has a limit
    half = told(of(launch(m=BYTES, seconds=0.1), launch(m={**WORK, **BYTES}, seconds=0.1)))

    assert "100 % of the time whose limit is known (50.0 %) goes to kernels too small for either roof" in half


def test_where_all_is_compute_bound_no_percentage_of_nothing_is_printed() -> None:
    heavy = told(of(launch(m={**WORK, f"{TENSOR}bf16_dst_fp32.sum": 1e12, "dram__bytes.sum": 1e6}, seconds=2e-3)))

    assert "None of the bytes are moved left of the ridge" in heavy


def test_what_a_partial_count_leaves_out_is_named_and_nothing_advised_where_the_main_kinds_were_counted() -> None:
    rare = {k: v for k, v in WORK.items() if "_op_d" not in k and "fp64" not in k}
    note = found(of(launch(m={**rare, **BYTES})))["partial_flops"]
    scalar = found(of(launch("copy_kernel", m={**EVERY_SCALAR, **BYTES})))["partial_flops"]

    assert words(note)[0] == "FLOPs of the only launch leave out rare kinds of work. Work in fp64, fp64 tensor was not counted."
    assert words(note)[1] == ""
    assert words(scalar)[0].endswith("Work in bf16, fp16, tf32, fp64 tensor and 3 more kinds was not counted.")
    assert "recipe" in words(scalar)[1]


def test_a_count_that_lacks_only_rare_kinds_of_work_is_told_without_reserve() -> None:
    rare = {k: v for k, v in WORK.items() if "_op_d" not in k and "fp64" not in k}
    sentences = told(of(launch(m={**rare, SASS.format("fadd"): 5e6, **BYTES})))

    assert "5 MFLOP executed" in sentences
    assert "at least" not in sentences and "partial" not in sentences


SPARSE = "sm__ops_path_tensor_op_hmma_src_fp16_dst_fp32_sparsity_on.sum"


def test_sparse_instructions_are_said_to_count_whole_and_their_peak_is_none_of_them() -> None:
    counted = {**WORK, **BYTES, SPARSE: 1e6}
    peak = {**WORK, **BYTES, f"{SPARSE}.peak_sustained": 1e6}

    assert "sparse" in found(of(launch(m=counted), launch(m={**counted, SPARSE: 0.0})))
    assert "sparse" not in found(of(launch(m={**counted, SPARSE: 0.0})))
    assert "sparse" not in found(of(launch(m=peak)))


def test_processes_are_said_to_be_mixed_from_two_on() -> None:
    two = found(of(launch(process=1), launch(process=2)))

    assert words(two["several_processes"])[0].startswith("Launches of 2 processes are mixed")
    assert "several_processes" not in found(of(launch(process=1), launch(process=1)))


def test_the_kinds_that_were_not_counted_are_those_of_the_launches_that_lack_some() -> None:
    fp32 = {SASS.format(op): 5e6 for op in ("fadd", "fmul", "ffma")}
    told = found(of(launch(m={**fp32, **BYTES}), launch(m={**WORK, **BYTES})))

    assert words(told["partial_flops"])[0].startswith("FLOPs of 1 of 2 launches are a lower bound. Work in fp64")


def test_launches_whose_useful_work_tells_the_side_are_not_said_to_lack_it() -> None:
    lacking = of(launch(m=BYTES), launch(m=BYTES))

    def message(*sides: str | None) -> str:
        known = lacking.launches.with_columns(bound=pl.Series(sides, dtype=lacking.launches["bound"].dtype))
        return words(found(replace(lacking, launches=known))["missing_flops"])[0]

    assert message(None, None) == "No FLOPs for both launches: their side and limit are unknown."
    assert message("memory", None).endswith("their limit is unknown, and the side of 1.")
    assert message("memory", "memory").endswith("their limit is unknown.")


def test_a_launch_of_unknown_flops_is_neither_a_lower_bound_nor_another_launchs_missing_side() -> None:
    taken = of(launch(m=BYTES), launch(m={**WORK, **BYTES}))
    sides = pl.Series(["memory", None], dtype=taken.launches["bound"].dtype)
    told = found(replace(taken, launches=taken.launches.with_columns(bound=sides)))

    assert words(told["missing_flops"])[0] == "No FLOPs for 1 of 2 launches: its limit is unknown."
    assert "partial_flops" not in told


def test_bytes_by_a_clock_that_nobody_measured_are_not_said_to_be_within_a_thousandth() -> None:
    busy = {"gpu__dram_throughput.avg.pct_of_peak_sustained_elapsed": 50.0}
    clocked = {**busy, "dram__cycles_elapsed.avg.per_second": 2.6e9}
    device = replace(H100, memory_hertz=2.6e9, bus_bits=5120)
    told = found(of(launch(m=busy), launch(m=clocked), device=device))

    assert words(told["derived_nominal"])[0].startswith("DRAM bytes of 1 of 2 launches are rebuilt from the share")
    assert "nominal clock" in words(told["derived_nominal"])[0]
    assert words(told["derived_cycles"])[0].startswith("DRAM bytes of 1 of 2 launches are rebuilt from active memory cycles")


READS = {"dram__bytes_read.sum": 57e6}
SHARE = {"dram__throughput.avg.pct_of_peak_sustained_elapsed": 82.0}


def said(taken: Study) -> tuple[str, ...]:
    return answer(taken, overview(taken), totals(taken.launches, taken.run), pl.DataFrame())


def test_reads_alone_are_told_as_what_they_are() -> None:
    alone = of(launch(m=READS), launch(m=READS))
    findings = found(alone)

    assert words(findings["missing_writes"])[0] == "Both launches read 114 MB together; what they wrote is unknown."
    assert "missing_bytes" not in findings
    assert said(alone)[0] == "114 MB read in the whole capture; what was written is unknown."


def test_reads_of_some_launches_are_the_least_that_was_read() -> None:
    some = of(launch(m=READS), launch(m={"dram__bytes_read.sum": None}))

    assert said(some)[0].startswith("At least 57 MB read in the whole capture")


def test_nothing_is_called_unknown_beside_its_own_measurement() -> None:
    rated = found(of(launch(seconds=None, m={**SHARE})))
    shared = found(of(launch(m=SHARE), device=Device()))

    assert words(rated["missing_time"])[0].startswith("No duration for the only launch: its rates are known")
    assert words(shared["device_unknown"])[0].endswith("the side is unknown.")


def test_launches_without_bytes_have_their_side_told_by_number() -> None:
    left = of(launch(m={**WORK, **READS, f"{TENSOR}bf16_dst_fp32.sum": 57e7}))  # at most 10 FLOP/byte

    assert said(left)[1] == "The only launch is left of the ridge."


def test_a_shape_that_nobody_confirmed_is_said_to_be_that() -> None:
    name = "bmm_Bfloat16_E2m1E2m1_Fp32_t128x8x512_sm120"
    counted = {**WORK, **BYTES, "sm__inst_executed_pipe_tensor.sum": 1e5}
    findings = found(of(launch(name, m=counted), device=Device(compute_capability="12.0")))

    assert "16,384 operations per FP4 instruction (m16n8k64)" in words(findings["derived_instructions"])[0]


def test_what_readers_say_of_launches_that_are_lost_stands_before_what_is_merely_noted() -> None:
    numbers = pl.DataFrame({"process": [0, 0], "profiler_id": [3, 7]})
    lost = [*gaps(numbers), *Loss(size=100, damaged=1, stopped=60).notes(3, cut=True)]
    assert len(lost) == 4
    taken = of(launch("a"))
    for note in (*lost, "4 launches were asked for (--launch-count) and 3 are in the report: the program ended before."):
        assert [f.severity for f in reader(replace(taken, notes=(note,)))] == [WEAKENS], note
    assert [f.severity for f in reader(replace(taken, notes=("The clocks are those of the datasheet.",)))] == [NOTES]
