"""A made-up fleet: the rows of one measured capture, grown to commits with planted changes, noise and drift."""

from __future__ import annotations

import random
from datetime import datetime, timedelta, timezone
from functools import lru_cache

import polars as pl

import ncu_roofline as nr
from ncu_roofline.capture.fleet import MOMENT

DENSE = "fixtures/measured/h100-dense-b8.ncu-repz"
BEGIN = datetime(2026, 1, 1, tzinfo=timezone.utc)
Planted = dict[int, tuple[str, str, float]]
"""Commit -> role, quantity and part by which it grows."""


@lru_cache
def one() -> pl.DataFrame:
    """The rows of one capture."""
    return nr.ingest(DENSE, meta={"branch": "main", "model": "llama-3.1-8b"}).runs


def grown(commits: int, planted: Planted, *, seed: int = 0, noise: float = 5e-4, drift: float = 0.05) -> pl.DataFrame:
    """Rows of so many commits: bytes scatter by `noise`, time by four times as much, and drifts along."""
    rng, grow, frames = random.Random(seed), dict[tuple[str, str], float](), []
    for number in range(commits):
        if number in planted:
            role, quantity, part = planted[number]
            grow[(role, quantity)] = grow.get((role, quantity), 1.0) * (1 + part)
        frames.append(commit(number, grow, rng, noise, drift * number / commits))
    return pl.concat(frames)


def commit(number: int, grow: dict[tuple[str, str], float], rng: random.Random, noise: float, drift: float) -> pl.DataFrame:
    rows = one()
    for quantity, scatter, moved in (("bytes", noise, 0.0), ("seconds", 4 * noise, drift)):
        factor = pl.Series(
            [(1 + moved) * (1 + rng.gauss(0, scatter)) * grow.get((role, quantity), 1.0) for role in rows["role"]]
        )
        rows = rows.with_columns(pl.col(c) * factor for c in (quantity, f"{quantity}_low", f"{quantity}_high"))
    moment = BEGIN + timedelta(hours=number)
    return rows.with_columns(
        id=pl.lit(f"{number:032x}"), commit=pl.lit(f"c{number:04d}"), commit_time=pl.lit(moment).cast(MOMENT)
    )
