"""A series over commits: its trend and band, its change points, and its last point judged by the rules of a comparison."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import exp, log
from operator import mul
from typing import Any

import polars as pl

from ncu_roofline.analysis.compare.gate import CANNOT_TELL, Outcome, Rule, decided
from ncu_roofline.analysis.compare.noise import Noise
from ncu_roofline.analysis.compare.student import EFFICIENCY, quantile
from ncu_roofline.analysis.compare.verdict import Amount, Change, Judged, change, exactly, judge
from ncu_roofline.analysis.fleet import changes
from ncu_roofline.analysis.fleet.series import METRICS, WHOLE, Series, roles, series, values, varied
from ncu_roofline.knowledge.verdicts import QUANTITIES, limit

DEFAULT = ("bytes_per_token", "seconds_per_token")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePoint:
    """A commit from which on a role moves another amount."""

    commit: str | None
    when: datetime | None
    metric: str
    role: str
    relative: float | None
    """after / before - 1; None where there was nothing before."""
    before: float
    after: float
    reach: float
    """How far `relative` may be off by chance."""
    point: int
    first: int
    last: int
    """Points between which it can lie as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A series with all that it tells."""

    series: Series
    metrics: tuple[str, ...]
    changes: tuple[ChangePoint, ...]
    trends: dict[str, pl.DataFrame]
    """By metric: point, value, level, low, high; the last three null where the series is too short."""
    judged: Judged | None
    """The last point against those before it; None of a series of one."""
    against: int
    """Points that the last one was held against."""
    varied: dict[str, list[str]]

    @property
    def basis(self) -> str:
        """What every number is divided by."""
        return str(self.series.workload["basis"])

    @property
    def last_commit(self) -> str | None:
        """Commit of the last point."""
        told: str | None = self.series.points["commit"][-1]
        return told


def history(runs: pl.DataFrame, metrics: Sequence[str] = DEFAULT) -> list[Story]:
    """Every series of an archive with its change points and the verdict of its last point."""
    return [story(found, tuple(metrics)) for found in series(runs)]


def story(found: Series, metrics: tuple[str, ...]) -> Story:
    """One series told."""
    points = tuple(p for metric in metrics for p in change_points(found, metric))
    judged, against = last(found, points)
    return Story(
        series=found,
        metrics=metrics,
        changes=points,
        trends={metric: trend(found, metric, points) for metric in metrics},
        judged=judged,
        against=against,
        varied=varied(found),
    )


def change_points(found: Series, metric: str) -> list[ChangePoint]:
    """The steps of every role, in order; of the whole where no role explains it."""
    column = METRICS[metric][0]
    each = roles(found, column)
    steps = {role: of_role(found, metric, role, len(each) + 1) for role in (*each, WHOLE)}
    by_role = [point for role in each for point in steps[role]]
    alone = [w for w in steps[WHOLE] if not any(w.first - 1 <= p.point <= w.last + 1 for p in by_role)]
    return sorted([*by_role, *alone], key=lambda p: (p.point, -abs(p.after - p.before)))


def of_role(found: Series, metric: str, role: str, together: int) -> list[ChangePoint]:
    """The steps of one role that matter to the whole; points where it is unknown are passed over."""
    column = METRICS[metric][0]
    known = [(i, v) for i, v in enumerate(values(found, role, column)) if v is not None]
    least = limit(f"least_{'bytes' if column == 'read_bytes' else column}")
    told = changes.steps([v for _, v in known], limit("error_history") / together, least)
    whole = [v for v in values(found, WHOLE, column) if v]
    worth = limit("least_of_whole") * (sorted(whole)[len(whole) // 2] if whole else 0.0)
    return [point_of(found, metric, role, step, [i for i, _ in known]) for step in told if abs(step.size) >= worth]


def point_of(found: Series, metric: str, role: str, step: changes.Step, places: list[int]) -> ChangePoint:
    """A step as a commit of the series."""
    at = places[step.at]
    row = found.points.row(at, named=True)
    before = max(step.before, 0.0)
    some = before > abs(step.size) * changes.FINEST
    return ChangePoint(
        commit=row["commit"],
        when=row["when"],
        metric=metric,
        role=role,
        relative=step.size / before if some else None,
        reach=step.reach / before if some else step.reach,
        before=before,
        after=max(before + step.size, 0.0),
        point=at,
        first=places[step.first],
        last=places[step.last],
    )


def trend(found: Series, metric: str, points: Sequence[ChangePoint]) -> pl.DataFrame:
    """The whole at every point with its level, straight over a window between two change points, and its band."""
    column = METRICS[metric][0]
    all_values = values(found, WHOLE, column)
    known = [(i, v) for i, v in enumerate(all_values) if v is not None]
    breaks = sorted({p.point for p in points if p.metric == metric})
    rows: list[dict[str, Any]] = [
        {"point": i, "value": v, "level": None, "low": None, "high": None} for i, v in enumerate(all_values)
    ]
    if len(known) >= limit("fewest_points"):
        scatter = changes.scatter_of([v for _, v in known], abs(known[0][1]) or 1.0)
        half = quantile(limit("error_band"), max(EFFICIENCY * (len(known) - 1), 2.0)) * scatter
        for place, _ in known:
            level = level_at(known, place, breaks)
            rows[place] |= {"level": level, "low": max(level - half, 0.0), "high": level + half}
    kinds = {"point": pl.Int64, **dict.fromkeys(("value", "level", "low", "high"), pl.Float64)}
    return pl.DataFrame(rows, schema=kinds)


def level_at(known: Sequence[tuple[int, float]], place: int, breaks: Sequence[int]) -> float:
    """The straight line through the points around a place that no change point parts from it, at that place."""
    after = bisect_right(breaks, place)
    begin = max(breaks[after - 1] if after else 0, place - limit("reference_points") // 2)
    end = min(breaks[after] if after < len(breaks) else known[-1][0] + 1, place + limit("reference_points") // 2 + 1)
    return line(known[bisect_left(known, (begin,)) : bisect_left(known, (end,))], place)[0]


def line(points: Sequence[tuple[int, float]], place: int) -> tuple[float, float]:
    """A straight line's value at a place, and its variance in units of a point's; the mean of a few points."""
    n = len(points)
    places, found = zip(*points, strict=True)
    x, y = sum(places) / n, sum(found) / n
    off = [i - x for i in places]
    xx = sum(map(mul, off, off))
    if n < limit("fewest_points") or not xx:
        return y, 1 / n
    slope = sum(map(mul, off, [v - y for v in found])) / xx
    return y + slope * (place - x), 1 / n + (place - x) ** 2 / xx


def last(found: Series, points: Sequence[ChangePoint]) -> tuple[Judged | None, int]:
    """The last point judged against the level before it, and how many points that is."""
    if found.points.height < 2:
        return None, 0
    each = {q: against_level(found, WHOLE, q, points) for q in QUANTITIES}
    beyond = found.rows.filter((pl.col("point") == found.points.height - 1) & (pl.col("role") == WHOLE))["beyond"][0]
    judged = judge(each["bytes"][0], each["flops"][0], each["seconds"][0], beyond)
    return judged, max(n for _, n in each.values())


def against_level(found: Series, role: str, quantity: str, points: Sequence[ChangePoint]) -> tuple[Change, int]:
    """A role's change at the last point, with the noise that the points before it show."""
    end = found.points.height - 1
    column_breaks = [p.point for p in points if METRICS[p.metric][0] in (quantity, f"read_{quantity}") and p.point < end]
    begin = max(max(column_breaks, default=0), end - limit("reference_points"))
    every = values(found, role, quantity)
    earlier = [(i, v) for i, v in enumerate(every[:end]) if v is not None]
    before = [(i, v) for i, v in earlier if i >= begin]
    head = amount(found, role, quantity, end)
    if len(earlier) < limit("fewest_points") or not before or any(v <= 0 for _, v in earlier):
        mean = sum(v for _, v in before) / len(before) if before else None
        return change(quantity, exactly(mean), head, Noise()), len(before)
    level, part = line([(i, log(v)) for i, v in before], end)
    scatter = changes.scatter_of([log(v) for _, v in earlier], 1.0)
    noise = Noise(variance=scatter**2 * (1 + part), dof=EFFICIENCY * (len(earlier) - 1))
    # captures of several points, so that what drifts from one to the next is in their own scatter
    return change(quantity, exactly(exp(level)), head, noise, captures=len(earlier)), len(before)


def amount(found: Series, role: str, quantity: str, point: int) -> Amount:
    """What a role moves at one point, with its bounds; nothing where it did not run."""
    rows = found.rows.filter((pl.col("point") == point) & (pl.col("role") == role))
    if rows.is_empty():
        return exactly(0.0)
    value, low, high = rows.select(quantity, f"{quantity}_low", f"{quantity}_high").row(0)
    return Amount(value=value, low=low, high=high)


def outcome(told: Story, rule: Rule, *, allowed: bool = False) -> Outcome:
    """One rule held against the last point of a series: a change in per cent is that from the level before the last point."""
    if told.basis not in ("token", "part") or told.judged is None:
        why = "first" if told.judged is None else "no_tokens"
        return Outcome(rule=rule, value=None, word=CANNOT_TELL, allowed=allowed, why=why)
    if rule.role is None:
        each: Change = getattr(told.judged, rule.quantity)
    else:
        each, _ = against_level(told.series, rule.role, rule.quantity, told.changes)
    return decided(rule, each, allowed)


def wobble(told: Story, metric: str) -> float | None:
    """Half of the noise band as a part of the last level; None where the series is too short to tell."""
    rows = told.trends[metric].drop_nulls()
    if rows.is_empty() or not rows["level"][-1]:
        return None
    return float((rows["high"][-1] - rows["level"][-1]) / rows["level"][-1])
