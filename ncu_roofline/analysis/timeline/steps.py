"""Timeline -> its decode steps by the same witnesses as a capture's, and the time that they take."""

from __future__ import annotations

from dataclasses import dataclass, replace

import polars as pl

from ncu_roofline.analysis.notes import Note
from ncu_roofline.analysis.run.cuts import ranges
from ncu_roofline.analysis.run.cuts.anchors import MIXERS
from ncu_roofline.analysis.study import Choices, Study, study
from ncu_roofline.capture.capture import Capture, Device, Fact, Run
from ncu_roofline.capture.names import function_name
from ncu_roofline.capture.schema import LAUNCHES, complete, conform
from ncu_roofline.capture.timeline import Timeline, opened
from ncu_roofline.knowledge.kernels.rows import RangeRule, rules

NANO = 1e-9
TURNED_ALIKE = 0.95
"""Part of the kernels around whole steps that must be those of one more."""
MARK_ALIKE = 0.5
"""How far the kernels of a step told by its LM head may be from the median number: a prompt, or two steps, has another."""


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
    notes: tuple[str | Note, ...]

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
    the user states.
    """
    events = timeline.events.filter(pl.col("kind") == "kernel")
    capture = replace(capture_of(timeline, events), run=run or Run())
    end = pl.col("start") + pl.col("nanoseconds")
    clock, steps = by_ranges(timeline, events.select("name", "grid", "device", "start", "launched", end=end))
    # what the engine's own ranges tell needs no order
    followed = (study if steps is not None else in_order)(capture, replace(choices or Choices(), phase="all"))
    named = followed.every.sort("index").select("index", "kernel", pl.col("role").cast(pl.String), "position")
    told = clock = clock.with_columns(named)
    if steps is None:
        told, steps = clock.with_columns(number=numbers(followed)), by_order(followed, lone=not timeline.lost, beside=beside)
    if steps.value is None and steps.low is None and beside is not None:
        told, steps = by_head(clock, beside) or (told, steps)
    return measured(timeline, replace(followed, run=replace(followed.run, steps=steps)), worked(told), steps)


def in_order(capture: Capture, choices: Choices) -> Study:
    """The kernels as a study; where streams hide steps that their order in time shows, all of them alike, in that."""
    first = study(capture, choices)
    if capture.launches["stream"].n_unique() == 1:
        return first
    one = replace(capture, launches=capture.launches.with_columns(stream=pl.lit(None, pl.Int64)))
    second = study(one, choices)
    more = (passes(second) or 0) > (passes(first) or 0)
    return second if more and same_depth(second) and not other_work(second) else first


def numbers(followed: Study) -> pl.Series:
    """The whole decode step of each kernel; null outside of them, and where nothing tells whether they are decode."""
    whole = whole_steps(followed.run) & pl.lit(passes(followed) is not None)
    return followed.every.sort("index").select(pl.when(whole).then("step").alias("number"))["number"]


def whole_steps(run: Run) -> pl.Expr:
    """Whether a launch is part of a whole decode step; a batch that the user states says so where nothing else tells."""
    stated = pl.lit(run.batch.origin == "given")
    decode = (pl.col("phase").cast(pl.String) == "decode").fill_null(stated)
    return pl.col("step_whole").fill_null(False) & pl.col("step").is_not_null() & decode


def passes(followed: Study) -> int | None:
    """Whole decode steps that the order of kernels shows; None where it shows none."""
    if followed.run.steps.value is not None:
        return followed.run.steps.value
    if followed.run.batch.origin != "given":
        return None
    whole = followed.every.filter(whole_steps(followed.run))
    return whole.select("process", "device", "step").n_unique() if whole.height and same_depth(followed) else None


def by_order(followed: Study, *, lone: bool, beside: Study | None) -> Fact[int]:
    """What the order of kernels tells of the steps: those found whole, all of them where nothing else can hold one.

    `lone` is whether one alone is believed: no kernel is known to be lost, which would make one of two.
    """
    number, steps = passes(followed), followed.run.steps
    if number is None:
        return steps
    evidence = steps.evidence if steps.value is not None else "whole passes, taken for decode because a batch is stated"
    alike = same_depth(followed) or (lone and number == 1 and one_deep(followed, beside))
    if alike and not other_work(followed):
        return Fact(number, "inferred", evidence)
    if same_depth(followed) and one_more(followed):
        return Fact(number + 1, "inferred", f"{evidence}; what is before the first and after the last is one more")
    return Fact(None, "unknown", evidence, low=number)


def same_depth(followed: Study) -> bool:
    """Whether several whole steps have as many kernels of attention each: a lost end would make one of two."""
    each = depths(followed)
    return len(each) > 1 and len(set(each)) == 1 and each[0] > 0


def one_deep(followed: Study, beside: Study | None) -> bool:
    """Whether the one whole step has attention, and as much as a step of the capture beside it."""
    here, there = depths(followed), depths(beside) if beside is not None else []
    return len(here) == 1 and here[0] > 0 and (not there or here[0] in there)


def depths(of: Study) -> list[int]:
    """Kernels of attention, or of a state-space model, in each whole step."""
    steps = of.every.filter(whole_steps(of.run)).group_by("process", "device", "step")
    return steps.agg(mixing().sum().alias("mixers"))["mixers"].to_list()


def one_more(followed: Study) -> bool:
    """Whether the kernels before the first whole step and after the last make exactly one more.

    Steps are cut where one surely ends, which may be before its last kernels: a trace of whole steps then begins with one
    that lacks the end of another before it, and ends with that end. One of the two holds all the attention.
    """
    every = followed.every.sort("index").select("kernel", "step", "device", whole=whole_steps(followed.run), mixer=mixing())
    at = every["whole"].arg_true()
    if every["device"].n_unique() > 1 or not at.len() or not every["whole"].slice(at[0], at[-1] - at[0] + 1).all():
        return False
    first, last = every.head(at[0]), every.tail(every.height - at[-1] - 1)
    step = every.slice(at[0]).filter(pl.col("step") == every["step"][at[0]])
    if first.height + last.height != step.height or step["mixer"].sum() not in (first["mixer"].sum(), last["mixer"].sum()):
        return False
    turned = [*step["kernel"].tail(first.height), *step["kernel"].head(last.height)]
    same = sum(a == b for a, b in zip(turned, [*first["kernel"], *last["kernel"]], strict=True))
    return bool(same >= TURNED_ALIKE * step.height)


def mixing() -> pl.Expr:
    """Whether a kernel is attention or a state-space model's."""
    return pl.col("role").cast(pl.String).is_in(MIXERS)


def other_work(followed: Study) -> bool:
    """Whether a kernel outside of the steps could be of another one: products, attention, or what nobody knows."""
    role = pl.col("role").cast(pl.String)
    work = role.is_null() | role.is_in([*MIXERS, "fc", "fused-step"])
    return (
        followed.every.filter(
            ~whole_steps(followed.run) & work & (pl.col("phase").cast(pl.String) != "prefill").fill_null(True)
        ).height
        > 0
    )


def by_head(clock: pl.DataFrame, beside: Study) -> tuple[pl.DataFrame, Fact[int]] | None:
    """Steps that end with the kernel that ends those of the capture: a product that runs once in each, outside of layers."""
    whole = beside.every.filter(whole_steps(beside.run))
    if whole.is_empty() or clock["device"].n_unique() > 1:
        return None
    steps = whole.select("process", "device", "step").n_unique()
    heads = (
        whole.filter((pl.col("role").cast(pl.String) == "fc") & pl.col("layer").is_null())
        .with_columns(pl.col("grid").arr.to_list())
        .group_by("name", "grid")
        .len()
        .filter(pl.col("len") == steps)
    )
    is_head = pl.struct("name", "grid").is_in(heads.select(pl.struct("name", "grid")).to_series().implode())
    counted = clock.with_columns(number=is_head.cast(pl.Int64).cum_sum().shift(1, fill_value=0), head=is_head)
    sized = counted.with_columns(rows=pl.len().over("number"), ended=pl.col("head").any().over("number"))
    usual = sized.filter("ended").unique("number")["rows"].median()
    if usual is None:
        return None
    alike = pl.col("ended") & ((pl.col("rows") / usual - 1).abs() < MARK_ALIKE)
    # the window may begin inside of the first
    kept = sized.with_columns(number=pl.when(alike & ((pl.col("number") > 0) | (pl.col("rows") >= usual))).then("number"))
    found = kept["number"].drop_nulls().n_unique()
    if not found:
        return None
    said = f"each ends with the LM head of {beside.capture.name}"
    return kept.drop("head", "rows", "ended"), Fact(None, "unknown", said, low=found)


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


def step_names(timeline: Timeline) -> pl.Series:
    """Names of ranges that an engine's rule reads."""
    names = timeline.ranges["name"].unique()
    return pl.concat([ranges.read(names, rule)["name"] for rule in rules(RangeRule, "range")]).unique()


def by_ranges(timeline: Timeline, clock: pl.DataFrame) -> tuple[pl.DataFrame, Fact[int] | None]:
    """Kernels numbered by the engine's own ranges of steps on each device; None where there are none."""
    names = timeline.ranges["name"].unique()
    one = [ranges.read(names, rule) for rule in rules(RangeRule, "range") if not rule.loop]
    read = pl.concat(one).unique("name", keep="first", maintain_order=True).drop_nulls("nvtx_phase")
    found = outermost(timeline.ranges.join(read, on="name"))
    decode = found["nvtx_phase"].cast(pl.String) == "decode"
    if not decode.any():
        return clock, None
    marks = found.with_columns(mark=pl.int_range(pl.len()), decode=decode)
    kept = marks.join(smaller(marks, clock), on="mark", how="anti")
    numbered = kept.with_columns(number=pl.when("decode").then(pl.int_range(pl.len(), dtype=pl.Int64).over("device")))
    each, every = (f.filter("decode").group_by("device").len()["len"] for f in (kept, marks))
    least, most = min(each), max(every)
    said = f"{most:,} ranges: {found.filter(decode)['nvtx_what'][0]}"
    steps = Fact(least, "inferred", said) if least == most else Fact(None, "unknown", said, low=least, high=most)
    return marked(clock, numbered.select("device", "start", "number")), steps


def marked(clock: pl.DataFrame, marks: pl.DataFrame) -> pl.DataFrame:
    """Kernels with the last mark of their device that began before."""
    if marks["device"].null_count():
        return clock.join_asof(marks.drop("device"), on="start")
    return clock.join_asof(marks, on="start", by="device", check_sortedness=False)


def smaller(marks: pl.DataFrame, clock: pl.DataFrame) -> pl.DataFrame:
    """Decode ranges with far fewer kernels than those that hold most of them: passes that draft have ranges of their own."""
    held = marked(clock, marks.select("device", "start", "mark")).group_by("mark").len()
    sized = marks.filter("decode").join(held, on="mark").sort("len")
    usual = sized.filter(pl.col("len").cum_sum() >= pl.col("len").sum() / 2)["len"]
    return sized.filter(pl.col("len") < MARK_ALIKE * usual.first()) if usual.len() else sized  # type: ignore[operator]


def outermost(found: pl.DataFrame) -> pl.DataFrame:
    """Ranges that no other one of them is around, in order of start."""
    ordered = found.sort("start", "end", descending=[False, True])
    around = pl.col("end").cum_max().shift(1).over("device")
    return ordered.filter(around.is_null() | (pl.col("end") > around))


def worked(clock: pl.DataFrame) -> pl.DataFrame:
    """Kernels with the nanoseconds that each adds to those in which its device works, or waits since the last one ended."""
    before = pl.col("end").cum_max().shift(1).over("device").fill_null(pl.col("start"))
    added = (pl.col("end") - pl.max_horizontal("start", "since")).clip(lower_bound=0)
    return clock.with_columns(since=before).with_columns(
        active=added, idle=(pl.col("start") - pl.col("since")).clip(lower_bound=0)
    )


def measured(timeline: Timeline, followed: Study, kernels: pl.DataFrame, steps: Fact[int]) -> Stepped:
    """The times of the steps, and of the whole."""
    lasting, to_next = lasted(kernels)
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
        table=lasting,
        to_next=to_next,
        busy=min(1.0, active / every) if every else None,
        overlapped_seconds=(total - float(kernels["active"].sum())) / 1e9,
        notes=followed.notes,
    )


def lasted(kernels: pl.DataFrame) -> tuple[pl.DataFrame, bool]:
    """Each step that has a time, and whether that is to the start of the next: no other kernel is between them."""
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
    to_next = after["next"].count() > 0
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
