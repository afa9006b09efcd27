"""Three changes and a regime -> one verdict of the closed set, judged in its order."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, expm1, log

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

    @property
    def part(self) -> float | None:
        """The change as people read it: -0.5 is half as much."""
        return None if self.log is None else expm1(self.log)

    @property
    def direction(self) -> int | None:
        """+1 more, -1 less, 0 no change beyond noise; null where it cannot be known."""
        if self.base is None or self.head is None:
            return None
        if self.log is None:
            return (self.head > self.base) - (self.head < self.base)
        return 0 if abs(self.log) <= self.reach else (1 if self.log > 0 else -1)


def change(quantity: str, base: float | None, head: float | None, noise: Noise, rows: int = 1) -> Change:
    """The change of one quantity with the reach of chance; `rows` is how many are judged together."""
    reach = noise.reach(limit(f"error_{quantity}") / rows)
    assumed = limit(f"unmeasured_{quantity}")
    if reach is not None and noise.dof < limit("least_dof") and reach > assumed:
        reach = None
    measured = reach is not None
    known = base is not None and head is not None and base > 0 and head > 0
    ratio = log(head) - log(base) if known else None  # type: ignore[arg-type]
    least = limit(f"least_{quantity}")
    within = max(least, reach) if reach is not None else assumed
    return Change(base=base, head=head, log=ratio, reach=within, measured=measured, drift=noise.drift)


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
    doubt = lacking(bytes_, flops, seconds)
    if not comparable:
        word = "not_comparable"
    elif doubt:
        word = "cannot_tell"
    elif beyond is not None and beyond > limit("beyond_ridge"):
        word = "outside_regime"
    else:
        word = by_change(bytes_, flops, seconds)
    return Judged(verdict=word, bytes=bytes_, flops=flops, seconds=seconds, beyond=beyond, doubt=doubt if comparable else "")


def lacking(bytes_: Change, flops: Change, seconds: Change) -> str:
    """What keeps anything from being said; empty where nothing does."""
    for name, each in (("bytes", bytes_), ("seconds", seconds)):
        if each.direction is None:
            return f"missing:{name}"
    # more bytes are more bytes whatever the rest; fewer need only time, to know what they paid
    needed = {1: ("bytes",), -1: ("bytes", "seconds"), 0: ("bytes", "seconds", "flops")}[bytes_.direction]  # type: ignore[index]
    changes = {"bytes": bytes_, "seconds": seconds, "flops": flops}
    return next((f"noise:{name}" for name in needed if undecided(name, changes[name])), "")


def undecided(name: str, each: Change) -> bool:
    """Whether no change was found only because the noise is wide, or was never measured."""
    too_wide = each.measured and each.reach > limit(f"widest_{name}")
    assumed = not each.measured and abs(each.log or 0.0) > limit(f"least_{name}")
    return each.direction == 0 and (too_wide or assumed)


def by_change(bytes_: Change, flops: Change, seconds: Change) -> str:
    """The verdict inside the regime, with bytes and time known."""
    moved, work, time = bytes_.direction, flops.direction or 0, seconds.direction
    if moved == 0 and work == 0 and time == 0:
        return "no_change"
    if moved == 1:
        return "moves_more"
    if moved == 0:
        return "flop_mirage" if work == -1 or (work == 1 and time == 0) else "efficiency"
    if bytes_.log is None or seconds.log is None:
        return "cuts_bytes"
    return "cuts_bytes" if seconds.log / bytes_.log >= limit("realised") else "bytes_cut_time_kept"
