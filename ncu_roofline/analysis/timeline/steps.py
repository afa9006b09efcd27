"""Timeline -> its decode steps by the same witnesses as a capture's, and the time that they take."""

from __future__ import annotations

from dataclasses import dataclass, replace

import polars as pl

from ncu_roofline.analysis.notes import Note
from ncu_roofline.analysis.run.rows import verifying
from ncu_roofline.analysis.study import Choices, Study, study
from ncu_roofline.analysis.timeline.heads import by_head
from ncu_roofline.analysis.timeline.marks import by_ranges, marks_of, step_names
from ncu_roofline.analysis.timeline.order import Told, in_order, ordered
from ncu_roofline.analysis.timeline.prompts import nothing, prompts, rows_of
from ncu_roofline.capture.capture import Capture, Device, Fact, Run
from ncu_roofline.capture.names import function_name
from ncu_roofline.capture.schema import LAUNCHES, complete, conform
from ncu_roofline.capture.timeline import Timeline, opened

NANO = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Stepped:
    """What a timeline says of its steps; seconds throughout."""

    source: str
    kernels: pl.DataFrame
    """One row per kernel in order of start: name, role, start and end in nanoseconds, device, `number` of its decode step,
    `active` and `idle` nanoseconds that it adds to those in which its device works, or waits, since `since`; `launched`."""
    study: Study
    steps: Fact[int]
    kernel_seconds: float
    span_seconds: float
    table: pl.DataFrame
    """One row per step that has a time: device, number, nanoseconds, active (those in which a kernel runs)."""
    to_next: bool
    """Whether a step lasts to the start of the next one; where none follows another, from its first start to its last end."""
    busy: float | None
    """Share of the steps' time in which a kernel runs; of the whole span where no step is known."""
    overlapped_seconds: float
    """Kernel time beyond the time in which some kernel runs."""
    rows: tuple[int, ...] | None
    """Token rows of each prefill pass in the table; None of decode steps, and where one does not tell."""
    notes: tuple[str | Note, ...]

    @property
    def phase(self) -> str:
        """What a step is: decode, prefill (a pass with tokens of prompts), or nothing (all)."""
        return self.study.phase

    @property
    def times(self) -> tuple[float, ...]:
        """Seconds of the steps."""
        return tuple(n / 1e9 for n in self.table["nanoseconds"])

    @property
    def median(self) -> float | None:
        """Of the steps' times."""
        return quantile(self.times, 0.5)

    @property
    def gap_seconds(self) -> float | None:
        """Idle time of one step, the mean."""
        idle = (self.table["nanoseconds"] - self.table["active"]).mean()
        return max(0.0, idle / 1e9) if isinstance(idle, float) else None

    @property
    def gap_median(self) -> float | None:
        """Idle time of the median step: a stall of one step is not in it."""
        return quantile(tuple(n / 1e9 for n in self.table["nanoseconds"] - self.table["active"]), 0.5)

    @property
    def busy_median(self) -> float | None:
        """Share of its time in which a kernel runs, of the median step."""
        return quantile(tuple(a / n for a, n in self.table.select("active", "nanoseconds").iter_rows() if n), 0.5)


def quantile(times: tuple[float, ...], share: float) -> float | None:
    """A quantile between the two nearest times."""
    found = pl.Series(times, dtype=pl.Float64).quantile(share, interpolation="linear")
    return float(found) if found is not None else None


def stepped(
    timeline: Timeline, choices: Choices | None = None, *, beside: Study | None = None, run: Run | None = None
) -> Stepped:
    """The steps of a timeline and their times; no step is guessed.

    `beside` is a capture of the same run, whose LM head marks the steps where nothing in the trace tells them; `run` is what
    the user states. With the phase `prefill` a step is a pass with tokens of a prompt, with `all` there is none.
    """
    events = timeline.events.filter(pl.col("kind") == "kernel")
    capture = replace(capture_of(timeline, events), run=run or Run())
    end = pl.col("start") + pl.col("nanoseconds")
    clock = events.select("name", "grid", "device", "start", "launched", end=end)
    phase = choices.phase if choices and choices.phase else "decode"
    marks = marks_of(timeline, phase)
    # what the engine's own ranges tell needs no order
    followed = (study if marks is not None else in_order)(capture, replace(choices or Choices(), phase="all"))
    named = followed.every.sort("index").select("index", "kernel", pl.col("role").cast(pl.String), "position")
    clock = clock.with_columns(named)
    if phase == "decode":
        told = of_decode(timeline, marks, clock, followed, beside)
    else:
        told = prompts(marks, clock, followed) if phase == "prefill" else nothing(clock)
    kernels = worked(clock.with_columns(number=told.numbers))
    run = replace(followed.run, steps=told.steps if phase == "decode" else followed.run.steps)
    if told.prompts is not None:
        run = replace(run, prefill_passes=Fact(told.prompts, "inferred", "the engine's ranges"))
    return measured(timeline, replace(followed, run=run, phase=phase), kernels, told)


def of_decode(
    timeline: Timeline, marks: pl.DataFrame | None, clock: pl.DataFrame, followed: Study, beside: Study | None
) -> Told:
    """The decode steps by the engine's ranges, else by the order of kernels, else by the LM head of the capture beside it."""
    if marks is not None:
        told = by_ranges(marks, clock, followed)
    else:
        told = ordered(followed, clock, lone=not timeline.lost, beside=beside)
    if told.steps.value is None and told.steps.low is None and beside is not None:
        return by_head(clock, beside) or told
    return told


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
        nvtx=opened(timeline.ranges.filter(pl.col("name").is_in(step_names(timeline).implode())), events),
    )
    frame = conform(complete(shaped, LAUNCHES), LAUNCHES, source=timeline.source)
    return Capture(launches=frame, device=Device(name=timeline.gpu), notes=timeline.notes, name=timeline.source)


def worked(clock: pl.DataFrame) -> pl.DataFrame:
    """Kernels with the nanoseconds that each adds to those in which its device works, or waits since the last one ended."""
    before = pl.col("end").cum_max().shift(1).over("device").fill_null(pl.col("start"))
    added = (pl.col("end") - pl.max_horizontal("start", "since")).clip(lower_bound=0)
    return clock.with_columns(since=before).with_columns(
        active=added, idle=(pl.col("start") - pl.col("since")).clip(lower_bound=0)
    )


def measured(timeline: Timeline, followed: Study, kernels: pl.DataFrame, told: Told) -> Stepped:
    """The times of the steps, and of the whole."""
    lasting, to_next = lasted(kernels, told.counted, drafts=bool(followed.every.select(verifying(followed.every).any()).item()))
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
        steps=told.steps,
        kernel_seconds=total / 1e9,
        span_seconds=span / 1e9,
        table=lasting,
        to_next=to_next,
        busy=min(1.0, active / every) if every else None,
        overlapped_seconds=(total - float(kernels["active"].sum())) / 1e9,
        rows=rows_of(followed, told.numbers, lasting) if followed.phase == "prefill" else None,
        notes=followed.notes,
    )


def lasted(kernels: pl.DataFrame, counted: pl.DataFrame, *, drafts: bool) -> tuple[pl.DataFrame, bool]:
    """Each step that counts and has a time, and whether that is to the start of the next: no other kernel is between them.

    Where drafts are verified there is no other: passes that draft may be no part of what was found.
    """
    table = (
        kernels.with_columns(turn=pl.int_range(pl.len()).over("device"))
        .filter(pl.col("number").is_not_null())
        .group_by("device", "number")
        .agg(pl.col("start").min(), pl.col("end").max(), pl.col("active").sum(), first=pl.col("turn").min(), rows=pl.len())
        .sort("device", "number")
    )
    follows = (pl.col("number").shift(-1).over("device") == pl.col("number") + 1) & (
        pl.col("first").shift(-1) == pl.col("first") + pl.col("rows")
    )
    after = table.with_columns(next=pl.when(follows).then(pl.col("start").shift(-1)).over("device"))
    after = after.join(counted, on=["device", "number"], how="semi", nulls_equal=True)
    to_next = drafts or after["next"].count() > 0
    until = pl.col("next") if to_next else pl.col("end")
    lasting = after.select("device", "number", "active", nanoseconds=until - pl.col("start"))
    return lasting.drop_nulls("nanoseconds"), to_next


def of_steps(found: Stepped) -> tuple[pl.DataFrame, int]:
    """The kernels of the steps that have a time and how many steps they are; the whole trace as one where none has.

    Of a last step nothing tells whether it is whole, nor whether what follows is of it.
    """
    if found.table.is_empty():
        return found.kernels, 1
    return found.kernels.join(found.table, on=["device", "number"], how="semi", nulls_equal=True), found.table.height


def by(found: Stepped, *keys: str) -> pl.DataFrame:
    """Time by role or kernel: of one step where steps are known, else of the whole trace."""
    counted, passes = of_steps(found)
    size = (pl.col("end") - pl.col("start")).sum()
    rows = counted.group_by(keys).agg(pl.col("name").first(), launches=pl.len() / passes, seconds=size / 1e9 / passes)
    rows = counting(rows, "launches")
    whole = pl.when(pl.col("seconds").sum() > 0).then(pl.col("seconds").sum())
    return rows.with_columns(time_share=pl.col("seconds") / whole).sort("seconds", *keys, descending=True, nulls_last=True)


def counting(rows: pl.DataFrame, column: str) -> pl.DataFrame:
    """A count per step as whole numbers where every step has as many."""
    return rows.with_columns(pl.col(column).cast(pl.Int64)) if (rows[column] % 1 == 0).all() else rows
