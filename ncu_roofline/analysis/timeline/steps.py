"""Timeline -> its decode steps by the same witnesses as a capture's, and the time that they take."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace

import polars as pl

from ncu_roofline.analysis.run import ranges
from ncu_roofline.analysis.study import Choices, Study, study
from ncu_roofline.capture.capture import Capture, Device, Fact
from ncu_roofline.capture.names import function_name
from ncu_roofline.capture.schema import LAUNCHES, complete, conform
from ncu_roofline.capture.timeline import Timeline
from ncu_roofline.knowledge.kernels.rows import range_rules

NANO = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Stepped:
    """What a timeline says of its steps; seconds throughout."""

    source: str
    kernels: pl.DataFrame
    """One row per kernel in order of start: name, role, start and end in nanoseconds, device, `number` of its decode step."""
    study: Study
    steps: Fact[int]
    kernel_seconds: float
    span_seconds: float
    times: tuple[float, ...]
    """One per step: to the start of the next one; where none follows another, from its first start to its last end."""
    to_next: bool
    """Whether `times` are from start to start."""
    busy: float | None
    """Share of the steps' time in which a kernel runs; of the whole span where no step is known."""
    overlapped_seconds: float
    """Kernel time beyond the time in which some kernel runs."""
    gap_seconds: float | None
    """Idle time of one step, the mean."""
    notes: tuple[str, ...]

    @property
    def median(self) -> float | None:
        """Of the steps' times."""
        return quantile(self.times, 0.5)


def quantile(times: tuple[float, ...], share: float) -> float | None:
    """A quantile between the two nearest times."""
    found = pl.Series(times, dtype=pl.Float64).quantile(share, interpolation="linear")
    return float(found) if found is not None else None


def stepped(timeline: Timeline, choices: Choices | None = None) -> Stepped:
    """The steps of a timeline and their times; no step is guessed."""
    events = timeline.events.filter(pl.col("kind") == "kernel")
    followed = study(capture_of(timeline, events), replace(choices or Choices(), phase="all"))
    named = followed.every.sort("index")
    clock = events.select("name", "grid", "device", "start", end=pl.col("start") + pl.col("nanoseconds"))
    clock = clock.with_columns(named.select("index", "kernel", pl.col("role").cast(pl.String)))
    told, steps = by_ranges(timeline, clock)
    if steps is not None:
        return measured(timeline, replace_run(followed, steps), worked(told), steps)
    whole = pl.col("step_whole").fill_null(False) & (pl.col("phase").cast(pl.String) == "decode")
    known = followed.run.steps.value is not None
    number = named.select(pl.when(whole & known).then("step").alias("number"))["number"]
    return measured(timeline, followed, worked(clock.with_columns(number)), at_least(followed.run.steps))


def at_least(steps: Fact[int]) -> Fact[int]:
    """What the order of kernels tells of the steps: those that it found whole; others may not look like one."""
    if steps.value is None:
        return steps
    return Fact(None, "unknown", steps.evidence, low=steps.value)


def replace_run(followed: Study, steps: Fact[int]) -> Study:
    """The study with the steps that count."""
    return replace(followed, run=replace(followed.run, steps=steps))


def capture_of(timeline: Timeline, events: pl.DataFrame) -> Capture:
    """The kernels as the launches of a capture that measured no counter."""
    names = events["name"].unique()
    short = pl.DataFrame({"name": names, "kernel": [function_name(n) for n in names]})
    launches = events.with_row_index("index").join(short, on="name", how="left", maintain_order="left")
    shaped = launches.select(
        "index",
        "name",
        "kernel",
        "device",
        "stream",
        pl.col("grid", "block").list.to_array(3),
        seconds=pl.col("nanoseconds") * NANO,
        nvtx=opened(timeline, events),
    )
    frame = conform(complete(shaped, LAUNCHES), LAUNCHES, source=timeline.source)
    return Capture(launches=frame, device=Device(name=timeline.gpu), notes=timeline.notes, name=timeline.source)


def opened(timeline: Timeline, events: pl.DataFrame) -> pl.Series:
    """The ranges in which each kernel begins, outermost first; null where the trace has none."""
    if timeline.ranges.is_empty():
        return pl.Series("nvtx", [None] * events.height, dtype=pl.List(pl.String))
    starts = events["start"].to_list()
    inside: list[list[str]] = [[] for _ in starts]
    kept = timeline.ranges.filter(pl.col("name").is_in(step_names(timeline).implode()))
    for name, begin, end, _ in kept.iter_rows():
        for at in range(bisect_left(starts, begin), bisect_left(starts, end)):
            inside[at].append(name)
    return pl.Series("nvtx", inside, dtype=pl.List(pl.String))


def step_names(timeline: Timeline) -> pl.Series:
    """Names of ranges that an engine's rule reads."""
    names = timeline.ranges["name"].unique()
    return pl.concat([ranges.read(names, rule)["name"] for rule in range_rules()]).unique()


def by_ranges(timeline: Timeline, clock: pl.DataFrame) -> tuple[pl.DataFrame, Fact[int] | None]:
    """Kernels numbered by the engine's own ranges of steps on the device; None where there are none."""
    names = timeline.ranges["name"].unique()
    read = pl.concat([ranges.read(names, rule) for rule in range_rules()]).unique("name", keep="first")
    found = timeline.ranges.join(read.drop_nulls("nvtx_phase"), on="name").unique(["start", "device"]).sort("start")
    decode = found["nvtx_phase"].cast(pl.String) == "decode"
    if not decode.any() or clock["device"].n_unique() > 1:
        return clock, None
    number = pl.when(decode).then(pl.int_range(pl.len(), dtype=pl.Int64)).alias("number")
    marks = found.select("start", number)
    said = f"{int(decode.sum())} ranges: {found.filter(decode)['nvtx_what'][0]}"
    return clock.join_asof(marks, on="start"), Fact(int(decode.sum()), "inferred", said)


def worked(clock: pl.DataFrame) -> pl.DataFrame:
    """Kernels with `active`: the nanoseconds that each adds to those in which its device works."""
    before = pl.col("end").cum_max().shift(1).over("device").fill_null(pl.col("start"))
    added = pl.col("end") - pl.max_horizontal("start", before)
    return clock.with_columns(active=added.clip(lower_bound=0))


def measured(timeline: Timeline, followed: Study, kernels: pl.DataFrame, steps: Fact[int]) -> Stepped:
    """The times of the steps, and of the whole."""
    table = (
        kernels.filter(pl.col("number").is_not_null())
        .group_by("device", "number")
        .agg(pl.col("start").min(), pl.col("end").max(), pl.col("active").sum(), first=pl.col("index").min(), rows=pl.len())
        .sort("device", "number")
    )
    follows = (pl.col("number").shift(-1) == pl.col("number") + 1) & (
        pl.col("first").shift(-1) == pl.col("first") + pl.col("rows")
    )
    after = table.with_columns(next=pl.when(follows).then(pl.col("start").shift(-1)).over("device"))
    to_next = after["next"].count() > 0
    until = pl.col("next") if to_next else pl.col("end")
    lasting = after.select("active", nanoseconds=until - pl.col("start")).drop_nulls()
    devices = kernels["device"].n_unique()
    span = int(kernels["end"].max()) - int(kernels["start"].min())  # type: ignore[arg-type]
    active, every = float(lasting["active"].sum()), float(lasting["nanoseconds"].sum())
    if lasting.is_empty():
        active, every = float(kernels["active"].sum()), float(span * devices)
    total = (kernels["end"] - kernels["start"]).cast(pl.Float64).sum()
    return Stepped(
        source=timeline.source,
        kernels=kernels,
        study=followed,
        steps=steps,
        kernel_seconds=total / 1e9,
        span_seconds=span / 1e9,
        times=tuple(t / 1e9 for t in lasting["nanoseconds"]),
        to_next=to_next,
        busy=min(1.0, active / every) if every else None,
        overlapped_seconds=(total - float(kernels["active"].sum())) / 1e9,
        gap_seconds=max(0.0, every - active) / lasting.height / 1e9 if lasting.height else None,
        notes=followed.notes,
    )


def by_role(found: Stepped) -> pl.DataFrame:
    """Time by role: of one step where steps are known, else of the whole trace."""
    counted = found.kernels.filter(pl.col("number").is_not_null()) if found.times else found.kernels
    passes = counted.select("device", "number").n_unique() if found.times else 1
    size = (pl.col("end") - pl.col("start")).sum()
    rows = counted.group_by("role").agg(launches=pl.len() / passes, seconds=size / 1e9 / passes)
    if (rows["launches"] % 1 == 0).all():  # every step has as many of each
        rows = rows.with_columns(pl.col("launches").cast(pl.Int64))
    return rows.with_columns(time_share=pl.col("seconds") / pl.col("seconds").sum()).sort("seconds", descending=True)
