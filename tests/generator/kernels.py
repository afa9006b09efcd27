"""One launch, one pass of a model, and the launches that every engine builds from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import Any

from tests.generator.shapes import Shape

ROWS, SAMPLED, SEQUENCES = "rows", "sampled", "sequences"
"""What a grid counts truly: tokens of the pass, rows of logits, sequences."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """A launch by its real name, its grid, the bytes and the tensor work that it does, and what it gives away."""

    name: str
    role: str
    grid: tuple[int, int, int] = (132, 1, 1)
    reads: float = 4096.0
    writes: float = 1024.0
    flops: float = 0.0
    tells: str = ""
    """What its grid counts, for a reader who knows the kernel."""
    phase: str = ""
    """Phase that its name alone gives away."""
    threads: int = 128
    high: int = 1
    """Second dimension of the block."""
    stream: int = 0
    core: bool = True
    """False for bookkeeping at the edges of a step: a step without it is still whole."""


@dataclass(frozen=True, kw_only=True)
class Pass:
    """One forward pass over the new tokens of some sequences."""

    shape: Shape
    kind: str
    """decode, prefill, mixed, draft or verify."""
    step: int
    contexts: tuple[int, ...] = ()
    """Cached tokens of each sequence that decodes."""
    chunks: tuple[tuple[int, int], ...] = ()
    """New and cached tokens of each prompt."""
    positions: int = 1
    """New tokens of each decoding sequence; more than one is verification."""
    head: bool = True
    """Whether it ends in logits."""
    tp: int = 1
    model: int = 0
    ends: tuple[str, ...] = ()
    """Names of kernels that close a speculative step, after sampling."""
    kept: int = 0
    """Tokens that a verifying pass accepts, over all sequences."""
    filled: str = ""
    """rows or all: what of it is padded to the size of its CUDA graph, its rows alone or its sequences, too."""

    @cached_property
    def new(self) -> int:
        """New tokens."""
        return len(self.contexts) * self.positions + sum(new for new, _ in self.chunks)

    @cached_property
    def rows(self) -> int:
        """Rows that products, norms and the embedding work on."""
        return graph_size(self.new) if self.filled else self.new

    @cached_property
    def sequences(self) -> int:
        """Sequences that take part."""
        return len(self.contexts) + len(self.chunks)

    @cached_property
    def seats(self) -> int:
        """Sequences that attention works on."""
        return self.sequences + (self.rows - self.new if self.filled == "all" else 0)

    @cached_property
    def sampled(self) -> int:
        """Rows of logits: the last one of a prompt or a draft, every one of a decoding sequence."""
        each = 1 if self.kind == "draft" else self.positions
        return len(self.contexts) * each + len(self.chunks)

    @cached_property
    def seen(self) -> int:
        """Cached tokens that attention reads, once per sequence."""
        return sum(c + self.positions for c in self.contexts) + sum(new + cached for new, cached in self.chunks)

    @cached_property
    def prompt(self) -> bool:
        """Whether there is nothing but prompts in it."""
        return not self.contexts


def graph_size(rows: int) -> int:
    """The size of the CUDA graph that holds so many rows, as servers capture them: 1, 2, 4, then by eights."""
    return next((size for size in (1, 2, 4) if rows <= size), 8 * ceil(rows / 8))


def tile(rows: int) -> int:
    """Rows of a product's tile: the smallest of the usual that holds all of them, at most 256."""
    return next((t for t in (8, 16, 32, 64, 128) if rows <= t), 256)


def product(name: str, n: int, k: int, one: Pass, *, rows: int | None = None, size: float | None = None) -> Kernel:
    """[rows, k] times a matrix [n, k], in whole tiles."""
    m = one.rows if rows is None else rows
    high = tile(m)
    tiles = ceil(m / high)
    weights = one.shape.matrix(n, k) if size is None else size
    return Kernel(
        name,
        "fc",
        (2 * tiles, max(1, ceil(n / 128)), 1),
        reads=weights + 2.0 * m * k,
        writes=2.0 * m * n,
        flops=2.0 * n * k * tiles * high,
        threads=384,
    )


def rowwise(name: str, role: str, count: int, width: int, tells: str = ROWS, **more: Any) -> Kernel:
    """One block per row, which reads and writes `width` 16-bit elements."""
    return Kernel(name, role, (count, 1, 1), 2.0 * count * width + 2048, 0.4 * count * width, tells=tells, **more)


def spread(name: str, role: str, elements: float, per_block: int = 512, reads: float | None = None) -> Kernel:
    """Blocks by elements: its grid counts no rows."""
    size = 2.0 * elements + 2048 if reads is None else reads
    return Kernel(name, role, (max(1, ceil(elements / per_block)), 1, 1), size, 0.4 * elements)


def experts_read(shape: Shape, rows: int, layer: int) -> int:
    """Distinct experts that the rows choose, a few more or fewer by layer."""
    spread_evenly = shape.experts * (1 - (1 - shape.per_token / shape.experts) ** rows)
    return max(shape.per_token, min(shape.experts, round(spread_evenly) + (layer * 7) % 5 - 2 if rows > 1 else shape.per_token))


def grouped(name: str, n: int, k: int, one: Pass, layer: int, grid: tuple[int, int, int]) -> Kernel:
    """One product over the experts of a layer."""
    distinct = experts_read(one.shape, one.rows, layer)
    chosen = one.rows * one.shape.per_token
    return Kernel(
        name,
        "fc",
        grid,
        reads=distinct * one.shape.matrix(n, k) + 2.0 * chosen * k,
        writes=2.0 * chosen * n,
        flops=2.0 * n * k * distinct * max(16, ceil(chosen / distinct / 16) * 16),
        threads=256,
    )
