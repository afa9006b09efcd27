"""Bytes by role, per token where tokens are known, each beside the least that the model needs."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from ncu_roofline.analysis.model.measured import against_floor
from ncu_roofline.analysis.run.basis import basis as basis_of
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Along:
    """Rows (place, role, family, bytes), in order, what places are, and what the bytes are per."""

    rows: pl.DataFrame
    places: str
    """step where there are several whole ones, else layer; a null layer is embedding, head and sampling."""
    basis: str


def along(launches: pl.DataFrame, run: Run) -> Along:
    """DRAM bytes of one GPU by role, step after step or layer after layer."""
    found = basis_of(launches, run)
    steps = found.launches["step"].drop_nulls().n_unique()
    places = "step" if steps > 1 else "layer"
    tokens = found.tokens if found.kind == "token" else None
    # every step has its part of the tokens, every layer works for all of them
    parts = steps if places == "step" else 1
    divisor = found.gpus * (tokens / parts if tokens else 1.0)
    role = pl.col("role").cast(pl.String).fill_null("unclassified")
    family = pl.col("family").cast(pl.String).fill_null("other")
    rows = (
        found.launches.filter(pl.col("dram_bytes") > 0)
        .group_by(place=pl.col(places).cast(pl.Int64), role=role, family=family)
        .agg(bytes=pl.col("dram_bytes").sum() / divisor)
        .sort("place", "bytes", descending=[False, True], nulls_last=True)
    )
    return Along(rows=rows, places=places, basis="token" if tokens else "capture")


def floors(launches: pl.DataFrame, run: Run, model: Model | None, basis: str) -> pl.DataFrame:
    """Role and the least bytes of one GPU per token or step; no rows without a model."""
    if model is None or basis == "capture":
        return pl.DataFrame(schema={"role": pl.String, "floor": pl.Float64})
    batch = float(run.batch.value or 1) * float(run.accepted.value or 1) if basis == "token" else 1.0
    gpus = float(run.tp.value or 1)
    return against_floor(launches, run, model).select("role", floor=pl.col("floor_bytes") / (batch * gpus))
