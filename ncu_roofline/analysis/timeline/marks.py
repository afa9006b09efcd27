"""Steps of a timeline by the engine's own ranges: which of them are steps, which only parts of one, which are torn."""

from __future__ import annotations

import polars as pl

from ncu_roofline.analysis.run.cuts import ranges
from ncu_roofline.analysis.run.cuts.anchors import MIXERS
from ncu_roofline.analysis.run.phases import FEW_DRAFTS
from ncu_roofline.analysis.run.rows import verifying
from ncu_roofline.analysis.study import Study
from ncu_roofline.analysis.timeline.alone import DECODE, MIXED, alone
from ncu_roofline.analysis.timeline.order import Told, whole_steps
from ncu_roofline.capture.capture import Fact
from ncu_roofline.capture.timeline import Timeline
from ncu_roofline.knowledge.kernels.rows import RangeRule, rules

MARK_ALIKE = 0.5
"""How far the kernels of a step may be from the usual number: a pass that drafts, a prompt, or two steps have another."""


def step_names(timeline: Timeline) -> pl.Series:
    """Names of ranges that an engine's rule reads."""
    names = timeline.ranges["name"].unique()
    return pl.concat([ranges.read(names, rule)["name"] for rule in rules(RangeRule, "range")]).unique()


def marks_of(timeline: Timeline, phase: str = "decode") -> pl.DataFrame | None:
    """The outermost ranges of passes in order, each with its `mark`; None where none of them can be of the phase."""
    names = timeline.ranges["name"].unique()
    one = [ranges.read(names, rule) for rule in rules(RangeRule, "range") if not rule.loop]
    read = pl.concat(one).unique("name", keep="first", maintain_order=True)
    found = outermost(timeline.ranges.join(read, on="name"))
    # a range that tells no phase is decode where its rows say so
    decode = found["nvtx_phase"].cast(pl.String).fill_null("decode") == "decode"
    asked = ~decode if phase == "prefill" else decode
    return found.with_columns(mark=pl.int_range(pl.len()), decode=decode) if asked.any() else None


def outermost(found: pl.DataFrame) -> pl.DataFrame:
    """Ranges that no other one of them is around, in order of start."""
    ordered = found.sort("start", "end", descending=[False, True])
    around = pl.col("end").cum_max().shift(1).over("device")
    return ordered.filter(around.is_null() | (pl.col("end") > around))


def by_ranges(marks: pl.DataFrame, clock: pl.DataFrame, followed: Study) -> Told:
    """Kernels numbered by ranges of decode steps on each device.

    Passes that draft may have ranges like those of steps, and a step may have several: a step holds one verification of
    drafts, or draws its tokens once.
    """
    at = held(marks, clock, followed)
    signs = at.group_by("mark").agg(pl.col("drawn", "verified", "mixer", "whole").any(), rows=pl.len())
    passes = marks.join(signs, on="mark", how="left", maintain_order="left").with_columns(
        pl.col("drawn", "verified", "mixer", "whole").fill_null(False), pl.col("rows").fill_null(0)
    )
    grouped = numbered(passes)
    numbers = at.join(grouped.select("mark", "number"), on="mark", how="left", maintain_order="left")["number"]
    kinds = alone(followed.every.sort("index").with_columns(step=numbers)).select("device", "alone", number="step")
    each = of_marks(grouped).join(kinds, on=["device", "number"], how="left", nulls_equal=True, maintain_order="left")
    of_decode = each.filter((pl.col("alone") != MIXED).fill_null(True))
    whole = of_decode.join(torn(each, passes, clock), on=["device", "number"], how="anti", nulls_equal=True)
    sure = pl.col("alike") & (pl.col("alone") == DECODE) & pl.lit(not hidden_drafts(passes))
    counted = whole.filter(sure).select("device", "number")
    prompts = passes.group_by("device").agg((~pl.col("decode")).sum())["decode"].max()
    steps = number_of(passes, of_decode, counted)
    return Told(numbers=numbers, counted=counted, steps=steps, prompts=int(prompts or 0))  # type: ignore[arg-type]


def hidden_drafts(passes: pl.DataFrame) -> bool:
    """Whether ranges tell of drafts and no kernel verifies them: passes that draft, of the same ranges, may be all there is."""
    rows, batch = pl.col("nvtx_rows"), pl.col("nvtx_batch")
    many = passes.select(rows.is_between(batch + 1, FEW_DRAFTS * batch).any()).item()
    return bool(many) and not passes["verified"].any()


def held(marks: pl.DataFrame, clock: pl.DataFrame, followed: Study) -> pl.DataFrame:
    """Each kernel with the range that it belongs to, and what of a step it is."""
    launches, role = followed.every.sort("index"), pl.col("role").cast(pl.String)
    signs = launches.select(
        drawn=(role == "sampling").fill_null(False),
        verified=verifying(launches),
        mixer=role.is_in(MIXERS).fill_null(False),
        whole=whole_steps(followed.run),
    )
    return with_marks(clock.select("device", "start"), marks.select("device", "start", "mark")).with_columns(signs)


def number_of(passes: pl.DataFrame, of_decode: pl.DataFrame, counted: pl.DataFrame) -> Fact[int]:
    """As many steps as are counted, up to all ranges that may be one."""
    decode = passes.filter("decode")
    devices = decode.select("device").unique()
    each = devices.join(counted.group_by("device").len(), on="device", how="left", nulls_equal=True)["len"].fill_null(0)
    every = devices.join(of_decode.group_by("device").agg(pl.col("marks").sum()), on="device", how="left", nulls_equal=True)[
        "marks"
    ].fill_null(0)
    least, most = min(each), max(every)
    number = max(decode.group_by("device").len()["len"])
    said = f"{number:,} {'range' if number == 1 else 'ranges'}: {decode['nvtx_what'][0]}"
    if least == most:
        return Fact(least, "inferred", said) if least else Fact(None, "unknown", f"{said} hold pieces of prompts")
    return Fact(None, "unknown", said, low=least, high=most)


def numbered(passes: pl.DataFrame) -> pl.DataFrame:
    """The passes with the `number` of their step on each device; null for a prompt, and where a range only drafts."""
    decode = passes.filter("decode")
    ends = next(
        (decode.select(end=e)["end"] for e in enders() if 0 < decode.select(e.sum()).item() < decode.height),
        pl.repeat(True, decode.height, eager=True),
    )
    # a step begins with the range after the one that ends the last step
    begins = decode.with_columns(ended=ends).with_columns(begins=pl.col("ended").shift(1, fill_value=True).over("device"))
    small = smaller(begins) if bool(ends.all()) else begins.clear()["mark"]
    opening = begins.with_columns(begins=pl.col("begins") & ~pl.col("mark").is_in(small.implode()))
    steps = opening.with_columns(number=pl.col("begins").cast(pl.Int64).cum_sum().over("device") - 1)
    kept = steps.with_columns(number=pl.when(pl.col("number") >= 0).then("number"))
    return passes.join(kept.select("mark", "number", "ended"), on="mark", how="left", maintain_order="left")


def enders() -> tuple[pl.Expr, ...]:
    """What only the last, or only one, of a step's ranges has."""
    return (pl.col("nvtx_drafts").fill_null(False), pl.col("verified"), pl.col("drawn"))


def smaller(decode: pl.DataFrame) -> pl.Series:
    """Ranges with far fewer kernels than those that hold most of them: passes that draft have ranges of their own.

    One of other sequences than the next step's drafts nothing for it: it is a step of another model.
    """
    sized = decode.filter(pl.col("rows") > 0).sort("rows")
    usual = sized.filter(pl.col("rows").cum_sum() >= pl.col("rows").sum() / 2)["rows"]
    if usual.is_empty():
        return decode["mark"]
    few = pl.col("rows") < MARK_ALIKE * usual.first()  # type: ignore[operator]
    served = pl.when(~few).then("nvtx_batch").backward_fill().over("device")
    return decode.filter(few & (pl.col("nvtx_batch") == served).fill_null(True))["mark"]


def of_marks(passes: pl.DataFrame) -> pl.DataFrame:
    """One row per step: its kernels, and whether it has as many ranges as most."""
    steps = (
        passes.drop_nulls("number")
        .group_by("device", "number", maintain_order=True)
        .agg(
            pl.col("start").min(),
            pl.col("end").max(),
            pl.col("rows").sum(),
            pl.col("mixer", "whole", "ended").any(),
            pl.col("ended").all().alias("ranged"),
            marks=pl.len(),
        )
    )
    # where several ranges make a step, the trace may begin inside of the first
    inner = steps if steps["ranged"].all() else steps.filter(pl.col("number") > 0)
    usual = inner.filter("ended")["marks"].mode().min()
    return steps.with_columns(alike=pl.col("ended") & (pl.col("marks") == pl.lit(usual, pl.UInt32)).fill_null(False))


def torn(steps: pl.DataFrame, passes: pl.DataFrame, clock: pl.DataFrame) -> pl.DataFrame:
    """Steps at an edge of the trace that have fewer kernels than those inside; alone, those that the order finds not whole.

    A step is at an edge where the device does nothing before it, or after.
    """
    edges = clock.group_by("device").agg(begins=pl.col("start").min(), ends=pl.col("start").max())
    outer = passes.group_by("device").agg(opens=pl.col("start").min(), closes=pl.col("end").max())
    at = steps.join(edges, on="device", how="left", nulls_equal=True).join(outer, on="device", how="left", nulls_equal=True)
    first = (pl.col("start") <= pl.col("begins")) & (pl.col("start") == pl.col("opens"))
    last = (pl.col("end") >= pl.col("ends")) & (pl.col("end") == pl.col("closes"))
    edged = at.with_columns(edge=(first | last).fill_null(True))
    inner = edged.filter(~pl.col("edge"), "alike").group_by("device").agg(least=pl.col("rows").min())
    alone = pl.col("least").is_null() & (pl.col("rows").n_unique().over("device") > 1) | (pl.len().over("device") == 1)
    judged = edged.join(inner, on="device", how="left", nulls_equal=True)
    unsure = pl.when(alone).then(~pl.col("whole") & pl.col("mixer")).otherwise(pl.col("rows") < pl.col("least"))
    return judged.filter(pl.col("edge") & unsure.fill_null(False)).select("device", "number")


def with_marks(clock: pl.DataFrame, marks: pl.DataFrame) -> pl.DataFrame:
    """Kernels with the last mark of their device that began before."""
    if marks["device"].null_count():
        return clock.join_asof(marks.drop("device"), on="start")
    return clock.join_asof(marks, on="start", by="device", check_sortedness=False)
