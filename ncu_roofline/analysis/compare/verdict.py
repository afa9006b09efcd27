"""Three changes and a regime -> one verdict of the closed set, judged in its order."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, expm1, hypot, inf, log, log1p

from ncu_roofline.analysis.compare.noise import Noise
from ncu_roofline.knowledge.verdicts import limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One number on both sides; inside a log ratio, so that swapping the sides flips its sign exactly."""

    base: float | None
    head: float | None
    log: float | None
    """ln(head / base); null where a side is unknown, zero or absent."""
    reach: float
    """|log| up to which chance, or rounding, may have made it."""
    measured: bool
    """Whether noise could be measured; else `reach` is an assumption."""
    drift: bool = False
    least: float | None = None
    """ln(head / base) at the least, without noise, where launches lack the number; `log` where none does."""
    most: float | None = None
    """The same at the most; null has no bound."""
    gap: bool = False
    """Whether launches lack the number, so that `least` and `most` say what it can be."""

    @property
    def part(self) -> float | None:
        """The change as people read it: -0.5 is half as much."""
        return None if self.log is None else expm1(self.log)

    @property
    def room(self) -> float:
        """`reach` as a part of the base on the side of the change: of 0.69 a half where it fell, all of it where it rose."""
        return expm1(self.reach) if (self.log or 0.0) >= 0 else -expm1(-self.reach)

    @property
    def interval(self) -> tuple[float, float]:
        """ln(head / base) with everything that is not known in it; infinite where a side has no bound."""
        low, high = (self.least, self.most) if self.gap else (self.log, self.log)
        return (-inf if low is None else low - self.reach, inf if high is None else high + self.reach)

    @property
    def low(self) -> float | None:
        """head / base - 1 at the least; null without a bound."""
        return None if self.interval[0] == -inf else expm1(self.interval[0])

    @property
    def high(self) -> float | None:
        """head / base - 1 at the most; null without a bound."""
        return None if self.interval[1] == inf else expm1(self.interval[1])

    @property
    def direction(self) -> int | None:
        """+1 more, -1 less, 0 no change beyond noise; null where it cannot be known."""
        low, high = self.interval
        if self.gap:
            return 1 if low > 0 else -1 if high < 0 else None
        if self.base is None or self.head is None:
            return None
        if self.log is None:
            return (self.head > self.base) - (self.head < self.base)
        return 1 if low > 0 else -1 if high < 0 else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """One number of one side: its sum, and the least and most that it can be where launches lack it."""

    value: float | None
    low: float | None = None
    high: float | None = None

    @property
    def gap(self) -> bool:
        """Whether what is not known could matter."""
        return self.value is None or self.low is None or self.high is None or self.high > self.low * (1 + limit("unsaid_part"))


def exactly(value: float | None) -> Amount:
    """An amount that is wholly known; of None nothing is."""
    return Amount(value=value, low=value, high=value)


def between(base: Amount, head: Amount) -> tuple[float | None, float | None]:
    """ln(head / base) at the least and at the most; null without a bound."""
    least = log(head.low / base.high) if head.low and base.high else None
    most = log(head.high / base.low) if head.high and base.low else None
    return least, most


def change(quantity: str, one: Amount, other: Amount, noise: Noise, rows: int = 1, captures: int = 1) -> Change:
    """The change of one quantity with the reach of chance; `rows` is how many are judged together.

    Where a side has one capture, the drift from capture to capture that was seen elsewhere is in the reach.
    """
    base, head = one.value, other.value
    reach = noise.reach(limit(f"error_{quantity}") / rows)
    assumed = limit(f"unmeasured_{quantity}")
    if reach is not None and noise.dof < limit("least_dof") and reach > assumed:
        reach = None
    measured = reach is not None
    known = base is not None and head is not None and base > 0 and head > 0
    ratio = log(head) - log(base) if known else None  # type: ignore[arg-type]
    least = limit(f"least_{quantity}")
    drift = limit(f"prior_{quantity}") if captures == 1 else 0.0
    within = max(least, hypot(reach, drift)) if reach is not None else max(assumed, drift)
    low, high = between(one, other)
    return Change(
        base=base,
        head=head,
        log=ratio,
        reach=within,
        measured=measured,
        drift=noise.drift,
        least=low,
        most=high,
        gap=one.gap or other.gap,
    )


def unchanged(value: float | None) -> Change:
    """A number against itself: the same, without noise; of one that was not measured nothing is known."""
    return Change(base=value, head=value, log=None if not value else 0.0, reach=0.0, measured=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A verdict with the numbers it rests on."""

    verdict: str
    bytes: Change
    flops: Change
    seconds: Change
    beyond: float | None
    """Part of the DRAM bytes moved beyond the ridge, the larger of both sides."""
    doubt: str = ""
    """For cannot_tell: what is lacking, `missing:bytes` or `noise:seconds`."""

    @property
    def answers(self) -> dict[str, int | None]:
        """What bytes and time did, each on its own: +1, 0, -1, or null where it cannot be told."""
        return {name: told(name, getattr(self, name)) for name in ("bytes", "seconds")}

    @property
    def itself(self) -> bool:
        """Whether both sides hold the same measurements, which no chance can have made differ."""
        return self.bytes.reach == 0

    @property
    def realised(self) -> float | None:
        """ln(time ratio) / ln(bytes ratio): the part of the allowed speed-up that was seen."""
        moved = self.bytes.direction not in (None, 0)
        if not moved or self.bytes.log is None or self.seconds.log is None:
            return None
        return self.seconds.log / self.bytes.log

    @property
    def realised_reach(self) -> float | None:
        """How far `realised` may be off by the noise of time."""
        return None if self.realised is None else self.seconds.reach / abs(self.bytes.log)  # type: ignore[arg-type]

    @property
    def allowed(self) -> float | None:
        """Speed-up that the saved bytes allow at the same share of bandwidth."""
        return None if self.bytes.log is None else exp(-self.bytes.log)

    @property
    def speedup(self) -> float | None:
        """Speed-up seen."""
        return None if self.seconds.log is None else exp(-self.seconds.log)


def judge(bytes_: Change, flops: Change, seconds: Change, beyond: float | None, *, comparable: bool = True) -> Judged:
    """The first verdict of the closed set whose condition holds."""
    doubt = lacking(bytes_)
    if not comparable:
        word = "not_comparable"
    elif beyond is not None and beyond > limit("beyond_ridge") and bytes_.direction is not None:
        word = "outside_regime"
    elif doubt:
        word = "cannot_tell"
    else:
        word = by_change(bytes_, flops, seconds)
    doubt = doubt if word == "cannot_tell" else ""
    return Judged(verdict=word, bytes=bytes_, flops=flops, seconds=seconds, beyond=beyond, doubt=doubt)


def lacking(bytes_: Change) -> str:
    """What keeps anything from being said; empty where nothing does. Time may be unknown: bytes are an answer of their own."""
    if told("bytes", bytes_) is not None:
        return ""
    if bytes_.direction is None:
        return f"{'unknown' if None not in (bytes_.base, bytes_.head) else 'missing'}:bytes"
    return "noise:bytes"


def told(name: str, each: Change) -> int | None:
    """+1 more, -1 less, 0 the same: the whole interval inside the margin; null where that cannot be told."""
    if each.direction in (1, -1) or each.log is None:
        return each.direction
    within = log1p(limit(f"same_{name}"))
    low, high = each.interval
    return 0 if -within <= low and high <= within else None


def by_change(bytes_: Change, flops: Change, seconds: Change) -> str:
    """The verdict inside the regime, with what bytes did known: a place in the table of bytes and time."""
    moved, time = told("bytes", bytes_), told("seconds", seconds)
    if moved == 1:
        return "moves_more"
    if moved == 0:
        return at_same_bytes(flops, seconds, time)
    if time == 1:
        return "bytes_cut_slower"
    return "bytes_cut_time_kept" if kept(bytes_, seconds) else "cuts_bytes"


def at_same_bytes(flops: Change, seconds: Change, time: int | None) -> str:
    """The verdict where bytes stayed. FLOPs that fell are a mirage where time cannot have fallen by half as much."""
    if time:
        return "same_bytes_faster" if time == -1 else "same_bytes_slower"
    if flops.direction == -1 and (flops.log is None or seconds.interval[0] > limit("realised") * flops.log):
        return "flop_mirage"
    return "same_bytes" if time is None else "no_change"


def kept(bytes_: Change, seconds: Change) -> bool:
    """Whether time surely stayed: even the least that it can be is less than half of the gain that the bytes allow."""
    return bytes_.log is not None and seconds.interval[0] > limit("realised") * bytes_.log
