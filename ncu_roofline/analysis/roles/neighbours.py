"""What kernels beside a launch say of its role, where its name leaves that open."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from ncu_roofline.knowledge.limits import THRESHOLDS

LANE = ("process", "device", "stream")
"""Launches are neighbours within one stream; other streams run in between (overlapped batches)."""


BETWEEN = ("pointwise", "copy", "reduce", "sum", "unnamed")
LAYERED = ("attention", "kv-cache", "ssm", "norm")
"""Roles of which every layer has kernels, the best measure of the number of layers first."""
WORK = ("norm", "fc", "attention", "kv-cache", "activation", "ssm", "moe-routing", "sampling")
PREPARES = "metadata"
"""What the name of a launch leaves open that only plans the work of others."""


@dataclass(frozen=True, slots=True)
class Lane:
    """Shifts and fills that stay within one stream."""

    keys: tuple[str, ...] = ()

    def within(self, expression: pl.Expr) -> pl.Expr:
        """The expression, evaluated for each stream on its own."""
        return expression.over(self.keys) if self.keys else expression

    def beside(self, column: str, steps: int) -> pl.Expr:
        """The column `steps` launches on (before, where negative)."""
        return self.within(pl.col(column).shift(-steps))

    def near(self, column: str, wanted: tuple[str, ...], steps: tuple[int, ...]) -> pl.Expr:
        """Whether one of these places beside a launch holds a wanted value."""
        return pl.any_horizontal(self.beside(column, n).is_in(wanted).fill_null(False) for n in steps)


def lane(launches: pl.DataFrame) -> Lane:
    """The columns that part the launches into streams; none where there is only one stream."""
    return Lane(tuple(c for c in LANE if launches[c].n_unique() > 1))


def settled(launches: pl.DataFrame) -> pl.Series:
    """The role that the neighbours give; null where they say nothing beyond the name.

    Needs `role`, `role_rule`, `open` (what the name leaves undecided) and the lane columns.
    """
    streams = lane(launches)
    seen = _with_neighbours(launches, streams).with_columns(_in_layers(launches))
    unfused = seen.with_columns(_unfused_softmax())
    products = unfused.with_columns(_unfused_product(streams)).with_columns(*_opens(streams), _draws(streams))
    products = products.with_columns(_opens_too())
    # the window may end between a softmax and its draw
    cut = (pl.col("open") == "softmax") & streams.within(pl.col("row") == pl.col("row").max())
    products = products.with_columns(draws=pl.col("draws") | (cut & pl.col("draws").any().over("name")).fill_null(False))
    return products.select(
        pl.coalesce(
            _given("attention", "unfused_softmax", "unfused_product"),
            _gate(bool((launches["role"] == "moe-routing").any())),
            _drawn(),
            _follows_parent(streams),
            _summed_experts(),
            _rotation(),
            _generic(),
            _norm_chain(streams),
            _rope_chain(streams),
            _cache_append(),
        )
    ).to_series()


def cut_off(launches: pl.DataFrame) -> pl.Series:
    """Launches of which the window's end leaves open what they are for.

    A softmax right behind a product over normed rows gives the probabilities of the next token, or of experts:
    attention has two products before its own. The draw, or the choice, lies outside of the window.
    """
    streams = lane(launches)
    seen = _with_neighbours(launches, streams)
    last = streams.within(pl.col("row") == pl.col("row").max())
    lone = (pl.col("open") == "softmax") & last & (pl.len().over("name") == 1)
    if not (at := seen.select(lone.fill_null(False).alias("lone"))["lone"]).any():
        return at
    before = pl.col("before_row").fill_null(0)
    product = (pl.col("before_kind") == "gemm") | (pl.col("before_role").cast(pl.String) == "fc")
    normed = pl.col("before_role").gather(before).cast(pl.String) == "norm"
    return seen.select((lone & product & normed & pl.col("before_row").is_not_null()).fill_null(False)).to_series()


def _with_neighbours(launches: pl.DataFrame, streams: Lane) -> pl.DataFrame:
    """Kind and role of the nearest launches that are more than arithmetic, copies or reductions."""
    kinds = pl.coalesce(pl.col("open").cast(pl.String), pl.col("role").cast(pl.String), pl.lit("unknown"))
    base = launches.select(
        *(c for c in LANE), "role", "role_rule", "open", "name", kind=kinds, row=pl.int_range(pl.len())
    ).with_columns(solid=~pl.col("kind").is_in(BETWEEN) & ~pl.col("role").is_in(["copy", "elementwise"]).fill_null(False))
    marks = [pl.when("solid").then(pl.col(c)).alias(f"mark_{c}") for c in ("kind", "role", "row")]
    return base.with_columns(marks).with_columns(
        *(streams.within(pl.col(f"mark_{c}").forward_fill().shift(1)).alias(f"before_{c}") for c in ("kind", "role", "row")),
        *(streams.within(pl.col(f"mark_{c}").backward_fill().shift(-1)).alias(f"after_{c}") for c in ("kind", "role", "row")),
    )


def _in_layers(launches: pl.DataFrame) -> list[pl.Expr]:
    """How often the kernels run of which every layer has one, and whether a kernel runs about as often."""
    layered = launches.filter(pl.col("role").is_in(LAYERED)).group_by("role", "name").len().sort("len")
    often = dict(layered.select(pl.col("role").cast(pl.String), "len").iter_rows())
    layers = next((often[role] for role in LAYERED if role in often), 0)
    floor = layers / THRESHOLDS.many
    return [
        pl.lit(layers, pl.Int64).alias("layered"),
        ((pl.len().over("name") >= floor) & pl.lit(floor >= 1)).alias("in_layers"),
    ]


def _close() -> pl.Expr:
    """Whether both solid neighbours are near enough to belong together."""
    return ((pl.col("row") - pl.col("before_row")) <= THRESHOLDS.far) & (
        (pl.col("after_row") - pl.col("row")) <= THRESHOLDS.far
    )


def _unfused_softmax() -> pl.Expr:
    """A softmax with a plain GEMM on either side: the middle of unfused attention."""
    gemms = (pl.col("before_kind") == "gemm") & (pl.col("after_kind") == "gemm")
    return ((pl.col("open") == "softmax") & gemms & _close()).fill_null(False).alias("unfused_softmax")


def _unfused_product(streams: Lane) -> pl.Expr:
    """QK^T before such a softmax, PV after it."""
    rows = pl.when("unfused_softmax").then(pl.col("row"))
    after = streams.within(rows.backward_fill().shift(-1))
    before = streams.within(rows.forward_fill().shift(1))
    product = (after == pl.col("after_row")) | (before == pl.col("before_row"))
    return ((pl.col("open") == "gemm") & product).fill_null(False).alias("unfused_product")


def _given(role: str, *when: str) -> pl.Expr:
    return pl.when(pl.any_horizontal(*when)).then(pl.lit(role))


def _opens(streams: Lane) -> list[pl.Expr]:
    """A gather right behind a sampling, or right before a norm, reads the embedding: a step begins with it."""
    role, left_open = pl.col("role").cast(pl.String), pl.col("open").fill_null("")
    # a top-k may choose experts as well as tokens
    kind = pl.when(left_open == "topk").then(pl.lit("choice")).otherwise(role)
    work = pl.when(role.is_in(WORK) & ~left_open.is_in([PREPARES, "gather"])).then(kind)
    before = streams.within(work.forward_fill().shift(1))
    # between attention and its norm the last layer picks the rows that are sampled
    either = pl.when(work.is_in(["norm", "attention"])).then(work)
    done = (streams.within(either.forward_fill().shift(1)) != "attention").fill_null(True)
    into_norm = done & (streams.beside("role", 1).cast(pl.String) == "norm").fill_null(False)
    begins = (left_open == "gather") & ((before == "sampling").fill_null(False) | into_norm)
    # by numbers: to tell a million threes of long names apart takes half a gigabyte
    number = pl.col("name").cast(pl.Categorical).to_physical()
    # experts that are chosen are multiplied next; behind a draw a step ends
    decided = pl.when(role.is_in([*WORK, "embedding"]) & ~left_open.is_in([PREPARES, "topk", "softmax", "gather"])).then(role)
    follows = streams.within(decided.backward_fill().shift(-1))
    closes = follows.is_in(["sampling", "embedding", "norm"]).fill_null(False)
    goes_on = [streams.within(number.shift(-n)).alias(f"next_{n}") for n in (0, 1, 2)]
    leads = (left_open == "gather") & before.is_null()
    normed = (before == "norm").fill_null(False)
    return [
        begins.alias("opens"),
        leads.alias("leads"),
        done.alias("done"),
        normed.alias("normed"),
        closes.alias("closes"),
        (follows == "moe-routing").fill_null(False).alias("feeds"),
        *goes_on,
    ]


def _opens_too() -> pl.Expr:
    """What goes on like those that begin a step begins one too, as a prompt's next chunk behind one that samples nothing."""
    alike = pl.col("opens").any().over("next_0", "next_1", "next_2")
    return (alike & pl.col("done") & (pl.col("open") == "gather")).fill_null(False).alias("opens")


def _draws(streams: Lane) -> pl.Expr:
    """A softmax right before a launch that draws gives it the probabilities, however few layers are captured."""
    drawn = (streams.beside("role", 1).cast(pl.String) == "sampling") & streams.beside("open", 1).is_null()
    return ((pl.col("open") == "softmax") & drawn & ~pl.col("unfused_softmax")).fill_null(False).alias("draws")


def _gate(experts: bool) -> pl.Expr:
    """Softmax, top-k, sort and gathers of every layer, or right before experts, choose experts, else they are attention's."""
    beside_choice = (pl.col("after_kind") == "topk") | (pl.col("before_kind") == "topk")
    free = (pl.col("role") != "attention") | ((pl.col("open") == "softmax") & beside_choice.fill_null(False))
    # a few layers do not tell a draw of each step from a choice of each layer, unless its name does
    draws = pl.col("name").str.contains("(?i)sampl|verify").fill_null(False)
    layered = pl.col("in_layers") | pl.col("feeds")
    selects = pl.col("open").is_in(["topk", "softmax"]) & layered & free & ~draws & ~pl.col("draws")
    few = 2 * pl.len().over("name") <= pl.col("layered").fill_null(0)
    drawn = pl.lit(not experts) & (pl.col("open") == "topk") & pl.col("closes").any().over("name") & few
    selects = selects & ~drawn
    chooses = pl.lit(experts) | (pl.col("open") == "topk") | beside_choice.fill_null(False)
    # rows of experts go into a product: what goes into a norm is the embedding, however few the layers are
    first = ((pl.col("role_rule") == "aten-embedding") & (pl.col("after_role").cast(pl.String) == "norm")).fill_null(False)
    # with no work before it in the window, it is one where another launch of its name is
    first = first | pl.col("opens") | (pl.col("leads") & pl.col("opens").any().over("name"))
    # a few layers do not tell a gather of each layer from the one of the step that reads the embedding
    often = (pl.len().over("name") > 1) & (2 * pl.len().over("name") >= pl.col("layered").fill_null(0))
    rows = (pl.col("open") == "gather") & ((pl.col("in_layers") & often) | pl.col("feeds")) & ~first
    return (
        pl.when(selects & chooses)
        .then(pl.lit("moe-routing"))
        .when(selects)
        .then(pl.lit("attention"))
        .when(rows & pl.lit(experts))
        .then(pl.lit("moe-routing"))
        # behind a norm, or before all work, it may as well open a pass
        .when(rows & ~pl.col("normed") & ~pl.col("leads"))
        .then(pl.lit("copy"))
    )


def _drawn() -> pl.Expr:
    """A softmax that runs once a step right before the draw gives the probabilities of the next token."""
    once = (pl.col("open") == "softmax") & ~pl.col("in_layers") & ~pl.col("unfused_softmax")
    return pl.when(pl.col("draws") | (once & (pl.col("after_role") == "sampling") & _close())).then(pl.lit("sampling"))


def _follows_parent(streams: Lane) -> pl.Expr:
    """The sum over split-K parts belongs to the product before it (split-K, flash decoding)."""
    product = pl.coalesce(
        _given("attention", "unfused_product"),
        pl.when(pl.col("role").is_in(["fc", "attention"]) & (pl.col("open") != "reduce").fill_null(True)).then(
            pl.col("role").cast(pl.String)
        ),
    )
    parent = streams.within(product.forward_fill(limit=2).shift(1))
    differs = (parent != pl.col("role").cast(pl.String)).fill_null(pl.col("role").is_null())
    return pl.when((pl.col("open") == "reduce") & differs).then(parent)


def _summed_experts() -> pl.Expr:
    """A plain sum right behind the experts adds up their outputs."""
    return pl.when((pl.col("open") == "sum") & (pl.col("before_kind") == "experts")).then(pl.lit("moe-routing"))


def _rotation() -> pl.Expr:
    """Compiled kernels without an op list between the QKV projection and the cache norm and rotate q and k."""
    into_cache = pl.col("after_role").cast(pl.String).is_in(["kv-cache", "attention", "rope"])
    return pl.when((pl.col("open") == "unnamed") & (pl.col("before_role") == "fc") & into_cache).then(pl.lit("rope"))


def _generic() -> pl.Expr:
    """A kernel called `kernel`: after rope or the cache write it is attention, between others FC."""
    before, after = pl.col("before_role").cast(pl.String), pl.col("after_role").cast(pl.String)
    attention = before.is_in(["rope", "kv-cache"]) & after.is_in(["fc", "quantize", "comm"])
    weights = before.is_in(["norm", "activation", "attention", "quantize"]) & after.is_in(
        ["rope", "kv-cache", "activation", "norm", "comm", "quantize", "attention"]
    )
    open_name = (pl.col("open") == "generic") & _close()
    return pl.when(open_name & attention).then(pl.lit("attention")).when(open_name & weights).then(pl.lit("fc"))


def _norm_chain(streams: Lane) -> pl.Expr:
    """The cast, add and products around pow, mean and rsqrt of an eager RMSNorm."""
    loose = pl.col("open").is_in(["pointwise", "copy"])
    inside = streams.near("open", ("norm",), (-1, -2)) & streams.near("open", ("norm", "norm end"), (1, 2))
    tail = pl.any_horizontal(
        streams.beside("open", -1) == "norm end",
        (streams.beside("open", -2) == "norm end") & streams.near("open", ("pointwise", "copy"), (-1,)),
        (streams.beside("open", -3) == "norm end")
        & streams.near("open", ("pointwise", "copy"), (-1,))
        & streams.near("open", ("pointwise", "copy"), (-2,)),
    ).fill_null(False)
    head = (pl.col("open") == "copy") & (streams.beside("open", 1) == "norm").fill_null(False)
    return pl.when(loose & (inside | tail | head)).then(pl.lit("norm"))


def _rope_chain(streams: Lane) -> pl.Expr:
    """mul, neg, cat, mul, add: rotate_half of an eager model, around its negation."""
    loose = pl.col("open").is_in(["pointwise", "copy"])
    return pl.when(loose & streams.near("open", ("rope",), (1, -1, -2, -3))).then(pl.lit("rope"))


def _cache_append() -> pl.Expr:
    """Concatenations and scatters between the rotation of K and attention grow the cache."""
    writes = pl.col("role_rule").is_in(["aten-concatenate", "aten-index", "aten-index-put"])
    before = pl.col("before_role").cast(pl.String).is_in(["rope", "kv-cache", "norm", "fc"])
    return (
        pl.when(writes & before & (pl.col("after_role") == "attention") & _close())
        .then(pl.lit("kv-cache"))
        .when((pl.col("role_rule") == "aten-index-put") & (pl.col("after_role") == "moe-routing"))
        .then(pl.lit("moe-routing"))
    )
