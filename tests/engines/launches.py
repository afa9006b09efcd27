"""One launch of a synthetic sequence, passes made of them, and the frame that a reader would give."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from ncu_roofline.capture.capture import Run
from ncu_roofline.capture.names import function_name
from ncu_roofline.capture.schema import LAUNCHES, MEASURED, conform

READ, WRITTEN = MEASURED + "dram__bytes_read.sum", MEASURED + "dram__bytes_write.sum"


@dataclass(frozen=True, slots=True)
class K:
    """A kernel by its real name, with its planted grid, bytes and layer."""

    name: str
    grid: tuple[int, ...] = (132,)
    read: float = 4096.0
    layer: int | None = None
    stream: int = 7


def k(name: str, *grid: int, read: float = 4096.0, stream: int = 7) -> K:
    """One launch; a grid of one number is (n, 1, 1)."""
    return K(name, grid or (132,), read, None, stream)


Layer = Callable[[int], Iterable[K]]


def stack(layers: int, build: Layer) -> list[K]:
    """The launches of all layers, each with its number."""
    return [replace(one, layer=number) for number in range(layers) for one in build(number)]


def frame(launches: Sequence[K], *, process: int = 1, device: int = 0, start: int = 0) -> pl.DataFrame:
    """The launches as a reader would give them, marked synthetic."""
    rows = [row(one, at + start, process, device) for at, one in enumerate(launches)]
    types: dict[str, Any] = {c.name: c.dtype for c in LAUNCHES} | {
        READ: pl.Float64,
        WRITTEN: pl.Float64,
        "synthetic": pl.Boolean,
    }
    return conform(pl.DataFrame(rows, schema=types, orient="row"), LAUNCHES, source="synthetic")


def row(one: K, index: int, process: int, device: int) -> dict[str, Any]:
    """One launch as a row."""
    return {
        "index": index,
        "profiler_id": index,
        "kernel": function_name(one.name),
        "name": one.name,
        "device": device,
        "stream": one.stream,
        "process": process,
        "grid": [*one.grid, 1, 1][:3],
        "block": [128, 1, 1],
        "nvtx": None,
        "seconds": 2e-6 + one.read / 3e12,
        READ: one.read,
        WRITTEN: 0.0,
        "synthetic": True,
    }


def interleaved(*ranks: Sequence[K]) -> pl.DataFrame:
    """Ranks of one model, each a process on its own device, that take turns."""
    frames = [frame(launches, process=rank + 1, device=rank) for rank, launches in enumerate(ranks)]
    turns = [f.with_columns(index=pl.col("index") * len(ranks) + at) for at, f in enumerate(frames)]
    return pl.concat(turns).sort("index")


def noise(launches: Sequence[K], every: int) -> Iterator[K]:
    """The launches with a copy of the host's strewn between them."""
    for at, one in enumerate(launches):
        if at % every == every - 1:
            yield k(
                "void at::native::unrolled_elementwise_kernel<at::native::direct_copy_kernel_cuda(at::TensorIteratorBase &)>",
                3,
                read=64.0,
            )
        yield one


NONE = Run()
