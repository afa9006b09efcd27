"""Decode step or prefill pass: by kernels of one phase only, else by the rows it works on."""

from __future__ import annotations

import polars as pl

from ncu_roofline.analysis.run.cuts.ranges import of_groups
from ncu_roofline.analysis.run.rows import phase_kinds
from ncu_roofline.capture.schema import PHASES

SMALLEST_PREFILL = 2048
"""Rows that no decode step has: twice the default limit of running sequences (1024 in vLLM)."""
MOST_DRAFTS = 64
"""Rows of a sequence, up to which they may be drafts that are verified: the largest trees of SGLang."""
FEW_DRAFTS = 16
"""Rows of a sequence that engines verify in a chain of drafts, at most."""
MOST_PADDING = 2
"""Rows per sampled row, up to which a pass may be a decode step padded to the size of its CUDA graph."""


def rows_of_passes(told: pl.DataFrame, places: pl.DataFrame) -> pl.DataFrame:
    """Per group: `rows` on which most kinds of kernels agree, `sampled` rows, `sequences`, `planned` ones, and what told them.

    `places` has index, layer, group, stream, fc and mixer of every launch. The LM head and the norm before it may see one
    row per sequence, and preludes work on no rows at all: where there are layers, they and the embedding decide.
    """
    at = with_heads(over_streams(with_leading(told, places), places), places)
    anywhere = pl.any_horizontal("sampled", "sequences", "planned", "embedding")
    layered = at.filter(pl.col("layer").is_not_null() | anywhere | pl.col("group").is_in(bare(places).implode()))
    table = layered.select("group").unique(maintain_order=True)
    for name in ("planned", "sequences", "sampled", "rows"):
        chosen = agreed(layered.filter(kind_of(name)))
        table = table.join(chosen.rename({"rows": name, "what": f"what_{name}"}), on="group", how="left", maintain_order="left")
    denied = contested(layered.filter(kind_of("rows"), ~pl.col("fixed")))
    return table.join(denied, on="group", how="left", maintain_order="left")


def over_streams(at: pl.DataFrame, places: pl.DataFrame) -> pl.DataFrame:
    """Votes of layers whose attention runs on several streams, each on its share of the rows: all shares together."""
    main = (
        places.filter("mixer", ~pl.col("helper") | pl.col("layer").is_not_null())
        .group_by("group")
        .agg(streams=pl.col("stream").n_unique())
    )
    shared = main.filter(pl.col("streams") > 1)
    if shared.is_empty():
        return at
    one = ["group", "rule", "layer"]
    layered = pl.col("layer").is_not_null() | pl.col("group").is_in(bare(places).implode())
    theirs = pl.col("group").is_in(shared["group"].implode()) & layered & ~pl.col("sampled")
    least = pl.when(pl.col("least").any()).then(pl.col("rows").min()).otherwise(pl.col("rows").mode().min())
    shares = at.filter(theirs).group_by(*one, "stream").agg(rows=least)
    # a kernel that runs on some of the streams alone tells of their share only
    whole = (
        shares.join(shared, on="group").group_by(one).agg(every=pl.col("rows").sum(), all=pl.len() == pl.col("streams").first())
    )
    joined = at.join(whole.filter("all"), on=one, how="left", maintain_order="left", nulls_equal=True)
    kept = joined.filter(~theirs | pl.col("all")).with_columns(rows=pl.when(theirs).then("every").otherwise("rows"))
    return kept.drop("every", "all")


def bare(places: pl.DataFrame) -> pl.Series:
    """Groups with attention and no layer; all of them where there is no layer at all."""
    none = pl.lit(places["layer"].count() == 0)
    found = places.group_by("group").agg(bare=none | (pl.col("mixer").any() & (pl.col("layer").count() == 0)))
    return found.filter("bare")["group"]


def with_leading(told: pl.DataFrame, places: pl.DataFrame) -> pl.DataFrame:
    """Votes with their places; a product of one row by its kind speaks for its layer only if the layer's first one is such.

    Experts that a loop visits one by one may see a single row of many.
    """
    at = told.join(places, on="index")
    leads = places.filter("fc").group_by("group", "layer").agg(lead=pl.col("index").min())
    joined = at.join(leads, on=["group", "layer"], how="left", nulls_equal=True, maintain_order="left")
    leading = pl.col("lead").is_in(at.filter("fixed")["index"].implode())
    return joined.filter(~pl.col("fixed") | leading.fill_null(False)).drop("lead")


def with_heads(at: pl.DataFrame, places: pl.DataFrame) -> pl.DataFrame:
    """Votes with those behind the last layer as sampled, where they tell of fewer rows: a prefill's head sees one row.

    The LM head does if it is the only product there, and the norm before it if it sees fewer rows than any in a layer.
    """
    last = places.filter(pl.col("layer").is_not_null()).group_by("group").agg(last=pl.col("index").max())
    heads = places.join(last, on="group").filter("fc", pl.col("layer").is_null(), pl.col("index") > pl.col("last"))
    alone = heads.filter(pl.len().over("group") == 1)["index"]
    fewest = pl.col("rows").filter(pl.col("layer").is_not_null()).min().over("group", "rule")
    fewer = (
        at.filter(pl.col("least") & (pl.col("rows") < fewest)).join(last, on="group").filter(pl.col("index") > pl.col("last"))
    )
    return at.with_columns(sampled=pl.col("sampled") | pl.col("index").is_in(pl.concat([alone, fewer["index"]]).implode()))


def contested(layered: pl.DataFrame) -> pl.DataFrame:
    """Groups in which kinds of kernels tell of different rows: what each says, in `contested`."""
    each = by_rule(layered).unique(["group", "rows", "what"]).sort("group", "rows", "what")
    said = pl.format("{} say {}", "what", "rows").str.join("; ")
    return each.group_by("group").agg(contested=said, kinds=pl.col("rows").n_unique()).filter(pl.col("kinds") > 1).drop("kinds")


def kind_of(name: str) -> pl.Expr:
    """The votes on sequences, on those that are planned for, on sampled rows, or on rows."""
    return ~pl.any_horizontal("sampled", "sequences", "planned") if name == "rows" else pl.col(name)


def agreed(layered: pl.DataFrame) -> pl.DataFrame:
    """Per group the rows that most rules tell, else those of most layers: the last layer may see the sampled rows only."""
    counted = (
        by_rule(layered)
        .group_by("group", "rows")
        .agg(pl.col("layers").sum(), rules=pl.len(), what=pl.col("what").unique().sort().head(3).str.join(", "))
        .sort("group", "rules", "layers", "rows", descending=[False, True, True, False])
    )
    return counted.unique("group", keep="first", maintain_order=True).select("group", "rows", "what")


def by_rule(layered: pl.DataFrame) -> pl.DataFrame:
    """What each rule tells of a group: the rows of most of its layers, and how many layers speak."""
    least = pl.when(pl.col("least").any()).then(pl.col("rows").min()).otherwise(pl.col("rows").mode().min())
    in_layers = layered.group_by("group", "rule", "what", "layer").agg(rows=least)
    return in_layers.group_by("group", "rule", "what").agg(pl.col("rows").mode().min(), layers=pl.len())


def phases(laid: pl.DataFrame, launches: pl.DataFrame, told: pl.DataFrame, *, drafting: bool = False) -> pl.DataFrame:
    """One row per pass by the launches' votes: pass, rows, sampled, phase (null unknown).

    Where something drafts, more rows than are usual or sampled may be drafts: only kernels, ranges and very many rows
    tell of a prompt.
    """
    mixer = (pl.col("kind") == "mixer").fill_null(False)
    at = laid.select("index", "layer", "fc", "stream", "helper", group="pass", mixer=mixer)
    rows = rows_of_passes(told, at)
    kinds = kinds_of_passes(launches, at)
    every = (
        laid.group_by(group="pass")
        .agg(pl.col("lane").first())
        .with_columns(first=pl.col("group").min().over("lane") == pl.col("group"), last=pl.col("group").max().over("lane"))
    )
    table = every.join(rows, on="group", how="left").join(kinds, on="group", how="left").sort("group")
    told_so = pl.col("nvtx_phase").cast(pl.String)
    table = (
        table.join(of_groups(launches, at), on="group", how="left", maintain_order="left")
        .with_columns(
            only_prefill=pl.col("only_prefill").fill_null(False) & ~told_so.is_in(["decode", "mixed"]).fill_null(False)
            | (told_so == "prefill"),
            carries=(told_so == "mixed").fill_null(pl.col("carries").fill_null(False)),
            sequences=pl.coalesce("sequences", pl.when(told_so.is_null()).then("nvtx_batch")),
            only_decode=pl.col("only_decode").fill_null(False) | (told_so == "decode").fill_null(False),
            last=pl.col("group") == pl.col("last"),
        )
        .drop("lane")
    )
    first = table.with_columns(least=pl.col("rows").min().over("sampled")).with_columns(phase=by_itself())
    last = first.with_columns(phase=by_others().cast(pl.Enum(PHASES))).rename({"group": "pass"})
    if not drafting:
        return last
    doubtful = (pl.col("phase") == "prefill") & ~pl.col("only_prefill") & (pl.col("rows") < SMALLEST_PREFILL).fill_null(True)
    return last.with_columns(phase=pl.when(~doubtful).then("phase"))


def kinds_of_passes(launches: pl.DataFrame, at: pl.DataFrame) -> pl.DataFrame:
    """Per group whether all its kernels that run in one phase only are of prefill, or of decode; or of both, layer by layer."""
    told = phase_kinds(launches).join(at, on="index").with_columns(decode=pl.col("phase") == "decode")
    both = told.filter(pl.col("layer").is_not_null()).group_by("group", "layer").agg(pl.col("decode").n_unique() > 1)
    carries = both.group_by("group").agg(carries=2 * pl.col("decode").sum() >= pl.len())
    every = told.group_by("group").agg(only_prefill=(~pl.col("decode")).all(), only_decode=pl.col("decode").all())
    return every.join(carries, on="group", how="left", maintain_order="left")


def by_itself() -> pl.Expr:
    """The phase that a pass tells by its own kernels and rows."""
    rows = pl.col("rows")
    return (
        pl.when("carries")
        .then(pl.lit("mixed"))
        .when("only_prefill")
        .then(pl.lit("prefill"))
        .when("only_decode")
        .then(pl.lit("decode"))
        # as many rows of each sequence, and few: the first draft behind a verification looks like that
        .when(like_drafts())
        .then(None)
        .when(rows >= MOST_PADDING * pl.col("sampled"))
        .then(pl.lit("prefill"))
        # so many sequences are padded to so many rows, always: more are prompt tokens
        .when((rows > pl.col("sampled")) & (rows > pl.col("least")))
        .then(pl.lit("prefill"))
        .when(rows > MOST_DRAFTS * pl.col("sequences"))
        .then(pl.lit("prefill"))
        .when(rows >= pl.col("sampled"))
        .then(pl.lit("decode"))
        # one query of each sequence; a single row is a token, whatever it belongs to
        .when((rows <= pl.col("sequences")) | (rows == 1))
        .then(pl.lit("decode"))
        .when(rows >= SMALLEST_PREFILL)
        .then(pl.lit("prefill"))
    )


def like_drafts() -> pl.Expr:
    """Whether a window's first pass has as many rows of each sequence that is sampled, and few.

    So has the first draft of a chain, behind a verification that the window does not hold.
    """
    rows, sampled = pl.col("rows"), pl.col("sampled")
    return (pl.col("first") & (rows % sampled == 0) & (rows > sampled) & (rows <= FEW_DRAFTS * sampled)).fill_null(False)


def by_others() -> pl.Expr:
    """A pass with more than twice the rows of the usual decode step is a prefill, unless its kernels or samples say decode."""
    rows, decode = pl.col("rows"), pl.col("phase") == "decode"
    usual = rows.filter(decode).mode().min()
    more = (rows > 2 * usual) & ~like_drafts() & ~pl.col("only_decode").fill_null(False) & (rows.filter(decode).count() > 1)
    # as many sequences came as rows: every row is sampled
    sure = (decode & ((rows <= pl.col("sampled")) | (rows <= pl.col("sequences")))).fill_null(False)
    # the step that the window cuts off lacks its end, and has the rows of those before it
    cut = pl.col("phase").is_null() & pl.col("last") & (rows == usual)
    # nobody knows what a pass would sample that the window cuts
    open_end = pl.col("phase").is_null() & pl.col("last")
    return (
        pl.when(more & ~sure & ~open_end & (decode | pl.col("phase").is_null()))
        .then(pl.lit("prefill"))
        .when(cut)
        .then(pl.lit("decode"))
        .otherwise("phase")
    )
