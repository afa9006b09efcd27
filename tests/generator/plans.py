"""What a seed draws: the kind of run, its engine and model, the passes in order, the window, the counters."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from tests.generator import names
from tests.generator.engines import ENGINES, Engine
from tests.generator.kernels import Pass
from tests.generator.shapes import DENSE, EVERY, Shape

KINDS = (
    "constant batch",
    "varying batch",
    "prompt whole, then decode",
    "prompt in chunks, then decode",
    "mixed steps",
    "speculative, tree",
    "speculative, chain",
    "ranks in one file",
    "one rank alone",
    "dual-batch overlap",
    "two models in turn",
    "whole layers only",
    "one layer and ten launches",
    "torn anywhere",
    "prompt without head",
    "poor counters",
)
COUNTERS = ("full", "reads", "rates", "time", "holes")
BATCHES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)
OVERLAP, TREE = "dual-batch overlap", "speculative, tree"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A run before it is a frame."""

    seed: int
    kind: str
    engine: Engine
    passes: tuple[Pass, ...]
    window: str = "whole"
    """whole, steps, layers, layer+10 or torn."""
    counters: str = "full"
    nvtx: bool = False
    ranks: tuple[int, ...] = (0,)
    overlap: bool = False
    graphs: str = ""
    """whole or pieces: how its decode steps are CUDA graphs, whose ids the profiler tells; empty where it tells none."""
    noise_seed: int | None = None
    """Draws the noise where the same run is measured again."""

    @property
    def shape(self) -> Shape:
        """The main model."""
        return next(p for p in reversed(self.passes) if p.kind != "draft").shape


def plan(seed: int, kind: str | None = None) -> Plan:
    """The plan of this seed; kinds take turns."""
    rng = random.Random(f"plan {seed}")
    chosen = kind or KINDS[seed % len(KINDS)]
    engine = engine_for(rng, chosen)
    shape = shape_for(rng, engine)
    tp = rng.choice((2, 4)) if "rank" in chosen else 1
    shape = shape.over(tp)
    graphs, filled = graphs_for(seed, chosen, engine)
    passes = tuple(
        replace(one, tp=tp, filled=filled if one.kind == "decode" else "") for one in passes_for(rng, chosen, engine, shape)
    )
    return Plan(
        seed=seed,
        kind=chosen,
        engine=engine,
        passes=passes,
        window=window_for(rng, chosen),
        counters=rng.choice(COUNTERS[1:]) if chosen == "poor counters" else "full",
        nvtx=bool(engine.nvtx) and rng.random() < 0.3,
        ranks=tuple(range(2 if tp == 2 else tp)) if chosen == "ranks in one file" else (rng.randrange(tp),),
        overlap=chosen == OVERLAP,
        graphs=graphs,
    )


def graphs_for(seed: int, kind: str, engine: Engine) -> tuple[str, str]:
    """CUDA graphs of a server's steps, whole or cut at attention, and what of decode fills their sizes.

    Drawn apart, so that a seed's run stays what it was.
    """
    rng = random.Random(f"graphs {seed}")
    able = {
        "vllm": ("whole", "pieces"),
        "vllm-compiled": ("whole", "pieces"),
        "sglang": ("whole",),
        "trtllm": ("whole", "pieces"),
    }
    if kind == OVERLAP or engine.name not in able or rng.random() < 0.5:
        return "", ""
    graphs = rng.choice(able[engine.name])
    return graphs, rng.choice(("", "all" if graphs == "whole" else "rows"))


def engine_for(rng: random.Random, kind: str) -> Engine:
    """An engine that can do it."""
    able = list(ENGINES.values())
    if "speculative" in kind:
        able = [ENGINES["sglang"]] if kind == TREE else [ENGINES["vllm"], ENGINES["vllm-compiled"]]
    elif "rank" in kind:
        able = [e for e in able if e.tp]
    elif kind == OVERLAP:
        able = [ENGINES["sglang"], ENGINES["vllm"]]
    elif kind == "mixed steps":
        able = [e for e in able if e.name in ("vllm", "vllm-compiled", "sglang", "trtllm")]
    elif "prompt" in kind:
        able = [e for e in able if e.name != "gpt-fast"]
    elif kind == "varying batch" or kind == "two models in turn":
        able = [e for e in able if e.most > 1]
    return rng.choice(able)


def shape_for(rng: random.Random, engine: Engine) -> Shape:
    """A model that the engine takes, a few layers deep."""
    able = [s for s in EVERY if engine.takes(s)]
    shape = replace(rng.choice(able), layers=rng.choice((2, 3, 4, 6, 8, 12)))
    if engine.name.startswith("vllm") and not shape.latent and rng.random() < 0.2:
        shape = replace(shape, kv_bytes=1)
    if engine.name.startswith(("vllm", "sglang")) and not shape.experts and rng.random() < 0.15:
        shape = replace(shape, weights="int4")
    return shape


def batch_of(rng: random.Random, engine: Engine, least: int = 1) -> int:
    """Sequences that decode at once."""
    return rng.choice([b for b in BATCHES if least <= b <= engine.most])


def contexts_of(rng: random.Random, batch: int) -> tuple[int, ...]:
    """Cached tokens of each sequence: alike, or each its own."""
    length = rng.choice((128, 300, 512, 1000, 2048, 4096, 8000))
    return (length,) * batch if rng.random() < 0.5 else tuple(rng.randint(length // 2, length * 3 // 2) for _ in range(batch))


def decoding(shape: Shape, contexts: tuple[int, ...], steps: int, start: int = 0) -> list[Pass]:
    """Steps of one batch, whose contexts grow by one."""
    return [Pass(shape=shape, kind="decode", step=start + s, contexts=tuple(c + s for c in contexts)) for s in range(steps)]


def passes_for(rng: random.Random, kind: str, engine: Engine, shape: Shape) -> list[Pass]:
    """The passes of the run in order."""
    steps = rng.choice((1, 2, 3, 4, 6, 9))
    batch = batch_of(rng, engine, 4 if kind == OVERLAP else 1)
    contexts = contexts_of(rng, batch)
    if kind == "varying batch":
        return varying(rng, engine, shape, steps + 1)
    if kind == "prompt without head":
        new = rng.choice((72, 80, 96, 100, 112, 128))
        return [Pass(shape=shape, kind="prefill", step=0, chunks=((new, 0),), head=False)]
    if kind == "prompt whole, then decode":
        prompts = tuple((c, 0) for c in contexts)[: rng.choice((1, len(contexts)))]
        return [Pass(shape=shape, kind="prefill", step=0, chunks=prompts), *decoding(shape, contexts, steps)]
    if kind == "prompt in chunks, then decode":
        return [*chunked(rng, engine, shape), *decoding(shape, contexts, steps)]
    if kind == "mixed steps":
        return mixed(rng, shape, contexts, steps)
    if "speculative" in kind:
        return speculative(rng, kind, shape, contexts, steps)
    if kind == "two models in turn":
        return in_turn(rng, engine, shape, steps)
    return decoding(shape, contexts, steps)


def varying(rng: random.Random, engine: Engine, shape: Shape, steps: int) -> list[Pass]:
    """Requests come and go; 9 steps at 8 and one at 64 among them."""
    if engine.most >= 64 and rng.random() < 0.2:
        sizes = [8] * 9 + [64]
    else:
        sizes = [batch_of(rng, engine) for _ in range(steps)]
    pool = contexts_of(rng, max(sizes))
    return [
        Pass(shape=shape, kind="decode", step=s, contexts=tuple(c + s for c in pool[:size])) for s, size in enumerate(sizes)
    ]


def chunked(rng: random.Random, engine: Engine, shape: Shape) -> list[Pass]:
    """A prompt in pieces of 64 to 512 tokens; only engines that sample every time do so before its end."""
    size, pieces = rng.choice((64, 128, 256, 512)), rng.choice((2, 3, 4))
    always = engine.name.startswith(("vllm", "sglang"))
    return [
        Pass(shape=shape, kind="prefill", step=p, chunks=((size, p * size),), head=always or p == pieces - 1)
        for p in range(pieces)
    ]


def mixed(rng: random.Random, shape: Shape, contexts: tuple[int, ...], steps: int) -> list[Pass]:
    """Some steps carry a piece of a prompt beside the rows that decode."""
    size = rng.choice((64, 100, 256, 448))
    made = decoding(shape, contexts, steps + 1)
    carrying = {0} | {s for s in range(1, steps) if rng.random() < 0.3}
    return [
        replace(one, kind="mixed", chunks=((size, 0 if s == 0 else size * s),)) if s in carrying else one
        for s, one in enumerate(made)
    ]


def speculative(rng: random.Random, kind: str, shape: Shape, contexts: tuple[int, ...], steps: int) -> list[Pass]:
    """Drafts of a shallower model, then one pass over every position that they propose."""
    contexts = contexts[:32]
    drafts = rng.choice((1, 2, 3, 4))
    small = replace(
        shape, layers=max(1, rng.choice((1, shape.layers // 2))), experts=0, latent=0, qk_norm=False, weights="bf16"
    )
    if shape.experts:
        small = replace(small, ffn=4 * shape.hidden)
    ends = (names.BUILD_TREE, names.VERIFY_TREE) if kind == TREE else (names.REJECTION,)
    made, cached = [], contexts
    for step in range(steps):
        new = [rng.randint(1, drafts + 1) for _ in cached]
        verify = Pass(shape=shape, kind="verify", step=step, contexts=cached, positions=drafts + 1, ends=ends)
        drafted = [
            Pass(shape=small, kind="draft", step=step, contexts=tuple(c + draft for c in cached), model=1)
            for draft in range(drafts)
        ]
        verify = replace(verify, kept=sum(new))
        # a tree is drafted, then verified; vLLM verifies, then drafts, over every verified row first
        first = replace(drafted[0], positions=drafts + 1)
        made += [*drafted, verify] if kind == TREE else [verify, first, *drafted[1:]]
        cached = tuple(c + more for c, more in zip(cached, new, strict=True))
    return made


def in_turn(rng: random.Random, engine: Engine, shape: Shape, steps: int) -> list[Pass]:
    """Two models of different width and depth, a step of each by turns."""
    able = [s for s in DENSE if engine.takes(s) and s.hidden != shape.hidden]
    if not able:
        able = [replace(shape, hidden=shape.hidden // 2)]
    other = replace(rng.choice(able), layers=rng.choice([n for n in (3, 5, 7) if n != shape.layers]))
    batches = [batch_of(rng, engine, 2) for _ in range(2)]
    made = []
    for step in range(steps):
        for model, (which, batch) in enumerate(((other, batches[0]), (shape, batches[1]))):
            cached = tuple(700 + step for _ in range(batch))
            made.append(Pass(shape=which, kind="decode", step=step, contexts=cached, model=model))
    return made


def window_for(rng: random.Random, kind: str) -> str:
    """How the run is cut."""
    fixed = {
        "whole layers only": "layers",
        "one layer and ten launches": "layer+10",
        "torn anywhere": "torn",
        "prompt without head": "whole",
    }
    return fixed.get(kind) or rng.choice(("whole", "whole", "steps", "torn"))
