"""Reading a trace of 1 GB: `python -m bench.traces [--save]` writes bench/traces.md.

The trace is a public one of vLLM, its events repeated until it has the size; it is removed afterwards. Each reader runs in
a process of its own, counts kernels and adds up their time, and must come to the same. Seconds are those of the processor.
"""

from __future__ import annotations

import gzip
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from bench.readers import machine

SOURCE = Path(__file__).parents[2] / "shared" / "corpus" / "traces" / "nvllm_gb10_vllm_qwen3.5-27b-nvfp4_decode_b4.json.gz"
PAGE = Path(__file__).with_name("traces.md")
SIZE = 10**9


def grown(path: Path, size: int) -> int:
    """Writes the trace at this size; how often its events are in it."""
    text = gzip.decompress(SOURCE.read_bytes())
    begin = text.index(b"[", text.index(b'"traceEvents"')) + 1
    end = text.rindex(b"]", 0, text.index(b'"traceName"') if b'"traceName"' in text else len(text))
    times = -(-size // (end - begin))
    with path.open("wb") as file:
        file.write(text[:begin])
        for number in range(times):
            file.write(b"," * (number > 0) + text[begin:end])
        file.write(text[end:])
    return times


def ours(path: Path) -> tuple[int, float]:
    """The reader of this project."""
    from ncu_roofline.readers.timeline.timeline import read

    kernels = read(path).events.filter(kind="kernel")
    return kernels.height, float(kernels["nanoseconds"].sum()) / 1e3


def whole(path: Path) -> tuple[int, float]:
    """All of `step`: reading, steps, gaps and the answer."""
    from ncu_roofline.analysis.timeline.gaps import gaps
    from ncu_roofline.analysis.timeline.steps import stepped
    from ncu_roofline.present.documents.step import document
    from ncu_roofline.readers.timeline.timeline import read

    found = stepped(read(path))
    told = document(found, gaps(found)).data
    return told["kernels"], told["kernel_seconds"] * 1e6


def by_ijson(path: Path) -> tuple[int, float]:
    """ijson over its C library: one event at a time, in little memory."""
    import ijson  # type: ignore[import-untyped]

    with path.open("rb") as file:
        return counted(ijson.items(file, "traceEvents.item", use_float=True))


def by_orjson(path: Path) -> tuple[int, float]:
    """orjson, the fastest common parser, on the whole file."""
    import orjson

    return counted(orjson.loads(path.read_bytes())["traceEvents"])


def by_json(path: Path) -> tuple[int, float]:
    """The standard library on the whole file, as most scripts do it."""
    import json

    with path.open(encoding="utf-8") as file:
        return counted(json.load(file)["traceEvents"])


def counted(events: Iterable[dict[str, Any]]) -> tuple[int, float]:
    """Kernels and their microseconds."""
    sizes = [event["dur"] for event in events if event.get("cat") == "kernel" and event.get("ph") == "X"]
    return len(sizes), float(sum(sizes))


READERS: dict[str, Callable[[Path], tuple[int, float]]] = {
    "ours (msgspec, in pieces)": ours,
    "ours, and all of `step` after it": whole,
    "ijson (yajl, one event at a time)": by_ijson,
    "orjson (whole file)": by_orjson,
    "json (whole file)": by_json,
}


def measured(name: str, path: Path) -> tuple[float, float, int, float]:
    """Seconds of the processor, peak GB, kernels and their microseconds, of a process of its own."""
    done = subprocess.run([sys.executable, "-m", "bench.traces", name, str(path)], check=True, capture_output=True, text=True)
    seconds, peak, kernels, micro = done.stdout.split()
    return float(seconds), float(peak), int(kernels), float(micro)


def one(name: str, path: Path) -> None:
    """Prints the same, inside that process."""
    begin = time.process_time()
    kernels, micro = READERS[name](path)
    seconds = time.process_time() - begin
    print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, kernels, micro)


def page(size: int = SIZE) -> str:
    """Every reader on the same file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        times = grown(path, size)
        bytes_ = path.stat().st_size
        rows = [(name, *measured(name, path)) for name in READERS]
    if len({(kernels, round(micro)) for *_, kernels, micro in rows}) != 1:
        raise SystemExit(f"the readers disagree: {rows}")
    lines = ["| reader | seconds | MB/s | peak memory |", "| --- | --- | --- | --- |"]
    lines += [f"| {name} | {s:.1f} | {bytes_ / 1e6 / s:.0f} | {peak:.2f} GB |" for name, s, peak, *_ in rows]
    return "\n".join(
        [
            "# Reading a trace of 1 GB",
            "",
            f"Written by `python -m bench.traces --save` on {machine()}.",
            "",
            f"{bytes_ / 1e9:.2f} GB of JSON: the events of a public vLLM trace {times} times over, {rows[0][3]:,} kernels. Each "
            "reader in a process of its own, on one core; seconds are those of the processor. All count the same kernels and the "
            "same time.",
            "",
            *lines,
            "",
        ]
    )


def main(arguments: list[str]) -> None:
    """One reader on one file, or all of them."""
    if len(arguments) == 2:
        one(arguments[0], Path(arguments[1]))
        return
    if not SOURCE.is_file():
        raise SystemExit("the public traces are not on this machine")
    written = page()
    print(written)
    if "--save" in arguments:
        PAGE.write_text(written, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
