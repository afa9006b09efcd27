"""Kernels of a capture beside the weight matrices of its model: which one each kernel streams."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import polars as pl

from ncu_roofline.analysis.model.alignment import Matrix, Product, aligned
from ncu_roofline.analysis.model.footprint import Setting, dtype_of, setting_of, streamed
from ncu_roofline.analysis.model.types import most
from ncu_roofline.analysis.run.cuts.anchors import MIXERS
from ncu_roofline.analysis.run.rows import of_experts, satellite
from ncu_roofline.capture.capture import Run
from ncu_roofline.capture.schema import with_found
from ncu_roofline.knowledge.limits import THRESHOLDS
from ncu_roofline.knowledge.models import dtypes
from ncu_roofline.knowledge.models.model import MIXER_OUTPUTS, Model, Weight

COLUMNS = {
    "projection": pl.String(),
    "matrix_n": pl.Int64(),
    "matrix_k": pl.Int64(),
    "matrix_bytes": pl.Float64(),
    "matrix_rows": pl.Float64(),
    "experts_read": pl.Float64(),
    "read_amplification": pl.Float64(),
    "activation_bytes": pl.Float64(),
    "output_bytes": pl.Float64(),
}


@dataclass(frozen=True, slots=True)
class Streams:
    """How this run's matrices lie in memory."""

    model: Model
    setting: Setting
    rows: int | None
    dtype: str | None
    """Weight type that the kernels' names tell, where the user says none."""

    def matrix(self, weight: Weight, first: int, parts: int, after: bool | None = None) -> Matrix:
        """One weight as a launch streams it."""
        width = dtype_of(weight, self.model, self.setting).bytes
        if self.dtype and self.setting.weights is None and width == dtypes.find("bf16").bytes:
            width = dtypes.find(self.dtype).bytes
        part, experts = streamed(weight, self.setting)
        chosen = self.model.experts_per_token if weight.copies > 1 else 1
        return Matrix(
            name=weight.name,
            n=weight.n,
            k=weight.k,
            bytes=weight.n * weight.k * width * part,
            activations=2.0 * (self.rows or 1) * weight.k,
            experts=experts,
            per_token=chosen,
            first=first,
            parts=parts,
            after=after,
        )

    def of_kind(self, kind: str) -> list[Matrix]:
        """Matrices of one kind of layer in order, separate and fused."""
        weights = [w for w in self.model.weights if w.matrix and w.kind == kind]
        closing = [at for at, w in enumerate(weights) if w.name.endswith(MIXER_OUTPUTS)]
        known = closing and not kind.startswith("mla")
        sides = [at >= closing[0] if known else None for at in range(len(weights))]
        separate = [self.matrix(w, at, 1, side) for at, (w, side) in enumerate(zip(weights, sides, strict=True))]
        return separate + list(self.fused(weights, sides))

    def fused(self, weights: list[Weight], sides: list[bool | None]) -> Iterator[Matrix]:
        """Neighbours that servers store as one matrix, rows below each other."""
        for at, weight in enumerate(weights):
            group = [w for w in weights[at:] if w.fused and w.fused == weight.fused]
            if weight.fused and (at == 0 or weights[at - 1].fused != weight.fused):
                whole = replace(weight, name=weight.fused, n=sum(w.n for w in group))
                yield self.matrix(whole, at, len(group), sides[at])


def match(launches: pl.DataFrame, run: Run, model: Model | None) -> pl.DataFrame:
    """Launches with the matrix that each streams: name, shape, bytes, distinct experts, read amplification.

    Null where nothing fits. `activation_bytes` and `output_bytes` are what the product moves beside its
    matrix. `read_amplification` is read bytes over the matrix's own, for whole matrices.
    """
    if model is None or launches.is_empty():
        return launches.with_columns(pl.lit(None, kind).alias(name) for name, kind in COLUMNS.items())
    read = pl.coalesce("dram_read_bytes", "dram_bytes")
    products = launches.filter(
        (pl.col("role").cast(pl.String) == "fc")
        & ~satellite(launches)
        & (pl.col("phase").cast(pl.String).fill_null("decode") == "decode")
    ).with_columns(read=read, of_experts=of_experts(launches))
    products = products.join(mixer_places(launches), on=LAYER, how="left", nulls_equal=True)
    streams = described(products, run, model)
    found = pl.concat([in_layers(products, streams), heads(products, streams)])
    joined = with_found(launches, found, "index")
    whole = pl.col("experts").is_null() | (pl.col("experts") == 1)
    over = read / pl.col("matrix_bytes")
    return joined.with_columns(
        experts_read=pl.when(~whole).then(over.round()),
        read_amplification=pl.when(whole).then(over),
        activation_bytes=WIDTH * pl.col("matrix_rows") * pl.col("matrix_k"),
        output_bytes=output_bytes(),
    ).drop("experts")


WIDTH = 2.0
"""Bytes per activation: servers keep them in 16 bits beside weights of any type (FP8 inputs take half)."""
SUM_WIDTH = 4.0
"""Bytes per partial sum of a split product."""
TILE = r"_(\d+)x(\d+)_"


def output_bytes() -> pl.Expr:
    """Bytes written: the rows of the result, or one set of 32-bit partial sums per split of K."""
    across, along = (pl.col("name").str.extract(TILE, side).cast(pl.Float64) for side in (1, 2))
    blocks = pl.col("grid").arr.get(0) * pl.col("grid").arr.get(1) * pl.col("grid").arr.get(2)
    tiles = (pl.col("matrix_n") / across).ceil() * (pl.col("matrix_rows") / along).ceil()
    splits = pl.when(pl.col("name").str.contains("(?i)split_?k")).then((blocks / tiles).round().clip(lower_bound=1))
    outputs = pl.col("matrix_rows") * pl.col("matrix_n")
    return pl.when(splits.is_not_null()).then(outputs * splits * SUM_WIDTH).otherwise(outputs * WIDTH)


def described(products: pl.DataFrame, run: Run, model: Model) -> Streams:
    """The setting of the run, with the weight type that kernel names tell where the user says none."""
    told = most(products, "fc", "weight_dtype")
    return Streams(model, setting_of(run), run.batch.value, told.name if told else None)


FOUND = {
    "index": pl.Int64(),
    "projection": pl.String(),
    "matrix_n": pl.Int64(),
    "matrix_k": pl.Int64(),
    "matrix_bytes": pl.Float64(),
    "matrix_rows": pl.Float64(),
    "experts": pl.Int64(),
}


LAYER = ["phase", "step", "process", "device", "layer"]


def mixer_places(launches: pl.DataFrame) -> pl.DataFrame:
    """Per layer the position of its first attention or state-space kernel."""
    mixers = launches.filter(pl.col("role").cast(pl.String).is_in(MIXERS) & pl.col("layer").is_not_null())
    return mixers.group_by(LAYER).agg(mixer=pl.col("position").min())


def in_layers(products: pl.DataFrame, streams: Streams) -> pl.DataFrame:
    """Products inside layers; equal layers are matched once, by the median of their bytes."""
    inside = products.filter(pl.col("layer").is_not_null())
    if inside.is_empty():
        return pl.DataFrame(schema=FOUND)
    joined = with_patterns(inside)
    usual = joined.group_by("pattern", "order", maintain_order=True).agg(
        pl.col("read").median(), pl.col("of_experts", "after", "cut").first(), layers=pl.col("layer").unique()
    )
    kinds = layer_kinds(streams.model)
    rows: list[tuple[object, ...]] = []
    for (pattern,), part in list(usual.group_by("pattern", maintain_order=True))[: THRESHOLDS.most_patterns]:
        chosen = best(part.sort("order"), streams, kinds)
        rows += [(pattern, order, *described_matrix(m, streams.rows)) for order, m in enumerate(chosen) if m]
    schema = {"pattern": pl.String(), "order": pl.Int64(), **{k: v for k, v in FOUND.items() if k != "index"}}
    table = pl.DataFrame(rows, schema=schema, orient="row")
    return joined.select("index", "pattern", "order").join(table, on=["pattern", "order"]).select(FOUND.keys())


def with_patterns(inside: pl.DataFrame) -> pl.DataFrame:
    """Products with their order in the layer, and one text per layer that is equal for equal layers."""
    sides = [pl.col("grid").arr.get(i).alias(f"side{i}") for i in range(3)]
    last = pl.col("layer").max().over("phase", "step", "process", "device")
    cut = pl.when("layer_whole").then(pl.lit("")).when(pl.col("layer") < last).then(pl.lit("head")).otherwise(pl.lit("tail"))
    numbered = inside.with_columns(
        symbol=pl.struct("name", *sides).rank("dense").cast(pl.String),
        cut=cut,
        order=pl.int_range(pl.len(), dtype=pl.Int64).over(*LAYER),
        after=pl.col("position") > pl.col("mixer"),
    )
    patterns = numbered.group_by(LAYER, maintain_order=True).agg(
        pattern=pl.col("symbol").str.join(" ") + " " + pl.col("cut").first()
    )
    return numbered.join(patterns, on=LAYER, nulls_equal=True, maintain_order="left")


def best(layer: pl.DataFrame, streams: Streams, kinds: dict[str, set[int]]) -> list[Matrix | None]:
    """The assignment of one layer's products to the kind of layer that fits best; none where half of them fit nothing.

    Matrices of an unknown width (int4, 2:4) fit nothing, but for one or two that have another one's bytes.
    """
    lone = not layer["of_experts"].any()
    columns = layer.select("read", "of_experts", "after")
    products = [Product(read, experts, after, lone) for read, experts, after in columns.iter_rows()]
    numbers, cut = set(layer["layers"].explode().to_list()), layer["cut"][0]
    tries = []
    for kind, of_kind in kinds.items():
        cost, chosen = aligned(products, streams.of_kind(kind), cut=cut)
        tries.append((cost + (0 if numbers <= of_kind else THRESHOLDS.wrong_layer), chosen))
    chosen = min(tries, key=lambda each: each[0])[1]
    return chosen if 2 * sum(m is not None for m in chosen) > len(chosen) else [None] * len(chosen)


def described_matrix(matrix: Matrix, rows: int | None) -> tuple[object, ...]:
    """What is told of a matched matrix; rows are those that it is multiplied with, summed over experts."""
    multiplied = None if rows is None else float(rows * matrix.per_token)
    return matrix.name, matrix.n, matrix.k, matrix.bytes, multiplied, matrix.experts


def layer_kinds(model: Model) -> dict[str, set[int]]:
    """Each kind of layer with the numbers of its layers."""
    return {kind: {i for i, k in enumerate(model.layer_kinds) if k == kind} for kind in dict.fromkeys(model.layer_kinds)}


def fit(matrix: Matrix) -> pl.Expr:
    """How far what a launch read is from this matrix and its input: 0 is exactly, 0.69 twice or half as much."""
    return (pl.col("read") / (matrix.bytes + matrix.activations)).log().abs()


def nearest(products: pl.DataFrame, matrices: list[Matrix]) -> Matrix:
    """The matrix that some launch fits best: engines leave the LM head in the model's own type beside narrower layers."""
    off = products.select(fit(m).min().alias(str(at)) for at, m in enumerate(matrices)).row(0)
    return matrices[min(range(len(matrices)), key=lambda at: (off[at] is None, off[at] or 0.0))]


def heads(products: pl.DataFrame, streams: Streams) -> pl.DataFrame:
    """Products outside of layers that stream the LM head: by bytes, or where none are measured the last one of a step."""
    head = next((w for w in streams.model.weights if w.matrix and w.name == "lm_head"), None)
    outside = products.filter(pl.col("layer").is_null())
    if head is None or outside.is_empty():
        return pl.DataFrame(schema=FOUND)
    published = replace(streams, setting=replace(streams.setting, weights=None), dtype=None)
    matrix = nearest(outside, [each.matrix(head, 0, 1) for each in (streams, published)])
    off = fit(matrix)
    last = pl.col("index") == pl.col("index").max().over("phase", "step", "process", "device")
    chosen = outside.filter((off < THRESHOLDS.largest_misfit) | (off.is_null() & last & pl.col("step").is_not_null()))
    name, n, k, size, rows, experts = described_matrix(matrix, streams.rows)
    return chosen.select(
        "index",
        projection=pl.lit(name),
        matrix_n=pl.lit(n, pl.Int64),
        matrix_k=pl.lit(k, pl.Int64),
        matrix_bytes=pl.lit(size, pl.Float64),
        matrix_rows=pl.lit(rows, pl.Float64),
        experts=pl.lit(experts, pl.Int64),
    )
