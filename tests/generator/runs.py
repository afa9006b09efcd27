"""A plan as launches in order, cut to its window, and as the capture that a reader would give."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby

import polars as pl

from ncu_roofline.capture.capture import Capture, Device, Fact, Run
from ncu_roofline.capture.names import function_names
from ncu_roofline.capture.schema import LAUNCHES, conform
from tests.generator import counters
from tests.generator.kernels import Kernel, Pass
from tests.generator.plans import Plan, plan
from tests.generator.truths import Truth, truth_of

H100 = Device(
    name="NVIDIA H100 80GB HBM3",
    compute_capability="9.0",
    sms=132,
    sm_hertz=1.98e9,
    memory_hertz=2.619e9,
    bus_bits=5120,
    memory_bytes=85_029_158_912.0,
    l2_bytes=52_428_800.0,
)
MAIN_STREAM, SIDE_STREAM = 7, 21


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """Launches in order, each with the number of its pass and of its layer (-1 outside of layers)."""

    kernels: list[Kernel]
    passes: list[int]
    layers: list[int]

    def cut(self, first: int, last: int) -> Stretch:
        """The launches of a window."""
        return Stretch(kernels=self.kernels[first:last], passes=self.passes[first:last], layers=self.layers[first:last])


@dataclass(frozen=True, kw_only=True)
class Generated:
    """One capture and what is so."""

    plan: Plan
    capture: Capture
    truth: Truth
    whole: Stretch
    window: tuple[int, int]
    taken: tuple[list[float], list[float], list[float]]
    """Bytes read, written and seconds of each launch of the frame."""

    @cached_property
    def shown(self) -> Stretch:
        """The launches in the window."""
        return self.whole.cut(*self.window)


def run(seed: int, kind: str | None = None) -> Generated:
    """The run of this seed."""
    return generated(plan(seed, kind))


@dataclass(frozen=True, kw_only=True)
class Change:
    """What is planted: factors on the bytes, the work and the time of the launches of a role."""

    role: str = "fc"
    bytes_: float = 1.0
    flops: float = 1.0
    seconds: float = 1.0
    kept: bool = False
    """Time does not follow the bytes."""
    drift: float = 1.0
    """On the time of every launch: what a capture differs in from the next."""

    def of(self, kernel: Kernel) -> Kernel:
        """The launch with its bytes and its work changed."""
        if kernel.role != self.role:
            return kernel
        scale = self.bytes_
        return replace(kernel, reads=kernel.reads * scale, writes=kernel.writes * scale, flops=kernel.flops * self.flops)


UNCHANGED = Change()


def generated(made: Plan, noise: float = 1.0, change: Change = UNCHANGED) -> Generated:
    """The capture of a plan, and its truth."""
    whole = sequence(made)
    window = cut(made, whole)
    shown = whole.cut(*window)
    launches = [k for k in shown.kernels for _ in made.ranks]
    changed = [change.of(k) for k in launches]
    rng = random.Random(f"noise {made.seed if made.noise_seed is None else made.noise_seed}")
    reads, writes, seconds = counters.measured(changed, rng, noise)
    if change.kept:
        *_, seconds = counters.measured(launches, rng, noise)
    factors = [change.drift * (change.seconds if k.role == change.role else 1.0) for k in launches]
    taken = (reads, writes, [s * f for s, f in zip(seconds, factors, strict=True)])
    counted = counters.counted(changed, taken, made.counters, made.seed)
    frame = framed(made, shown, counted).with_columns(**graph_ids(made, whole, window))
    return Generated(
        plan=made,
        capture=captured(frame, f"generated-{made.seed}"),
        truth=truth_of(made, whole, window, taken, frame),
        whole=whole,
        window=window,
        taken=taken,
    )


def sequence(made: Plan) -> Stretch:
    """All launches of the run."""
    kernels: list[Kernel] = []
    passes: list[int] = []
    layers: list[int] = []
    built: dict[object, list[list[Kernel]]] = {}
    for number, one in enumerate(made.passes):
        alike = replace(one, step=0)
        parts = built.get(alike)
        if parts is None:
            parts = built[alike] = forward(made, one)
        for at, part in enumerate(parts):
            layer = at - 1 if 0 < at <= one.shape.layers else -1
            kernels += part
            passes += [number] * len(part)
            layers += [layer] * len(part)
    return Stretch(kernels=kernels, passes=passes, layers=layers)


def forward(made: Plan, one: Pass) -> list[list[Kernel]]:
    """What comes before the layers, each layer, what comes after."""
    engine = made.engine
    layer = overlapping if made.overlap else lambda m, o, n: list(m.engine.layer(o, n))
    return [list(engine.begin(one)), *(layer(made, one, n) for n in range(one.shape.layers)), list(engine.end(one))]


def overlapping(made: Plan, one: Pass, number: int) -> list[Kernel]:
    """A layer of both halves of a batch, by turns on two streams."""
    half = len(one.contexts) // 2
    parts = [replace(one, contexts=c) for c in (one.contexts[:half], one.contexts[half:])]
    first, second = ([replace(k, stream=s) for k in made.engine.layer(p, number)] for s, p in enumerate(parts))
    # halves of different size may differ in their launches by a split or a combine
    pairs = [k for both in zip(first, second, strict=False) for k in both]
    return pairs + first[len(second) :] + second[len(first) :]


def units(made: Plan) -> list[list[int]]:
    """The numbers of the passes of each step: drafts go with their verification."""
    if any(p.kind == "verify" for p in made.passes):
        return [[n for n, _ in group] for _, group in groupby(enumerate(made.passes), key=lambda p: p[1].step)]
    return [[n] for n in range(len(made.passes))]


def bounds(whole: Stretch, numbers: Sequence[int]) -> tuple[int, int]:
    """First launch of the first pass, and the one after the last of the last."""
    first = whole.passes.index(numbers[0])
    last = len(whole.passes) - whole.passes[::-1].index(numbers[-1])
    return first, last


def cut(made: Plan, whole: Stretch) -> tuple[int, int]:
    """The window of the plan."""
    rng = random.Random(f"window {made.seed}")
    size = len(whole.kernels)
    if made.window == "whole":
        return 0, size
    if made.window == "torn":
        first = rng.randrange(max(1, size - 20))
        return first, rng.randint(min(size, first + 20), size)
    steps = units(made)
    if made.window == "steps":
        first = rng.randrange(len(steps))
        last = rng.randint(first, len(steps) - 1)
        return bounds(whole, [*steps[first], *steps[last]])
    number = rng.randrange(len(made.passes))
    deep = made.passes[number].shape.layers
    layer = rng.randrange(deep - 1)
    last = layer if made.window == "layer+10" else rng.randint(layer, deep - 2)
    at = [i for i, (p, n) in enumerate(zip(whole.passes, whole.layers, strict=True)) if p == number and layer <= n <= last]
    return at[0], at[-1] + 1 + (10 if made.window == "layer+10" else 0)


def framed(made: Plan, shown: Stretch, counted: pl.DataFrame) -> pl.DataFrame:
    """The launches frame of all ranks in the file."""
    ranks = made.ranks
    kernels = [k for k in shown.kernels for _ in ranks]
    size = len(kernels)
    names = pl.Series("name", [k.name for k in kernels], dtype=pl.String)
    return conform(
        pl.DataFrame(
            {
                "index": pl.Series(range(size), dtype=pl.Int64),
                "profiler_id": pl.Series(range(size), dtype=pl.Int64),
                "kernel": function_names(names),
                "name": names,
                "device": pl.Series([*ranks] * len(shown.kernels), dtype=pl.Int64),
                "stream": pl.Series([SIDE_STREAM if k.stream else MAIN_STREAM for k in kernels], dtype=pl.Int64),
                "process": pl.Series([4000 + r for r in ranks] * len(shown.kernels), dtype=pl.Int64),
                "grid": triples([n for k in kernels for n in k.grid]),
                "block": triples([n for k in kernels for n in (k.threads, k.high, 1)]),
                "nvtx": marked(made, shown),
                "seconds": counted["m:gpu__time_duration.sum"],
                **{c: counted[c] for c in counted.columns},
            }
        ),
        LAUNCHES,
        source="generated",
    )


def graph_ids(made: Plan, whole: Stretch, window: tuple[int, int]) -> dict[str, pl.Series]:
    """The ids of the graphs that hold the launches, as the profiler counts them: a graph for each model and size."""
    if not made.graphs:
        return {}
    numbers: dict[tuple[int, ...], float] = {}
    ids = [None if key is None else numbers.setdefault(key, 1.0 + len(numbers)) for key in graph_keys(made, whole)]
    shown = [n for n in ids[slice(*window)] for _ in made.ranks]
    executable = [None if n is None else 100 + 2 * n for n in shown]
    return {
        "m:launch__graph_exec_cuda_id": pl.Series(executable, dtype=pl.Float64),
        "m:launch__graph_src_cuda_id": pl.Series(shown, dtype=pl.Float64),
    }


def graph_keys(made: Plan, whole: Stretch) -> Iterator[tuple[int, ...] | None]:
    """Which graph holds each launch: a whole step of decode, or what lies between attention and attention of up to 512 rows.

    Logits and the draw lie outside of both, as does what prepares a step.
    """
    at, piece, mixing = -1, 0, False
    for kernel, number, layer in zip(whole.kernels, whole.passes, whole.layers, strict=True):
        if number != at:
            at, piece, mixing = number, 0, False
        one = made.passes[number]
        piece += kernel.role == "attention" and layer >= 0 and not mixing
        mixing = kernel.role == "attention" and layer >= 0
        outer = layer < 0 and kernel.role not in ("embedding", "norm")
        if not kernel.core or outer or (made.graphs == "pieces" and (one.rows > 512 or kernel.role == "attention")):
            yield None
        elif made.graphs == "pieces":
            yield one.model, one.rows, piece
        else:
            yield (one.model, one.rows) if one.kind in ("decode", "draft", "verify") else None


def triples(flat: list[int]) -> pl.Series:
    """Three numbers of each launch, from one list: many times as fast as from a list of lists."""
    return pl.Series(flat, dtype=pl.Int64).reshape((-1, 3))


def marked(made: Plan, shown: Stretch) -> pl.Series:
    """The open ranges of each launch; null where the run has none."""
    size = len(shown.kernels) * len(made.ranks)
    if not made.nvtx:
        return pl.Series([None] * size, dtype=pl.List(pl.String))
    numbers: dict[tuple[str, ...], int] = {}
    at = [numbers.setdefault(tuple(m), len(numbers)) for m in ranges(made, shown) for _ in made.ranks]
    return pl.Series([list(m) for m in numbers], dtype=pl.List(pl.String)).gather(at)


def ranges(made: Plan, shown: Stretch) -> Iterator[list[str]]:
    """The open NVTX ranges of each launch, as its engine opens them."""
    style = {"ours": ours, "sglang": sglang, "vllm": vllm, "trtllm": trtllm}[made.engine.nvtx]
    for number, layer in zip(shown.passes, shown.layers, strict=True):
        yield style(made, made.passes[number], number, layer)


def ours(made: Plan, one: Pass, number: int, layer: int) -> list[str]:
    """decode > step.N > layer.N, as fixtures/capture/decode_step.py."""
    del made, number
    phase = "prefill" if one.prompt else "decode"
    return [phase, *([f"step.{one.step}"] if phase == "decode" else []), *([f"layer.{layer}"] if layer >= 0 else [])]


def sglang(made: Plan, one: Pass, number: int, layer: int) -> list[str]:
    """step[DECODE bs=8]: request counts of the batch."""
    del made, number, layer
    if one.prompt:
        return [f"step[EXTEND bs={one.sequences} toks={one.rows}]"]
    return [f"step[{'MIXED' if one.chunks else 'DECODE'} bs={one.sequences}]"]


def vllm(made: Plan, one: Pass, number: int, layer: int) -> list[str]:
    """execute_context_1(64)_generation_8(8): requests and their new tokens, drafts within; newer versions add the cache."""
    del number, layer
    if one.kind == "draft":
        one = next(p for p in made.passes if p.kind == "verify" and p.step == one.step)
    new, held = one.new - len(one.contexts) * one.positions, len(one.contexts)
    decoding = held * one.positions
    if not sized(made):
        return [f"execute_context_{len(one.chunks)}({new})_generation_{held}({decoding})"]
    seen = sum(c + one.positions for c in one.contexts)
    back = sum(n + c for n, c in one.chunks)
    first = f"{len(one.chunks)}(sq{new}sk{back}sqsq{new * new}sqsk{new * back})"
    return [f"execute_{one.new}_context_{first}_generation_{held}(sq{decoding}sk{seen}sqsq{decoding}sqsk{seen})"]


def sized(made: Plan) -> bool:
    """Whether the ranges of this vLLM tell the size of the cache."""
    return made.engine.nvtx == "vllm" and made.seed % 3 == 0


def trtllm(made: Plan, one: Pass, number: int, layer: int) -> list[str]:
    """[Executor] _forward_step 7: 0 ctx reqs, 0 ctx tokens, 8 gen reqs."""
    del made, layer
    new = sum(n for n, _ in one.chunks)
    return [
        f"[Executor] _forward_step {number + 40}: {len(one.chunks)} ctx reqs, {new} ctx tokens, {len(one.contexts)} gen reqs"
    ]


def captured(frame: pl.DataFrame, name: str) -> Capture:
    """The frame as a capture that says it is synthetic and how it was measured."""
    typed = "command line"
    told = Run(
        synthetic=Fact(True, "report", "made by tests/generator"),
        profiler_version=Fact("2025.3.1", "report", "session details"),
        cache_control=Fact("none", typed, "--cache-control none"),
        clock_control=Fact("none", typed, "--clock-control none"),
        replay_mode=Fact("kernel", typed, "--replay-mode kernel"),
        graph_profiling=Fact("node", typed, "--graph-profiling node"),
    )
    return Capture(launches=frame, device=H100, run=told, name=f"{name}.ncu-rep")
