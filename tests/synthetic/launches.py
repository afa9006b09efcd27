"""A decode run as a list of launches with known bytes and FLOPs: the truth behind the counters."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil

from tests.synthetic import names
from tests.synthetic.models import Plan

Triple = tuple[int, int, int]
WEIGHT_BYTES = {"bf16": 2.0, "fp8": 1.0, "sparse24": 2 * 0.5625, "int4": 0.5 + 2 / 128}
"""2:4: half of the values and two bits for each kept one; 4 bits: a 16-bit scale per 128."""
EFFICIENCY = {"bf16": 0.92, "fp8": 0.66, "sparse24": 0.71, "int4": 0.80}
"""Share of the memory bandwidth that each kind of matrix product reaches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One launch; bytes and FLOPs are exact, seconds follow in `counters.py`."""

    name: names.Name
    role: str
    grid: Triple
    block: Triple = (256, 1, 1)
    module: str = ""
    phase: str = "decode"
    step: int = 0
    layer: int | None = None
    useful: float | None = None
    """FLOPs that the model needs; null where the role has no such notion."""
    tensor: float = 0.0
    """FLOPs that the tensor cores execute, in whole tiles."""
    precision: str = "bf16"
    warpgroup: bool = True
    """wgmma instructions, not mma.sync."""
    sparse: bool = False
    ffma: float = 0.0
    fmul: float = 0.0
    fadd: float = 0.0
    hfma: float = 0.0
    weight_bytes: float = 0.0
    kv_bytes: float = 0.0
    reads: float = 0.0
    writes: float = 0.0
    efficiency: float = 0.92


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One forward pass over `rows` tokens of `batch` sequences."""

    plan: Plan
    phase: str
    step: int
    batch: int
    tokens: int
    """New tokens per sequence."""
    context: int

    @property
    def rows(self) -> int:
        return self.batch * self.tokens


def padded(rows: int, tile: int) -> int:
    """Rows in whole tiles."""
    return ceil(rows / tile) * tile


def tile_rows(plan: Plan, rows: int) -> int:
    """Rows of a GEMM tile: the smallest that holds all rows, at least the kind's own least."""
    least = {"bf16": 8, "fp8": 16, "sparse24": 64, "int4": 16}[plan.weights]
    if plan.tile:
        return plan.tile
    return max(least, min(128, 1 << (rows - 1).bit_length()))


def product(run: Pass, cols: int, inner: int, **labels: object) -> Launch:
    """[rows, inner] times a weight matrix [cols, inner], in the weights of the plan."""
    plan = run.plan
    weights = str(labels.pop("weights", plan.weights))
    tile = tile_rows(replace(plan, weights=weights), run.rows)
    across = 64 if tile < 64 else 128
    tiles = ceil(cols / across) * ceil(run.rows / tile)
    plain = Launch(
        name=names.gemm(weights, tile, across),
        role="fc",
        block=(384, 1, 1),
        grid=(min(tiles, plan.gpu.sms), 1, 1),
        useful=2.0 * run.rows * cols * inner,
        tensor=2.0 * padded(run.rows, tile) * cols * inner,
        precision="fp8" if weights == "fp8" else "bf16",
        warpgroup=weights != "int4",
        sparse=weights == "sparse24",
        hfma=cols * inner / 2 if weights == "int4" else 0.0,
        weight_bytes=cols * inner * WEIGHT_BYTES[weights],
        reads=run.rows * inner * (1.0 if weights == "fp8" else 2.0),
        writes=run.rows * cols * 2.0,
        efficiency=EFFICIENCY[weights],
    )
    return replace(plain, **labels)  # type: ignore[arg-type]


def rowwise(name: names.Name, role: str, rows: int, width: int, out: int | None = None) -> Launch:
    """A kernel with one block per row that reads `width` and writes `out` 16-bit elements of it."""
    out = width if out is None else out
    elements = float(rows * width)
    return Launch(
        name=name,
        role=role,
        grid=(rows, 1, 1),
        block=(min(max(width // 8, 32), 1024), 1, 1),
        fadd=elements,
        fmul=elements,
        ffma=elements,
        reads=2.0 * rows * width,
        writes=2.0 * rows * out,
    )


def linear(run: Pass, cols: int, inner: int) -> Iterator[Launch]:
    """A projection, with the quantisation of its input where the weights need it."""
    if run.plan.weights == "fp8":
        quantised = rowwise(names.QUANTIZE, "quantize", run.rows, inner, inner // 2)
        yield replace(quantised, block=(256, 1, 1))
    yield product(run, cols, inner)


def attention(run: Pass) -> Iterator[Launch]:
    """Attention over the cache; query heads that share keys share a tile."""
    plan, shape = run.plan, run.plan.model
    seen = run.context + (run.tokens + 1) / 2 if run.tokens > 1 else run.context
    useful = 4.0 * run.rows * shape.heads * shape.width * seen
    packed = shape.heads // shape.kv_heads
    rows = padded(packed, plan.attention_rows) if run.tokens == 1 else packed
    splits = 1 if run.tokens > 1 else max(1, plan.gpu.sms // (run.batch * shape.kv_heads))
    cache = 2.0 * run.batch * shape.kv_heads * shape.width * plan.kv_bytes * (run.context + run.tokens - 1)
    heads = run.batch * shape.kv_heads
    blocks = ceil(run.tokens / 128) if run.tokens > 1 else 1
    yield Launch(
        name=names.attention(plan.attention_rows, plan.kv_bytes, run.tokens > 1),
        role="attention",
        block=(128, 1, 1),
        grid=(blocks, run.batch, shape.heads) if run.tokens > 1 else (blocks, splits, heads),
        useful=useful,
        tensor=useful * rows / packed,
        warpgroup=plan.kv_bytes == 1,
        precision="fp8" if plan.kv_bytes == 1 else "bf16",
        ffma=useful / 4 / shape.width,
        kv_bytes=cache,
        reads=2.0 * run.rows * shape.heads * shape.width,
        writes=2.0 * run.rows * shape.heads * shape.width,
        efficiency=0.85,
    )
    if splits > 1:
        partial = 4.0 * splits * run.rows * shape.heads * shape.width
        yield Launch(
            name=names.COMBINE,
            role="attention",
            grid=(ceil(run.rows * shape.heads / 4), 1, 1),
            block=(128, 1, 1),
            useful=0.0,
            ffma=partial / 4,
            reads=partial,
            writes=2.0 * run.rows * shape.heads * shape.width,
        )


def attention_block(run: Pass, layer: int) -> Iterator[Launch]:
    """Norm, projections, position, cache and attention of one layer."""
    shape, kv_bytes = run.plan.model, run.plan.kv_bytes
    q, kv = shape.heads * shape.width, shape.kv_heads * shape.width
    norm = names.ADD_NORM if layer else names.NORM
    yield rowwise(norm, "norm", run.rows, shape.hidden)
    yield from linear(run, q + 2 * kv, shape.hidden)
    rope = rowwise(names.ROPE, "rope", run.rows, q + kv)
    yield replace(rope, block=(min(q // 2, 512), 1, 1))
    written = rowwise(names.cache_write(kv_bytes), "kv-cache", run.rows, 2 * kv, kv * kv_bytes)
    yield replace(written, block=(min(kv, 512), 1, 1), fadd=0.0, fmul=0.0, ffma=0.0)
    yield from attention(run)
    yield from linear(run, shape.hidden, q)


def dense_block(run: Pass) -> Iterator[Launch]:
    """Norm and the gated MLP of one layer."""
    shape = run.plan.model
    yield rowwise(names.ADD_NORM, "norm", run.rows, shape.hidden)
    yield from linear(run, 2 * shape.ffn, shape.hidden)
    yield rowwise(names.ACTIVATION, "activation", run.rows, 2 * shape.ffn, shape.ffn)
    yield from linear(run, shape.hidden, shape.ffn)


def experts(run: Pass, cols: int, inner: int) -> Launch:
    """One grouped product over the distinct experts that the rows choose, 16-row tiles each."""
    shape = run.plan.model
    chosen = run.rows * shape.per_token
    distinct = round(shape.experts * (1 - (1 - shape.per_token / shape.experts) ** run.rows))
    rows = distinct * padded(ceil(chosen / distinct), 16)
    weights = run.plan.weights if run.plan.weights in ("bf16", "fp8") else "bf16"
    return Launch(
        name=names.EXPERTS,
        role="fc",
        block=(128, 1, 1),
        grid=(rows // 16 * ceil(cols / 64), 1, 1),
        warpgroup=False,
        useful=2.0 * chosen * cols * inner,
        tensor=2.0 * rows * cols * inner,
        precision="fp8" if weights == "fp8" else "bf16",
        weight_bytes=distinct * cols * inner * WEIGHT_BYTES[weights],
        reads=2.0 * chosen * inner,
        writes=2.0 * chosen * cols,
        efficiency=EFFICIENCY[weights] - 0.1,
    )


def expert_block(run: Pass) -> Iterator[Launch]:
    """Norm, router and the experts of one layer."""
    shape = run.plan.model
    rows, chosen = run.rows, run.rows * shape.per_token
    yield rowwise(names.ADD_NORM, "norm", rows, shape.hidden)
    yield product(run, shape.experts, shape.hidden, weights="bf16")
    yield replace(rowwise(names.TOP_K, "moe-routing", rows, shape.experts), grid=(ceil(rows / 4), 1, 1))
    yield Launch(name=names.ALIGN, role="moe-routing", grid=(1, 1, 1), block=(1024, 1, 1), reads=4.0 * chosen)
    yield Launch(name=names.SORT, role="moe-routing", grid=(ceil(chosen / 256), 1, 1), reads=4.0 * chosen)
    yield experts(run, 2 * shape.ffn, shape.hidden)
    yield rowwise(names.ACTIVATION, "activation", chosen, 2 * shape.ffn, shape.ffn)
    yield experts(run, shape.hidden, shape.ffn)
    yield replace(rowwise(names.MOE_SUM, "moe-routing", rows, shape.hidden * shape.per_token, shape.hidden))


def skipped(plan: Plan, layer: int) -> bool:
    """Whether the layer is one of the evenly spread skipped ones."""
    return int((layer + 1) * plan.skip) > int(layer * plan.skip)


def without_work(launch: Launch, reads: bool) -> Launch:
    """A skipped product: no FLOPs; its weights are read all the same, or not."""
    if launch.role != "fc":
        return launch
    weights = launch.weight_bytes if reads else 0.0
    return replace(launch, useful=0.0, tensor=0.0, weight_bytes=weights)


def layer_of(run: Pass, layer: int) -> Iterator[Launch]:
    """All launches of one layer in order."""
    plan = run.plan
    for launch in attention_block(run, layer):
        yield replace(launch, layer=layer, module="attention")
    block = expert_block(run) if plan.model.experts else dense_block(run)
    for launch in block:
        done = without_work(launch, plan.skip_reads) if skipped(plan, layer) else launch
        yield replace(done, layer=layer, module="mlp")


def forward(run: Pass) -> Iterator[Launch]:
    """One pass from the embedding to the sampled tokens."""
    shape, last = run.plan.model, replace(run, tokens=1)
    gathered = rowwise(names.EMBEDDING, "embedding", run.rows, shape.hidden)
    yield replace(
        gathered,
        grid=(run.rows, ceil(2 * shape.hidden / 4096), 1),
        fadd=0.0,
        fmul=0.0,
        ffma=0.0,
        reads=0.0,
        weight_bytes=gathered.reads,
    )
    for layer in range(run.plan.depth):
        yield from layer_of(run, layer)
    yield rowwise(names.ADD_NORM, "norm", run.rows, shape.hidden)
    yield product(last, shape.vocabulary, shape.hidden, weights="bf16", module="lm_head")
    chosen = rowwise(names.ARGMAX, "sampling", run.batch, shape.vocabulary, 4)
    yield replace(chosen, block=(512, 1, 1), fmul=0.0, fadd=0.0, ffma=0.0, module="lm_head")


def passes(plan: Plan) -> Iterator[Pass]:
    """The passes of the run: perhaps a prefill, then the decode steps with a growing context."""
    if plan.prefill:
        yield Pass(plan=plan, phase="prefill", step=0, batch=plan.batch, tokens=plan.prefill, context=0)
    for step in range(plan.steps):
        yield Pass(plan=plan, phase="decode", step=step, batch=plan.batch, tokens=1, context=plan.context + step)


def stray(rng: random.Random) -> Launch:
    """A launch that belongs to nothing."""
    elements = rng.choice((1024, 4096, 65536))
    grid = (ceil(elements / 512), 1, 1)
    return Launch(name=names.STRAY, role="elementwise", grid=grid, block=(128, 1, 1), writes=4.0 * elements, phase="")


def launches(plan: Plan) -> list[Launch]:
    """Every launch of the run in order, cut to the window."""
    run = [replace(launch, phase=each.phase, step=each.step) for each in passes(plan) for launch in forward(each)]
    rng = random.Random(f"stray {plan.seed}")
    for _ in range(plan.stray):
        run.insert(rng.randrange(len(run) + 1), stray(rng))
    first, count = plan.window or (0, len(run))
    return run[first : first + count]
