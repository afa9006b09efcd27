"""Writes a format-version-7 report (.ncu-rep, or .ncu-repz inside a zstd frame) of a launches frame.

The layout is that of readers/report/container.py; NVIDIA's own reader opens the result.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import zstandard

from ncu_roofline.capture.schema import MEASURED
from tests.synthetic.counters import MARK
from tests.synthetic.frame import decode_run
from tests.synthetic.models import Plan, SyntheticGpu
from tests.synthetic.wire import field, message, repeated, sized

WRITTEN = 1_767_225_600
"""A fixed time (1 January 2026), so that the same plan gives the same file bit for bit."""
VERSIONS = {
    "CUDA Version": "13.1",
    "Display Driver Version": "590.44.01",
    "Nsight Compute Target": "2026.1.0.0 (build 00000000) (synthetic)",
    "PerfWorks": "0.1.0",
}
PROCESS = message((1, 4242), (2, "127.0.0.1"), (3, "python3"))
AXES = ("x", "y", "z")


def command(plan: Plan) -> str:
    """A command line that says how the launches are supposed to have been measured."""
    nvtx = ["--nvtx"] if plan.nvtx else []
    names = ",".join(name.removeprefix(MEASURED) for name in measured_names(plan))
    how = ["--set", plan.counters] if plan.counters in ("basic", "full") else ["--metrics", names]
    return " ".join(
        [
            "ncu",
            "--profile-from-start",
            "off",
            *nvtx,
            "--replay-mode",
            "kernel",
            "--graph-profiling",
            "node",
            "--cache-control",
            plan.cache,
            "--clock-control",
            "none",
            *how,
            "-o",
            "synthetic.ncu-rep",
            "python3",
            "decode_step.py",
        ]
    )


def measured_names(plan: Plan) -> list[str]:
    """Counters of the plan's metric set, the mark of the synthetic not among them."""
    one = decode_run(replace(plan, window=(0, 1), nvtx=False))
    return [n for n in one.columns if n.startswith(MEASURED) and n != MEASURED + MARK]


def write_report(
    path: Path | str,
    plan: Plan,
    *,
    frame: pl.DataFrame | None = None,
    command_line: str | None = None,
    versions: Mapping[str, str] = VERSIONS,
) -> Path:
    """The plan's launches (or this frame in their place) as a report; `.ncu-repz` is compressed."""
    path = Path(path)
    frame = decode_run(plan) if frame is None else frame
    typed = command(plan) if command_line is None else command_line
    content = report(frame, plan.gpu, typed, versions)
    path.write_bytes(zstandard.compress(content, 9) if path.suffix == ".ncu-repz" else content)
    return path


def report(frame: pl.DataFrame, gpu: SyntheticGpu, typed: str, versions: Mapping[str, str]) -> bytes:
    """The bytes of a whole report, its session details in as many blocks as the profiler writes."""
    head = field(1, 7)
    said = [released(versions), described_device(gpu), message((11, typed))]
    blocks = [block(session=host()), *results(frame, gpu), *(block(session=part) for part in said)]
    return b"NVR\0" + struct.pack("<I", len(head)) + head + b"".join(blocks)


def block(*, session: bytes = b"", strings: list[str] | None = None, entries: list[bytes] | None = None) -> bytes:
    """One block: the size of its header, the header, and its entries."""
    payload = b"".join(sized(entry) for entry in entries or [])
    parts: list[tuple[int, Any]] = [(1, 0), (2, len(entries or []))]
    if session:
        parts.append((3, session))
    parts += [(4, message(*repeated(1, strings or []))), (5, len(payload)), (6, PROCESS), (7, 0)]
    return sized(message(*parts)) + payload


def host() -> bytes:
    """Time and host, nothing private in it."""
    machine = ("Linux", "synthetic", "synthetic", "x86_64", "synthetic")
    return message((2, WRITTEN), (3, message(*((i + 1, text) for i, text in enumerate(machine)))))


def described_device(gpu: SyntheticGpu) -> bytes:
    """The device with its attributes."""
    values = [message((1, name), (2, value(content))) for name, content in attributes(gpu).items()]
    return message((6, message((1, 0), (2, gpu.name), *repeated(3, values))))


def released(versions: Mapping[str, str]) -> bytes:
    """Versions of the profiler, the driver and the toolkit."""
    return message(*repeated(8, [message((1, k), (2, v)) for k, v in versions.items()]))


def attributes(gpu: SyntheticGpu) -> dict[str, Any]:
    """Device attributes as the profiler names them."""
    named = {
        "display_name": gpu.name,
        "compute_capability_major": gpu.major,
        "compute_capability_minor": gpu.minor,
        "chip": gpu.chip,
        "implementation": gpu.chip,
        "architecture": gpu.chip & 0xFF0,
        "device_index": 0,
        "multiprocessor_count": gpu.sms,
        "max_gpu_frequency_khz": round(gpu.sm_hertz / 1e3),
        "clock_rate": round(gpu.sm_hertz / 1e3),
        "max_mem_frequency_khz": round(gpu.memory_hertz / 1e3),
        "memory_clock_rate": round(gpu.memory_hertz / 1e3),
        "fb_bus_width": gpu.bus_bits,
        "global_memory_bus_width": gpu.bus_bits,
        "l2_cache_size": gpu.l2_bytes,
        "total_memory": gpu.memory_bytes,
        "integrated": 0,
        "ecc_enabled": 1,
    }
    return {f"device__attribute_{name}": content for name, content in named.items()}


def value(content: Any) -> bytes:
    """A metric value: text, double or unsigned integer; an empty message is no value."""
    if content is None:
        return b""
    if isinstance(content, str):
        return field(1, content)
    return field(3, content) if isinstance(content, float) else field(5, content)


def profiled(row: Mapping[str, Any]) -> dict[str, Any]:
    """The metrics of a launch under the profiler's names and in its units (ns for durations)."""
    measured = {
        name.removeprefix(MEASURED): content
        for name, content in row.items()
        if name.startswith(MEASURED) and content is not None
    }
    if row["seconds"] is not None:
        measured["gpu__time_duration.sum"] = float(round(row["seconds"] * 1e9))
    shape = {f"launch__grid_dim_{a}": float(n) for a, n in zip(AXES, row["grid"], strict=True)}
    shape |= {f"launch__block_dim_{a}": float(n) for a, n in zip(AXES, row["block"], strict=True)}
    where = {"launch__stream_id": row["stream"], "launch__context_id": 1, "launch__device_id": 0}
    return measured | shape | where


def metric(index: int, content: Any) -> bytes:
    """One metric; a list of {id, value} becomes a total and its instances."""
    if not isinstance(content, list):
        return message((1, index), (2, value(content)))
    instances = [message((1, value(i["id"])), (2, value(i["value"]))) for i in content]
    total = value(float(sum(i["value"] for i in content)))
    return message((1, index), (2, total), *repeated(3, instances))


def ranges(open_ranges: list[str]) -> bytes:
    """The NVTX state: the default domain and one thread with its stack of ranges."""
    stack = [message((1, name), (2, described(name)), (3, depth)) for depth, name in enumerate(open_ranges)]
    thread = message((1, 4242), (2, message((1, 0), *repeated(3, stack))))
    domain = message((1, 0), (2, "<default domain>"))
    return message((1, domain), (2, thread), (3, message((1, 0))), (4, 0))


def described(name: str) -> bytes:
    """Attributes of a range; NVIDIA's reader insists on a colour and a payload, none in both."""
    colour, payload = message((1, 0), (2, 0)), message((1, 0))
    return message((1, 2), (2, 0), (3, colour), (4, payload), (5, message((1, 1), (2, name))))


def result(row: Mapping[str, Any], gpu: SyntheticGpu, strings: dict[str, int]) -> bytes:
    """One launch as a result message; new metric names go to the end of the string table."""
    triple = {k: message(*((i + 1, int(n)) for i, n in enumerate(row[k]))) for k in ("grid", "block")}
    metrics = [
        metric(strings.setdefault(name, len(strings)), content) for name, content in (profiled(row) | attributes(gpu)).items()
    ]
    parts: list[tuple[int, Any]] = [
        (1, row["process"]),
        (2, row["profiler_id"]),
        (3, 0),
        (4, 0),
        (5, row["name"]),
        (6, row["kernel"]),
        (7, row["name"]),
        (8, 3),
        (9, b"\x08\x00\x10\x00\x18\x00"),
        (10, triple["grid"]),
        (11, triple["block"]),
        *repeated(13, metrics),
        (14, WRITTEN),
        (15, b"\x08\x01"),
        (16, 0),
    ]
    if row["nvtx"] is not None:
        parts.append((21, ranges(row["nvtx"])))
    return message(*parts, (22, 1), (23, row["stream"]))


def results(frame: pl.DataFrame, gpu: SyntheticGpu) -> list[bytes]:
    """A block per launch, as the profiler writes them: each block's table has only the new names.

    Indices count through the tables of the whole file (seen in every real report with two results).
    """
    strings: dict[str, int] = {}
    blocks = []
    for row in frame.iter_rows(named=True):
        known = len(strings)
        entry = result(row, gpu, strings)
        blocks.append(block(strings=list(strings)[known:], entries=[entry]))
    return blocks
