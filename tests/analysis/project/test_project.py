"""Projections: identity, bandwidths of the table, widths, batches, and what a capture taken there says."""

from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from ncu_roofline.analysis.project.project import error, project
from ncu_roofline.analysis.project.scales import Target
from ncu_roofline.analysis.study import Study
from ncu_roofline.cli import main
from ncu_roofline.errors import UnusableInput
from ncu_roofline.knowledge.devices import gpus
from ncu_roofline.present.documents.project import assumptions, document
from tests import planted
from tests.synthetic import H200


def run(**options: Any) -> Study:
    return planted.study(**{"batch": 8, "layers": 8, **options})


def memory_bound(study: Study) -> Study:
    """Only the launches that the memory roof limits."""
    return replace(study, launches=study.launches.filter(pl.col("limited_by") == "memory"))


@pytest.mark.parametrize(
    "target", [Target(gpu=gpus.find("h100 sxm")), Target(batch=8), Target(tp=1), Target(weights="bf16", kv="bf16")]
)
def test_projecting_to_where_it_is_is_the_identity(target: Target) -> None:
    found = project(run(), target)
    for quantity in ("seconds", "bytes"):
        assert (
            found.total[f"{quantity}_low"] == found.total[f"{quantity}_high"] == pytest.approx(found.total[quantity], rel=1e-12)
        )


@pytest.mark.parametrize("name", ["h200", "b200", "a100-sxm-80gb"])
def test_memory_bound_decode_follows_the_bandwidths_of_the_table(name: str) -> None:
    other = gpus.find(name)
    found = project(memory_bound(run()), Target(gpu=other))
    ratio = other.bandwidth / gpus.find("h100 sxm").bandwidth  # 1.43 and 2.39 to H200 and B200 (mission.md)
    # a tenth to either side for another share of the roof; the slow end has a fixed part as well
    slow, fast = sorted(found.speedup)
    assert fast / max(ratio, 1) >= 0.99 if ratio > 1 else slow <= ratio
    assert (fast if ratio > 1 else slow) == pytest.approx(ratio / 0.9 if ratio > 1 else ratio / 1.1, rel=0.01)


def test_latency_bound_kernels_are_kept_as_they_are() -> None:
    small = replace(run(), launches=run().launches.with_columns(pl.lit("latency").alias("limited_by")))
    found = project(small, Target(gpu=gpus.find("b200")))
    assert sorted(found.speedup) == pytest.approx([1 / 1.25, 1 / 0.75])  # a quarter to either side on another device
    assert project(small, Target(batch=8)).speedup == (1.0, 1.0)


def test_no_share_of_latency_is_told_where_the_limit_of_most_of_the_time_is_unknown() -> None:
    study = run()
    attention = pl.col("family").cast(pl.String) == "attention"
    unknown = study.launches.with_columns(limited_by=pl.when(attention).then(pl.lit("latency")))
    assert study.launches.filter(attention)["seconds"].sum() < study.launches["seconds"].sum() / 2
    found = project(replace(study, launches=unknown), Target(batch=8))
    assert found.latency_share is None
    assert not [line for line in document(found).answer if "latency-bound" in line]


def test_what_limits_a_kernel_that_nothing_tells_may_be_no_roof() -> None:
    study = with_columns(planted.plain({"count": 2, "seconds": [1e-5, 9e-5]}, batch=1))
    device = gpus.find("h100 sxm")
    twice = replace(device, name="twice", bandwidth=2 * device.bandwidth)
    untold = study.launches.with_columns(limited_by=pl.lit(None, pl.String))
    found = project(replace(study, launches=untold, gpu=device), Target(gpu=twice))
    assert found.total["seconds_low"] == pytest.approx(5e-5)  # both with the bandwidth: (10 + 90) / 2 us
    assert found.total["seconds_high"] == pytest.approx(1e-4)  # both as before
    assert found.untold_share == 1.0
    assert "What limits 100 % of the time was not measured" in list(assumptions(found))[2]


def test_the_far_end_gives_each_kernel_a_fixed_part_of_the_shortest_launch() -> None:
    study = planted.plain({"count": 2, "seconds": [1e-5, 9e-5]}, batch=1)
    device = gpus.find("h100 sxm")
    twice = replace(device, name="twice", bandwidth=2 * device.bandwidth)
    found = project(replace(with_columns(study), gpu=device), Target(gpu=twice))
    assert found.total["seconds_low"] == pytest.approx(5e-5)  # (10 + 90) / 2 us
    assert found.total["seconds_high"] == pytest.approx(6e-5)  # 10 + (90 - 10) / 2 + 10 us


def with_columns(study: Study) -> Study:
    """A study by hand with the columns that places a launch on its roof."""
    launches = study.launches.with_columns(
        path=pl.lit("bf16"), compute_share=pl.lit(0.01), useful_flops=pl.lit(None, pl.Float64), index=pl.int_range(pl.len())
    )
    return replace(study, launches=launches)


def test_arithmetic_keeps_a_kernel_from_becoming_faster_than_its_peak() -> None:
    device = gpus.find("h100 sxm")
    study = planted.plain({"count": 1, "seconds": 1e-4}, batch=1)
    busy = replace(with_columns(study), gpu=device)
    busy = replace(busy, launches=busy.launches.with_columns(compute_share=pl.lit(0.8)))
    faster = replace(device, name="x", bandwidth=4 * device.bandwidth)
    # a quarter of the time by bytes, but at 0.8 of the peak already: 0.8 of the time
    assert project(busy, Target(gpu=faster)).total["seconds_low"] == pytest.approx(0.8e-4)


def test_a_path_that_the_other_device_lacks_is_done_by_the_next_wider_one() -> None:
    device, other = gpus.find("h100 sxm"), gpus.find("a100-sxm-80gb")
    busy = replace(with_columns(planted.plain({"count": 1, "seconds": 1e-4}, batch=1)), gpu=device)
    busy = replace(busy, launches=busy.launches.with_columns(path=pl.lit("fp8"), compute_share=pl.lit(1.0)))
    found = project(busy, Target(gpu=other))
    # 1978.9 TFLOP/s of FP8 against 312 of BF16: 6.3 times as long, where the bandwidths say 1.6
    assert found.total["seconds_high"] == pytest.approx(1.1 * 1e-4 * 1978.9 / 312, rel=1e-3)
    assert found.taken_over == {"fp8": "bf16"}
    assert any("has no fp8: that work is taken to run as bf16" in line for line in assumptions(found))


def test_half_the_weight_width_halves_fc_bytes_and_leaves_the_rest() -> None:
    found = project(run(), Target(weights="fp8"))
    rows = {r["role"]: r for r in found.rows.to_dicts()}
    assert rows["fc"]["bytes_low"] == pytest.approx(rows["fc"]["bytes"] / 2)
    assert rows["attention"]["bytes_low"] == pytest.approx(rows["attention"]["bytes"])
    assert found.total["seconds_low"] < found.total["seconds_high"] < found.total["seconds"]


def test_a_capture_with_fp8_weights_lies_within_a_per_cent_of_the_projected_range() -> None:
    off = error(project(run(), Target(weights="fp8")), run(weights="fp8"))
    # its LM head stays in 16 bits and quantise kernels are added, which the projection does not know
    assert off["below_low"] > -0.01 and off["above_high"] < 0.01


def test_half_the_cache_width_halves_attention_bytes() -> None:
    found = project(run(), Target(kv="fp8"))
    rows = {r["role"]: r for r in found.rows.to_dicts()}
    assert rows["attention"]["bytes_low"] == pytest.approx(rows["attention"]["bytes"] / 2)
    assert rows["fc"]["bytes_low"] == pytest.approx(rows["fc"]["bytes"])


@pytest.mark.parametrize("batch", [1, 32, 128])
def test_another_batch_comes_within_two_per_cent_of_a_capture_taken_there(batch: int) -> None:
    found = project(run(), Target(batch=batch))
    there = run(batch=batch)
    off = error(found, there)
    assert abs(min(off["below_low"], 0) + max(off["above_high"], 0)) < 0.02
    assert found.total["bytes_low"] == pytest.approx(float(there.launches["dram_bytes"].sum()) / batch, rel=0.02)


def test_a_capture_lies_on_both_ends_of_its_own_projection() -> None:
    study = run()
    off = error(project(study, Target(gpu=gpus.find("h100"))), study)
    assert (off["below_low"], off["above_high"]) == (pytest.approx(0, abs=1e-9), pytest.approx(0, abs=1e-9))


def test_another_device_comes_near_a_capture_taken_there_and_states_its_error() -> None:
    there = run(gpu=H200)
    found = project(run(), Target(gpu=gpus.find("h200")))
    off = error(found, there)
    assert abs(min(off["below_low"], 0) + max(off["above_high"], 0)) < 0.05
    said = " ".join(document(found, off, "h200.ncu-rep").answer)
    assert "Against h200.ncu-rep: measured" in said
    assert "inside the projected range" in said or "from the nearer end" in said


def test_two_gpus_share_weights_and_cache_and_the_exchange_is_an_assumption() -> None:
    found = project(run(), Target(tp=2))
    rows = {r["role"]: r for r in found.rows.to_dicts()}
    assert rows["fc"]["bytes_low"] == pytest.approx(rows["fc"]["bytes"] / 2)
    assert any("exchange between them is left out" in a for a in assumptions(found))


def test_a_projection_says_that_it_is_one_in_every_part() -> None:
    made = document(project(run(), Target(gpu=gpus.find("b200"), weights="fp8")))
    assert made.answer[0].startswith("Projection, not a measurement")
    assert made.answer[1].startswith("Projected")
    assert made.tables[0].title.startswith("Projection")
    assert made.data["kind"] == "projection"
    assert all(d.startswith("Assumed: ") for d in made.doubts) and len(made.doubts) >= 4


def test_what_the_capture_does_not_tell_is_asked_for() -> None:
    blind = planted.plain({})
    for target, said in ((Target(batch=4), "`read\\(..., batch=N\\)`"), (Target(gpu=gpus.find("b200")), "gpu=NAME")):
        with pytest.raises(UnusableInput, match=said):
            project(with_columns(blind), target)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [([], "needs a target"), (["--gpu", "b2000"], "nearest"), (["--weights", "fp9"], "fp9"), (["--batch", "0"], "")],
)
def test_a_target_that_cannot_be_is_refused(
    arguments: list[str], said: str, tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    from ncu_roofline.readers import saved
    from tests import synthetic

    path = tmp_path / "a.parquet"
    path.write_bytes(saved.packed(synthetic.capture(layers=2)))
    with pytest.raises(SystemExit) as end:
        main(["project", str(path), *arguments])
    captured = capsys.readouterr()
    assert (end.value.code, captured.out) == (3, "")
    assert said in captured.err


def test_bytes_that_nobody_measured_are_projected_to_none() -> None:
    whole = run()
    blind = replace(whole, launches=whole.launches.with_columns(pl.lit(None, dtype=pl.Float64).alias("dram_bytes")))
    found = project(blind, Target(gpu=gpus.find("h200")))
    assert found.total["bytes"] is None and found.total["bytes_low"] is None
    said = document(found)
    assert said.answer[1] == "DRAM bytes were not measured: none are projected."
    assert set(said.tables[0].rows["projected_bytes"]) == {"–"}


def test_only_what_the_target_changes_is_taken_for_granted() -> None:
    own = run()

    def taken(**target: Any) -> list[str]:
        return list(assumptions(project(own, Target(**target))))

    assert len(taken()) == 2
    assert "(bandwidth by 2.3)" in taken(gpu=gpus.find("b200"))[2]  # 7.7 over 3.35 TB/s
    assert "weight type (by 0.5," in taken(weights="fp8")[2]
    assert "cache type (by 0.5)" in taken(kv="fp8")[2]
    assert "scale with it (by 3)" in taken(batch=3 * (own.run.batch.value or 0))[2]
    assert "split over GPUs (by 4)" in taken(tp=4)[2]
    assert len(taken(gpu=gpus.find("b200"), weights="fp8", kv="fp8", batch=24, tp=4)) == 7
