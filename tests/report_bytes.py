"""Bytes of small reports, written field by field: what the reader must understand, and what breaks it."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.synthetic.wire import field as field
from tests.synthetic.wire import varint

Number = float | int | str | None

ATTRIBUTES: dict[str, Number] = {
    "device__attribute_display_name": "NVIDIA Test",
    "device__attribute_compute_capability_major": 9,
    "device__attribute_compute_capability_minor": 0,
    "device__attribute_multiprocessor_count": 4,
    "device__attribute_fb_bus_width": 64,
    "device__attribute_max_gpu_frequency_khz": 1_000_000,
}
TIMED: dict[str, Number] = {"gpu__time_duration.sum": 2000.0, **ATTRIBUTES}
VERSION = "2025.1.0.0 (build 1) (public-release)"


def value(content: Number) -> bytes:
    """A metric value: 1 text, 3 double, 5 uint64; empty for none."""
    if content is None:
        return b""
    if isinstance(content, float):
        return varint(3 << 3 | 1) + struct.pack("<d", content)
    return field(5 if isinstance(content, int) else 1, content)


def metric(index: int, content: Number, instances: Mapping[str, Number] | None = None) -> bytes:
    """A metric by its place in the name table."""
    pairs = (instances or {}).items()
    listed = b"".join(field(3, field(1, value(k)) + field(2, value(v))) for k, v in pairs)
    return field(13, field(1, index) + field(2, value(content)) + listed)


def extent(x: int, y: int, z: int) -> bytes:
    """A grid or block size."""
    return field(1, x) + field(2, y) + field(3, z)


def launch(metrics: bytes, *, kernel: str = "k", grid: tuple[int, int, int] = (2, 1, 1), more: bytes = b"") -> bytes:
    """One launch of a kernel."""
    names = field(5, f"_Z{kernel}") + field(6, kernel) + field(7, f"{kernel}(int)")
    return field(1, 77) + names + field(10, extent(*grid)) + field(11, extent(32, 1, 1)) + metrics + more


def entry(content: bytes) -> bytes:
    """An entry of a block's payload."""
    return struct.pack("<I", len(content)) + content


def block(
    *, launches: Sequence[bytes] = (), names: Sequence[str] = (), session: bytes = b"", sources: Sequence[bytes] = ()
) -> bytes:
    """A block with its header, string table and entries."""
    payload = b"".join(map(entry, [*sources, *launches]))
    table = b"".join(field(1, name) for name in names)
    process = field(1, 77) + field(2, "secret-host") + field(3, "/home/secret/app")
    header = field(1, len(sources)) + field(2, len(launches)) + (field(3, session) if session else b"")
    header += field(4, table) + field(5, len(payload)) + field(6, process)
    return entry(header) + payload


def session(command: str = "", version: str = VERSION) -> bytes:
    """Session details with a private host in them."""
    versions = field(8, field(1, "Nsight Compute Target") + field(2, version))
    host = field(4, field(5, "secret-host") + field(7, field(1, "10.1.2.3")))
    environment = field(9, field(1, "/home/secret/app") + field(4, "USER=secret"))
    return host + versions + environment + (field(11, command) if command else b"")


def report(*blocks: bytes, version: int = 7) -> bytes:
    """A whole report."""
    return b"NVR\0" + entry(field(1, version)) + b"".join(blocks)


def simple(values: Mapping[str, Number] | None = None, *, copies: int = 1, **how: object) -> bytes:
    """A report of equal launches with these metrics, on the test device."""
    values = {**TIMED, **(values or {})}
    metrics = b"".join(metric(n, v) for n, v in enumerate(values.values()))
    made = [launch(metrics, **how) for _ in range(copies)]  # type: ignore[arg-type]
    return report(block(launches=made, names=list(values), session=session("ncu --set full ./a.out")))


def saved(folder: Path, content: bytes, name: str = "r.ncu-rep") -> Path:
    """The bytes as a file."""
    path = folder / name
    path.write_bytes(content)
    return path


def varied(launches: int = 6) -> bytes:
    """A report with every part the reader knows: opcodes, NVTX, texts, sources, several blocks and sessions."""
    names = [*TIMED, "dram__bytes_read.sum", "sass__inst_executed_per_opcode_with_modifier_all", "unused.sum"]
    common = b"".join(metric(n, v) for n, v in enumerate(TIMED.values()))
    at = len(TIMED)
    ranges = field(2, field(1, 0) + field(3, field(1, "decode")) + field(3, field(1, "layer")))
    nvtx = field(21, field(1, field(1, 0) + field(2, "domain")) + field(2, field(1, 77) + ranges))
    made = [
        launch(
            common + metric(at, 64.0 * n) + metric(at + 1, 12, {"HMMA.16816.F32": 8, "FFMA": 4}) + metric(at + 2, n),
            kernel=f"kernel_{n}",
            more=nvtx + field(17, b"section" * 20),
        )
        for n in range(launches)
    ]
    told = session("ncu --set full --nvtx -k regex:kernel ./app")
    return report(
        block(session=told),
        block(sources=[b"cubin" * 50]),
        *(block(launches=[each], names=names if not n else []) for n, each in enumerate(made)),
        block(session=session()),
    )
