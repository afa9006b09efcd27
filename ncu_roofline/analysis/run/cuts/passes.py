"""Passes of a capture: which begin and end inside the window, their step numbers, and which only draft."""

from __future__ import annotations

import polars as pl

from ncu_roofline.capture.schema import PHASES, PROMPTED

HALF = 2
"""A pass with at most half of the attention kernels of the largest may draft for it."""


def empty_passes() -> pl.DataFrame:
    """The table of a capture without launches."""
    return pl.DataFrame(
        schema={
            "lane": pl.Int64,
            "opens": pl.Boolean,
            "closes": pl.Boolean,
            "opened": pl.Boolean,
            "served": pl.Boolean,
            "verified": pl.Boolean,
            "rows": pl.Int64,
            "planned": pl.Int64,
            "phase": pl.Enum(PHASES),
            "step": pl.Int64,
            "whole": pl.Boolean,
            "mixers": pl.Int64,
            "launches": pl.Int64,
            "draft": pl.Boolean,
            "mixed": pl.Boolean,
        }
    )


def pass_table(rows: pl.DataFrame, found: pl.DataFrame, *, drafting: bool = False) -> pl.DataFrame:
    """One row per pass: lane, launches, mixers, whether it begins and ends inside the window.

    Where kernels say that something drafts (`drafting`), the last pass ends only with what verifies the drafts.
    """
    table = (
        spans(rows)
        .join(anchored(rows, found), on="pass", how="left", maintain_order="left")
        .join(drawn(rows), on="pass", how="left", maintain_order="left")
        .with_columns(
            lead=pl.col("first") - pl.col("done"),
            opens=pl.col("lane").is_first_distinct(),
            closes=pl.col("lane").is_last_distinct(),
        )
    )
    inner = ~pl.col("opens") & (pl.col("mixers") > 0)
    # a pass that the window cuts at its end tells nothing of how many layers others have
    closed = inner & (~pl.col("closes") | pl.col("sampled").fill_null(False))
    usual_lead = pl.col("lead").filter(inner).median().over("lane")
    usual_mixers = pl.col("mixers").filter(closed).mode().min().over("lane")
    as_others = (pl.col("lead") >= usual_lead) & (pl.col("mixers") == usual_mixers)
    # where the others begin with an embedding, so does a whole one
    as_others = as_others & ~(pl.col("embedded").fill_null(False) & inner).any().over("lane")
    # where nothing begins or ends a pass but its rows, several of equal rows are not told apart
    ended_in = pl.concat([found.filter(pl.col("kind") != "mixer")["lane"], rows.drop_nulls("numbered")["lane"].unique()])
    bounded = pl.col("lane").is_in(ended_in.implode())
    begun = ~pl.col("opens") | pl.col("embedded").fill_null(False) | pl.col("fused") | as_others.fill_null(False)
    ended = (~pl.col("closes") | pl.col("sampled").fill_null(False)) & ~draws_fewer()
    ended = ended & ~(last_of_the_deepest() & ~pl.col("verified") & pl.lit(drafting))
    return table.with_columns(
        pl.col("mixers").fill_null(0), whole=bounded & begun & ended & (pl.col("mixers") > 0).fill_null(False)
    )


def spans(rows: pl.DataFrame) -> pl.DataFrame:
    """Passes with their launches, and how many products and norms came before them."""
    before = pl.col("fcs") + pl.col("norms") - pl.col("fc") - pl.col("norm")
    return rows.group_by("pass", maintain_order=True).agg(
        pl.col("lane", "process", "device").first(),
        pl.len().alias("launches"),
        begin=pl.col("index").first(),
        done=before.first(),
    )


def drawn(rows: pl.DataFrame) -> pl.DataFrame:
    """Passes with the launches behind their attention that draw or verify, and whether an embedding is among theirs.

    What looks like a draw before the first attention of a torn pass is something else: a softmax between two products.
    """
    kind = pl.col("kind").cast(pl.String)
    mixed = pl.col("row").filter(kind == "mixer").max().fill_null(-1)
    return rows.group_by("pass").agg(
        draws=((kind == "sampling") & (pl.col("row") > mixed)).sum(),
        # a range may hold the begin of what another model does behind the draw
        reopened=(pl.col("row").filter(kind == "embedding").max() > pl.col("row").filter(kind == "sampling").max()).fill_null(
            False
        ),
        opened=(kind == "embedding").any() | pl.col("fused").any(),
        fused=pl.col("fused").any(),
        verified=pl.col("verifies").any(),
        served=pl.col("server").any(),
    )


def as_deep_as_any() -> pl.Expr:
    """Whether a pass has as many layers as any of its lane."""
    return (pl.col("mixers") > 0) & (pl.col("mixers") == pl.col("mixers").max().over("lane"))


def last_of_the_deepest() -> pl.Expr:
    """Whether a pass is the last that a lane begins, and as deep as any."""
    begun = ((pl.col("mixers") > 0) | pl.col("opened").fill_null(False)).cast(pl.Int64)
    return (as_deep_as_any() & (begun.cum_sum(reverse=True).over("lane") == begun)).fill_null(False)


def draws_fewer() -> pl.Expr:
    """Whether the last deep pass of a lane draws in fewer launches than others: the window cuts between them."""
    others = (as_deep_as_any() | pl.col("opens")) & ~last_of_the_deepest()
    fewer = pl.col("draws") < pl.col("draws").filter(others).max().over("lane")
    return (last_of_the_deepest() & fewer).fill_null(False)


def anchored(rows: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """Passes with their attention kernels, and whether embedding comes before them and sampling after."""
    at = found.with_columns(
        rows["pass"].gather(found["start"]).alias("pass"),
        work=pl.col("kind") == "mixer",
        before=(rows["fcs"] + rows["norms"]).gather(found["start"]),
    )
    return at.group_by("pass").agg(
        mixers=pl.col("work").sum(),
        first=pl.col("before").filter("work").min(),
        embedded=(pl.col("start").filter(pl.col("kind") == "embedding").min() < pl.col("start").filter("work").min()),
        sampled=(pl.col("end").filter(pl.col("kind") == "sampling").max() > pl.col("end").filter("work").max()),
    )


def steps(table: pl.DataFrame, *, drafting: bool = False) -> pl.DataFrame:
    """Passes with their step number: counted from 0 per GPU and phase; null without attention.

    Passes that draft belong to the step whose tokens they extend, and their layers follow those of the model. `drafting`
    is whether kernels say that something drafts: else a shallower pass does so only where the rows of the largest are
    those of its drafts and one more. No step is whole where passes of several models take turns, where all have a
    single layer (as the drafts of a model that the window leaves out), or where some that may be steps are not told.
    """
    return whole_with_drafts(in_steps(with_drafts(table, drafting=drafting))).sort("pass")


OF_ONE = ("process", "device", "phase")
"""Whose steps are counted together."""


def deepest() -> pl.Expr:
    """Layers of the deepest decode pass of a lane."""
    return pl.col("mixers").filter(pl.col("phase") == "decode").max().over("lane")


def with_drafts(table: pl.DataFrame, *, drafting: bool) -> pl.DataFrame:
    """Passes in their order, with whether each drafts, and whether passes of several models take turns in its lane."""
    first = drafts_first()
    table = table.with_columns(
        first=first, phase=pl.when(first).then(pl.lit("decode")).otherwise("phase").cast(table["phase"].dtype)
    )
    decode = pl.col("whole") & (pl.col("phase") == "decode")
    deep, shallow = decode & (pl.col("mixers") == deepest()), decode & (pl.col("mixers") < deepest())
    rows = pl.col("rows").filter(deep).min().over("lane")
    drafts = (shallow.sum().over("lane") / deep.sum().over("lane")).round()
    small = HALF * pl.col("mixers") <= deepest()
    # as many sequences as rows leave no room for drafts
    plain = (deep & (pl.col("sequences") == pl.col("rows"))).fill_null(False).any().over("lane")
    verified = (small & (rows == (drafts + 1) * pl.col("rows")) & (drafts >= 1)).fill_null(False) & ~plain
    draft = (shallow & (verified | pl.lit(drafting))) | (decode & (fewer_than_verified() | pl.col("first")))
    single = decode & (deepest() == 1) & (pl.col("mixers") == 1)
    untold = pl.col("phase").is_null() & pl.col("whole") & pl.col("sampled").fill_null(False) & decode.any().over("lane")
    apart = (shallow & ~pl.col("draft")) | single | untold | (deep & pl.lit(drafting) & beside_more_rows())
    marked = table.with_columns(draft=draft.fill_null(False)).sort("begin")
    return marked.with_columns(mixed=apart.fill_null(False).any().over("lane"))


def in_steps(marked: pl.DataFrame) -> pl.DataFrame:
    """Passes with the number of their step, and how many layers stand before those of a draft."""
    main = (pl.col("mixers") > 0) & ~pl.col("draft")
    number = main.cast(pl.Int64).cum_sum().over(OF_ONE) - 1
    number = pl.when(ahead()).then(number + 1).otherwise(number)
    last = main.cast(pl.Int64).sum().over(OF_ONE) - 1
    return marked.with_columns(
        step=pl.when((pl.col("mixers") > 0) & (number >= 0) & (number <= last)).then(number),
        deeper=pl.when("draft").then(deepest()),
        whole=pl.col("whole") & ~pl.col("mixed"),
    )


def ahead() -> pl.Expr:
    """Whether a draft serves the step that follows, and not the one that it extends.

    So where a run begins with drafts, or with the rest of a step; not where the first of them begins over all rows that
    were verified.
    """
    opening = {name: pl.col(name).filter(pl.col("mixers") > 0).first().over(OF_ONE) for name in ("draft", "whole")}
    begun = (opening["draft"] | ~opening["whole"]) & ~pl.col("first").any().over("lane")
    return begun.fill_null(False) & pl.col("draft")


def whole_with_drafts(numbered: pl.DataFrame) -> pl.DataFrame:
    """The same, of which a step is whole with all its drafts, and none is where only they are."""
    placed = pl.col("step").is_not_null()
    own = pl.when(placed).then(pl.col("whole").all().over(*OF_ONE, "step"))
    served = (~pl.col("draft")).any().over(*OF_ONE, "step")
    # the last step may lack some of the drafts that others have
    made = pl.when(placed).then(pl.col("draft").sum().over(*OF_ONE, "step"))
    every = (made >= made.max().over(OF_ONE)).fill_null(True) & ~(going_on() & ~ahead().any().over("lane"))
    whole = pl.when(pl.col("draft") | ~every).then(pl.col("whole") & own & served & every).otherwise("whole")
    return numbered.with_columns(whole=whole)


def beside_more_rows() -> pl.Expr:
    """Whether a cut pass of no prompt has or samples more rows: where something drafts it may verify what they drafted."""
    cut = ~pl.col("whole") & ~pl.col("phase").cast(pl.String).is_in(PROMPTED).fill_null(False)
    most = pl.max_horizontal("rows", "sampled_rows").filter(cut).max().over("lane")
    return (most > pl.col("rows")).fill_null(False)


def going_on() -> pl.Expr:
    """Whether a step is the last before a cut pass that may be one more of its drafts: as shallow, on as many rows."""
    drafting = {name: pl.col(name).filter("draft").max().over("lane") for name in ("mixers", "rows")}
    final = (pl.col("begin") == pl.col("begin").max().over("lane")) & ~pl.col("whole") & (pl.col("mixers") > 0)
    alike = (pl.col("mixers") <= drafting["mixers"]) & (pl.col("rows") == drafting["rows"]).fill_null(True)
    cut = (final & alike).fill_null(False)
    last = pl.col("step").filter(~cut & (pl.col("phase") == "decode")).max().over("lane")
    return (cut.any().over("lane") & (pl.col("step") == last)).fill_null(False)


def drafts_first() -> pl.Expr:
    """Whether a pass is the first that drafts behind a verification: over all its rows, and one row a sequence is sampled."""
    same = pl.col("rows") == pl.col("rows").shift(1).over("lane")
    one_each = pl.col("sampled_rows") == pl.col("sequences").shift(1).over("lane")
    behind = pl.col("phase").shift(1).over("lane").cast(pl.String) == "decode"
    return (pl.col("phase").is_null() & behind & same & one_each & (pl.col("rows") > pl.col("sampled_rows"))).fill_null(False)


def fewer_than_verified() -> pl.Expr:
    """Whether the engine's range tells of drafts that are verified, and this pass works on, or samples, fewer rows."""
    verified = pl.col("nvtx_rows") > pl.col("nvtx_batch")
    fewer = pl.min_horizontal("rows", "sampled_rows") < pl.col("nvtx_rows")
    return (verified & fewer).fill_null(False)
