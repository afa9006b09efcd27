"""Bytes by role, per token where tokens are known, each beside the least that the model needs."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from ncu_roofline.analysis.model.measured import against_floor
from ncu_roofline.analysis.run.tokens import per_token, totals
from ncu_roofline.capture.capture import Run
from ncu_roofline.knowledge.models.model import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleBytes:
    """Rows (role, family, bytes, share, floor), largest first, and what the bytes are per."""

    rows: pl.DataFrame
    basis: str
    """token, step, or capture."""


def role_bytes(launches: pl.DataFrame, run: Run, model: Model | None = None) -> RoleBytes:
    """DRAM bytes of one GPU by role; roles whose bytes are unknown or zero are left out."""
    whole = totals(launches, run)
    basis = whole.basis if whole.basis in ("token", "step") else "capture"
    column = {"token": "dram_bytes_per_token", "step": "dram_bytes_per_step"}.get(basis, "dram_bytes")
    families = launches.select("role", "family").unique("role")
    known = (
        per_token(launches, run, "role")
        .join(families, on="role", how="left")
        .select(pl.col("role", "family").cast(pl.String), bytes=column)
        .with_columns(pl.col("family").fill_null("other"))
        .filter(pl.col("bytes") > 0)
        .sort("bytes", "role", descending=[True, False])
    )
    shared = known.with_columns(share=pl.col("bytes") / pl.col("bytes").sum())
    return RoleBytes(
        rows=shared.join(floors(launches, run, model, basis), on="role", how="left", maintain_order="left"), basis=basis
    )


def floors(launches: pl.DataFrame, run: Run, model: Model | None, basis: str) -> pl.DataFrame:
    """Role and the least bytes of one GPU per token or step; no rows without a model."""
    if model is None or basis == "capture":
        return pl.DataFrame(schema={"role": pl.String, "floor": pl.Float64})
    batch = float(run.batch.value or 1) * float(run.accepted.value or 1) if basis == "token" else 1.0
    gpus = float(run.tp.value or 1)
    return against_floor(launches, run, model).select("role", floor=pl.col("floor_bytes") / (batch * gpus))
