"""FLOPs from counts per opcode: the shape of a matrix instruction stands in its mnemonic."""

from __future__ import annotations

import re

import polars as pl

from ncu_roofline.capture.schema import MEASURED
from ncu_roofline.knowledge.counters import table

SQUARE = re.compile(r"^(16|8)(8)(\d+)$")
WARPGROUP = re.compile(r"^(\d+)x(\d+)x(\d+)$")
WARPS_IN_GROUP = 4  # a warpgroup instruction is counted once by each of its four warps
VOLTA_STEPS = {"fp16": 512, "fp16_fp16acc": 1024}
"""HMMA.884 is one step of four quad products of 8x8x4 (2,048 operations): of four with FP32 sums, of two with FP16 sums."""
OTHER_MATRIX = ("UTCHMMA", "UTCQMMA", "UTCIMMA", "UTCOMMA")  # the shape is in a descriptor


def matrix_path(kind: str, modifiers: set[str]) -> str | None:
    """Which roof a matrix opcode works against; None for opcodes that are no matrix product."""
    for row in table()["matrix_opcode"]:
        stated = modifiers & set(row["any"]) if "any" in row else True
        if kind in row["kinds"] and stated and modifiers.isdisjoint(row.get("without", ())):
            return str(row["path"])
    return None


def matrix_flops(opcode: str) -> tuple[str, float] | None:
    """Path and FLOPs of one counted warp instruction, e.g. HMMA.16816.F32 -> fp16, 4096."""
    kind, *modifiers = opcode.split(".")
    path = matrix_path(kind, set(modifiers))
    if path is None or not modifiers:
        return None
    if kind == "HMMA" and "884" in modifiers:
        return path, VOLTA_STEPS[path]
    for modifier in modifiers:
        square, group = SQUARE.match(modifier), WARPGROUP.match(modifier)
        if shape := square or group:
            m, n, k = (int(side) for side in shape.groups())
            # the K of a sparse instruction (.SP) is that of the dense product already
            return path, 2 * m * n * k / (WARPS_IN_GROUP if group else 1)
    return None


def is_matrix(opcode: str) -> bool:
    """Whether this is a matrix product, with or without a shape that can be read."""
    kind, *modifiers = opcode.split(".")
    return kind.startswith(OTHER_MATRIX) or matrix_path(kind, set(modifiers)) is not None


def scalar_flops(opcode: str) -> tuple[str, float] | None:
    """Path and FLOPs of one thread instruction, e.g. FFMA.FTZ -> fp32, 2."""
    kind = opcode.split(".")[0]
    for path, factors in table()["scalar_opcodes"].items():
        if kind in factors:
            return path, factors[kind]
    return None


def instanced(launches: pl.DataFrame, which: str) -> str | None:
    """The column of an opcode counter, if this capture has its instances and not only their sum."""
    column = MEASURED + str(table()["opcodes"][which])
    return column if isinstance(launches.schema.get(column), pl.List) else None


def counted(launches: pl.DataFrame, which: str) -> pl.DataFrame:
    """FLOPs per launch and path from the instanced counter `warp` or `thread`: index, path, flops.

    A launch whose instances are all zero, or whose matrix shapes are not in the mnemonics, has no row.
    """
    column = instanced(launches, which)
    if column is None:
        return pl.DataFrame(schema={"index": pl.Int64, "path": pl.String, "flops": pl.Float64})
    worth = matrix_flops if which == "warp" else scalar_flops
    each = launches.select("index", pl.col(column).alias("ops")).explode("ops").unnest("ops").drop_nulls()
    opcodes = each["id"].unique().to_list()
    worths = {o: w for o in opcodes if (w := worth(o))}
    known = pl.DataFrame(
        {"id": list(worths), "path": [w[0] for w in worths.values()], "each": [float(w[1]) for w in worths.values()]},
        schema={"id": pl.String, "path": pl.String, "each": pl.Float64},
    )
    untold = [o for o in opcodes if which == "warp" and o not in worths and is_matrix(o)]
    usable = (
        each.group_by("index")
        .agg(seen=pl.col("value").sum() > 0, told=~(pl.col("id").is_in(untold) & (pl.col("value") > 0)).any())
        .filter("seen", "told")
    )
    flops = each.join(known, on="id").group_by("index", "path").agg(flops=(pl.col("value") * pl.col("each")).sum())
    return usable.select("index").join(flops, on="index", how="left")


def has_integer_dots(launches: pl.DataFrame) -> pl.Expr:
    """Whether the launch's work is in dp4a, which no FLOP counter sees: by opcode, else by name."""
    facts = table()["integer_dot"]
    by_name = pl.col("kernel").is_in(facts["names"])
    column = instanced(launches, "warp")
    if column is None:
        return by_name
    first = pl.element().struct.field("id").str.split(".").list.first()
    dots = pl.col(column).list.eval(first.is_in(facts["opcodes"]) & (pl.element().struct.field("value") > 0))
    return pl.coalesce(dots.list.any(), by_name)
