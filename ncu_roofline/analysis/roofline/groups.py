"""Placed launches -> one row per group of launches: sums first, then ratios of the sums."""

from __future__ import annotations

import polars as pl

from ncu_roofline.analysis.roofline.roofline import bound, bound_source, limited_by, suspect
from ncu_roofline.analysis.sums import known_sum, mean, ratio
from ncu_roofline.analysis.work.ladder import NOTHING
from ncu_roofline.analysis.work.work import precision
from ncu_roofline.capture.schema import FAMILIES, SOURCES
from ncu_roofline.knowledge.limits import THRESHOLDS

KEYS = {
    "kernel": ("name", "grid", "block"),
    "launch": ("index",),
    "role": ("role",),
    "layer": ("layer", "family"),
    "family": ("family",),
}
"""What the launches of a group have in common; FC and attention stay apart in a layer too."""

SUMMED = (
    "seconds",
    "dram_bytes",
    "dram_read_bytes",
    "dram_write_bytes",
    "l2_bytes",
    "flops",
    "tensor_flops",
    "scalar_flops",
    "useful_flops",
)
SLOPES = ("bandwidth", "bandwidth_at_clock")
CEILINGS = ("peak", "peak_at_clock", "ridge", "ridge_spec", "ridge_profiled")
ROOFS = (*SLOPES, *CEILINGS)
BY_TIME = (*SLOPES, "bandwidth_share", "compute_share", "ceiling_share", "waves")
"""Means weighted by time: a share times its time is the time at the roof."""
LONG = ("name", "kernel")
"""Texts that groups compare as numbers."""
PAIRS = (("flops", "dram_bytes"), ("needed", "dram_bytes"), ("flops", "needed"), ("flops", "seconds"), ("needed", "seconds"))
BOUNDS_OF_USEFUL = ("useful_intensity_low", "useful_intensity_high")
FIRST = (
    "group",
    "kernel",
    "name",
    "grid",
    "block",
    "role",
    "family",
    "phase",
    "layer",
    "index",
    "launches",
    "seconds",
    "time_share",
    "dram_bytes",
    "bytes_share",
    "dram_bytes_source",
    "flops",
    "flops_source",
    "flops_complete",
    "tensor_flops",
    "useful_flops",
    "useful_flops_source",
    "precision",
    "path",
    "intensity",
    "useful_intensity",
    "padding",
    "flops_per_second",
    "useful_flops_per_second",
    "ridge",
    "bound",
    "bound_source",
    "bandwidth_share",
    "compute_share",
    "limited_by",
    "ceiling_share",
    "least_seconds",
    "gain_seconds",
    "gain_reason",
    "waves",
    "fusion_bytes",
    "suspect",
)


def group(launches: pl.DataFrame, by: str = "kernel") -> pl.DataFrame:
    """One row per group, longest first; a sum is null where no launch of the group is known.

    `<column>_unknown` counts launches that a sum lacks, so that it is known to be a lower bound.
    A ratio is taken over the launches that have both its sides.
    """
    keys = list(KEYS[by])
    figures = (*identity(keys), *sums(), *means(), *paired(), common("bound").alias("bound_of_all"))
    ready = narrow(launches, {*keys, *(name for figure in figures for name in figure.meta.root_names())})
    summed = ready.group_by(keys, maintain_order=True).agg(figures)
    return (
        with_path(summed, ready, keys)
        .with_columns(
            precision(),
            time_share=ratio("seconds", pl.col("seconds").sum()),
            bytes_share=ratio("dram_bytes", pl.col("dram_bytes").sum()),
            **quotients(),
        )
        .with_columns(bound=pl.coalesce(bound(), "bound_of_all"))
        .with_columns(bound_source=bound_source(), limited_by=limited_by(THRESHOLDS.latency_share), suspect=suspect())
        .sort("seconds", "index", descending=[True, False], nulls_last=True)
        .with_row_index("group")
        .with_columns(pl.col(LONG).cast(pl.String))
        .select(
            *FIRST,
            *(c for c in (*SUMMED, *ROOFS, *BOUNDS_OF_USEFUL) if c not in FIRST),
            *(f"{c}_unknown" for c in SUMMED),
            "suspect_launches",
        )
    )


def narrow(launches: pl.DataFrame, names: set[str]) -> pl.DataFrame:
    """What is looked at: of a million launches, grouping copies every other column, and long texts as often as rows."""
    ready = launches.with_columns(pl.col("family").cast(pl.Enum(FAMILIES)).fill_null("other"), needed=needed())
    return ready.select(sorted({*names, "path", *CEILINGS})).with_columns(pl.col(LONG).cast(pl.Categorical))


def needed() -> pl.Expr:
    """Useful FLOPs, or the counted ones of a launch without tensor work, where nothing is padded to tiles."""
    return pl.coalesce("useful_flops", pl.when((pl.col("tensor_flops") == 0) & pl.col("flops_complete")).then("flops"))


def common(name: str) -> pl.Expr:
    """The value that all launches of the group share; null where they differ."""
    return pl.when(pl.col(name).n_unique() == 1).then(pl.col(name).first()).alias(name)


def worst(name: str) -> pl.Expr:
    """The least exact rung among the launches."""
    rung = pl.col(name).to_physical().max()
    return rung.replace_strict(dict(enumerate(SOURCES)), default=None, return_dtype=pl.Enum(SOURCES)).alias(name)


def identity(keys: list[str]) -> list[pl.Expr]:
    """What the group is; null where its launches do not agree, but for the role, which is that of most."""
    shared = ("kernel", "name", "grid", "block", "phase", "layer", "useful_flops_source")
    return [
        *(common(n) for n in shared if n not in keys),
        *([] if "role" in keys else [pl.col("role").drop_nulls().mode().min()]),
        *([] if "family" in keys else [common("family").fill_null("other")]),
        *([] if "index" in keys else [pl.col("index").min()]),
        pl.col("times").fill_null(1).sum().alias("launches"),
        worst("dram_bytes_source"),
        worst("flops_source"),
        pl.col("flops_complete").fill_null(False).all(),
        pl.col("useful_intensity_low").min(),
        pl.col("useful_intensity_high").max(),
        pl.col("suspect").fill_null(False).sum().cast(pl.Int64).alias("suspect_launches"),
        *(known_sum(c).alias(c) for c in ("least_seconds", "gain_seconds", "fusion_bytes")),
        pl.col("gain_reason").sort_by("gain_seconds", descending=True, nulls_last=True).first(),
    ]


def sums() -> list[pl.Expr]:
    """Totals, and how many launches each of them lacks."""
    return [e for c in SUMMED for e in (known_sum(c).alias(c), pl.col(c).null_count().cast(pl.Int64).alias(f"{c}_unknown"))]


def means() -> list[pl.Expr]:
    """Means weighted by time."""
    return [mean(name).alias(name) for name in BY_TIME]


def paired() -> list[pl.Expr]:
    """Both sides of every quotient, over the launches that have both."""
    both = {pair: pl.col(pair[0]).is_not_null() & pl.col(pair[1]).is_not_null() for pair in PAIRS}
    sides = [known_sum(side, both[pair]).alias(f"{pair[0]}/{pair[1]}:{side}") for pair in PAIRS for side in pair]
    # useful work of only some launches that did work would stand for the others, too
    uncovered = ((pl.col("flops").fill_null(1) > 0) & pl.col("needed").is_null()).any()
    none_told = pl.col("useful_flops").count() == 0
    return [*sides, known_sum("needed").alias("needed"), (uncovered | none_told).alias("uncovered")]


def with_path(summed: pl.DataFrame, launches: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """Groups with the path that did most of their work, and its ceilings; null where none did any.

    A ceiling is never a mean over paths: FP32 helpers beside a BF16 kernel would lower its ridge.
    """
    main = (
        launches.select(*keys, "path", "flops", "seconds", *CEILINGS)  # filtering copies
        .filter(pl.col("path").is_not_null())
        .group_by(*keys, "path", maintain_order=True)
        .agg(pl.col("flops").sum(), *(mean(name) for name in CEILINGS))
        .sort("flops", descending=True, maintain_order=True)
        .group_by(keys, maintain_order=True)
        .agg(pl.col("path", *CEILINGS).first())
    )
    return summed.join(main, on=keys, how="left", nulls_equal=True, maintain_order="left")


def quotients() -> dict[str, pl.Expr]:
    """Intensities, rates and padding; the useful ones only where every working launch is covered."""

    def quotient(top: str, bottom: str) -> pl.Expr:
        return ratio(f"{top}/{bottom}:{top}", f"{top}/{bottom}:{bottom}")

    covered = pl.when(~pl.col("uncovered"))
    return {
        "intensity": quotient("flops", "dram_bytes"),
        "useful_intensity": covered.then(quotient("needed", "dram_bytes")),
        "flops_per_second": quotient("flops", "seconds"),
        "useful_flops_per_second": covered.then(quotient("needed", "seconds")),
        "padding": covered.then(quotient("flops", "needed")),
        "useful_flops": covered.then("needed").otherwise(NOTHING),
    }
