"""Fits typical times to one half of the public kernel times and judges them on the other; prints what it found.

The tables lie beside the repository or nowhere: no row of them is kept here, only the fitted figures in achieved.toml.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from ncu_roofline.analysis.sums import ratio
from ncu_roofline.knowledge.devices import gpus
from ncu_roofline.knowledge.devices.achieved import Fit

TABLES = Path(__file__).resolve().parents[1].parent / "shared/corpus/measured"
WIDTHS = {"bf16": 2.0, "fp8": 1.0}
NAMES = {"bf16": "bfloat16"}
MATRICES = [(gpu, dtype) for gpu in ("h100", "h200", "l40s") for dtype in WIDTHS]
FACTOR = 1.3
"""A time is close to its fit within this factor."""
MOST_ROWS = 64
SMALLEST_CACHE, SHORTEST, HEAD_WIDTH = 30e6, 256, 128
"""Caches from so many bytes and contexts from so many tokens on are fitted; the head width of all rows."""
ROUNDS, NEAR = 20, 0.02
"""Attention's times have a long tail: so often are the rows weighed again by their distance, none nearer than this."""


def half(name: str) -> int:
    """Which half a matrix or a cache belongs to: 0 or 1, whatever the order of the rows."""
    return zlib.crc32(name.encode()) % 2


def halved(rows: pl.DataFrame, *names: str) -> pl.DataFrame:
    """Rows with the `half` that what these columns name belongs to: rows of one matrix are in one half."""
    return rows.with_columns(half=pl.concat_str(names, separator="x").map_elements(half, return_dtype=pl.Int64))


def matrices(gpu: str, dtype: str) -> pl.DataFrame:
    """Weight matrices larger than the L2 at up to 64 rows of activations, with their bytes, seconds and half."""
    beyond = gpus.find(gpu).l2_bytes or 0.0
    rows = pl.read_parquet(TABLES / f"gemm_{gpu}_vllm.parquet").filter(
        pl.col("gemm_dtype") == NAMES.get(dtype, dtype), pl.col("m") <= MOST_ROWS
    )
    sized = rows.with_columns(bytes=WIDTHS[dtype] * pl.col("n") * pl.col("k"), seconds=pl.col("milliseconds") / 1e3)
    return halved(sized.filter(pl.col("bytes") > beyond), "n", "k")


def caches(dtype: str) -> pl.DataFrame:
    """One layer's decode attention on H100 without a window, with the bytes of its cache, seconds and half."""
    rows = pl.read_parquet(TABLES / "attention_h100_vllm.parquet").filter(
        pl.col("kv_cache_dtype") == NAMES.get(dtype, dtype), pl.col("window_size") == 0
    )
    heads = pl.col("num_key_value_heads")
    each = 2.0 * WIDTHS[dtype] * HEAD_WIDTH * pl.when(heads > 0).then(heads).otherwise("num_heads")
    context = pl.col("isl") + pl.col("step")
    sized = rows.with_columns(
        bytes=each * pl.col("batch_size") * context, context=context, seconds=pl.col("milliseconds") / 1e3
    )
    large = sized.filter(pl.col("bytes") > SMALLEST_CACHE, pl.col("context") >= SHORTEST)
    return halved(large, "num_heads", "num_key_value_heads", "batch_size")


def fitted(rows: pl.DataFrame, rounds: int = 1) -> Fit:
    """`start + bytes / bandwidth` of least relative error: the weights are 1 / seconds squared.

    With more rounds, rows far from the line count for less, so that a tail does not pull it.
    """
    close = pl.lit(1.0)
    for _ in range(rounds):
        weight = close / pl.col("seconds") ** 2
        x, y = pl.col("bytes"), pl.col("seconds")
        sums = rows.select(
            one=weight.sum(), x=(weight * x).sum(), y=(weight * y).sum(), xx=(weight * x * x).sum(), xy=(weight * x * y).sum()
        ).row(0, named=True)
        slope = (sums["one"] * sums["xy"] - sums["x"] * sums["y"]) / (sums["one"] * sums["xx"] - sums["x"] ** 2)
        start = (sums["y"] - slope * sums["x"]) / sums["one"]
        close = 1.0 / (((start + slope * x) / y - 1).abs().clip(NEAR))
    low, high = spread(times(rows, Fit(start=start, bandwidth=1 / slope, low=1.0, high=1.0)))
    return Fit(start=start, bandwidth=1 / slope, low=low, high=high)


def times(rows: pl.DataFrame, fit: Fit) -> pl.Series:
    """Measured over fitted time, row by row."""
    return rows.select(ratio("seconds", fit.start + pl.col("bytes") / fit.bandwidth))["seconds"]


def spread(found: pl.Series) -> tuple[float, float]:
    """The 5th and the 95th percentile."""
    low, high = found.quantile(0.05, "linear"), found.quantile(0.95, "linear")
    if low is None or high is None:
        raise LookupError("no rows to judge by")
    return low, high


def close(found: pl.Series) -> float:
    """The part of the rows whose time is within the factor of its fit."""
    return int(found.is_between(1 / FACTOR, FACTOR).sum()) / found.len()


def report() -> Iterator[str]:
    """One line for each table and half: what was fitted, and how far the other half lies from it."""
    tables = {f"{gpu} fc {dtype}": (matrices(gpu, dtype), 1) for gpu, dtype in MATRICES}
    tables |= {f"h100 attention {dtype}": (caches(dtype), ROUNDS) for dtype in WIDTHS}
    for name, (rows, rounds) in tables.items():
        for which in (0, 1):
            fit = fitted(rows.filter(half=which), rounds)
            others = times(rows.filter(half=1 - which), fit)
            low, high = spread(others)
            yield (
                f"{name}, half {which}: {1e6 * fit.start:.1f} us, {fit.bandwidth / 1e12:.3f} TB/s; the other half: "
                f"{100 * close(others):.0f} % of {others.len()} within {FACTOR}, 5 to 95 % at {low:.2f} to {high:.2f}"
            )


if __name__ == "__main__":
    if not TABLES.is_dir():
        raise SystemExit("the public kernel times (../shared/corpus/measured) are not beside this repository")
    print("\n".join(report()))
