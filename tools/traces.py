"""Writes docs/traces.md: what `step` says of every public trace beside its manifest: `python -m tools.traces`.

The traces are not part of this repository; without them nothing is written.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

from ncu_roofline.analysis.timeline.gaps import gaps
from ncu_roofline.analysis.timeline.steps import Stepped, stepped
from ncu_roofline.capture.units import percent, text
from ncu_roofline.errors import UnreadableCapture
from ncu_roofline.readers.timeline.timeline import read
from tools.claims import table

ROOT = Path(__file__).parent.parent
TRACES = ROOT.parent / "shared" / "corpus" / "traces"
PAGE = ROOT / "docs" / "traces.md"


def manifest() -> list[dict[str, str]]:
    """What is known of each trace."""
    return list(csv.DictReader((TRACES / "manifest.tsv").read_text(encoding="utf-8").splitlines(), delimiter="\t"))


def decode_steps(row: dict[str, str]) -> int | None:
    """Decode steps of a trace, where its manifest counts any."""
    found = re.match(r"(\d+)", row["decode_steps"])
    training = re.search(r"forward pass\b|prefill", row["decode_steps"]) and not row["decode_steps"].startswith("65")
    return int(found[1]) if found and int(found[1]) and not training else None


def told(row: dict[str, str]) -> tuple[str, ...]:
    """One trace: kernels and their time here and there, and what is said of its steps."""
    source = f"{row['repo']}: {row['path'].rpartition('/')[2]}"
    try:
        found = stepped(read(TRACES / row["file"]))
    except UnreadableCapture as error:
        return source, row["kind"], f"refused: {str(error).partition(': ')[2]}", *("",) * 6
    kernels, micro = found.kernels.height, found.kernel_seconds * 1e6
    same = kernels == int(row["kernel_events"]) and abs(micro - float(row["total_kernel_us"])) < 1e-3 * max(micro, 1)
    counted = f"{kernels:,}" if same else f"{kernels:,} of {int(row['kernel_events']):,}"
    return (source, row["kind"], counted, text(found.kernel_seconds, "s"), *of_steps(found, row))


def of_steps(found: Stepped, row: dict[str, str]) -> tuple[str, ...]:
    """Steps, their time, and how busy the GPU is."""
    known, steps = decode_steps(row), found.steps
    number = f"{steps.value:,}" if steps.value is not None else f"at least {steps.low:g}" if steps.low else "none told"
    waits = gaps(found).waits
    return (
        number,
        "–" if known is None else f"{known:,}",
        text(found.median, "s"),
        "–" if found.busy is None else percent(found.busy),
        "–" if waits is None else percent(waits),
    )


def page() -> str:
    """The whole page."""
    heads = (
        "trace",
        "kind",
        "kernels",
        "kernel time",
        "decode steps",
        "known",
        "step, median",
        "GPU busy",
        "idle for late launches",
    )
    rows = [told(row) for row in manifest()]
    refused = sum(r[2].startswith("refused") for r in rows)
    parts = [
        "# Public traces",
        "*Written by `python -m tools.traces` from public traces that are not part of this repository.*",
        f"{len(rows)} traces and sums of PyTorch's profiler and Nsight Systems, {len(rows) - refused} of them read; kernels and kernel "
        "time are those that an independent count found, unless two numbers stand there. Decode steps are known of those traces "
        "whose authors tell them; training, prompts and micro-benchmarks have none.",
        table(heads, rows),
    ]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Writes the page."""
    if not TRACES.is_dir():
        raise SystemExit("the public traces are not on this machine")
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
