"""Writes docs/claims.md: every claim that users bring, what was expected, what bytes and clocks said: `python -m tools.claims`.

Bytes come from the captures in fixtures/measured, clocks from the timings beside them. Nothing is typed here but what was
expected, and why measurement says otherwise where it does.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ncu_roofline as nr
from ncu_roofline.capture.units import percent, text

ROOT = Path(__file__).parent.parent
MEASURED = ROOT / "fixtures" / "measured"
PAGE = ROOT / "docs" / "claims.md"
NONE = "no capture yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One decode step whose time was taken without a profiler, by graph replay."""

    device: str
    variant: str
    batch: int
    layers: int
    context: int
    seconds: float
    least_bytes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What is claimed of `head` beside `base`, and what measurement makes of it."""

    claim: str
    expected: str
    base: tuple[str, str, int]
    head: tuple[str, str, int]
    captures: tuple[str, str] | None = None
    vary: str = ""
    says: str


def steps() -> list[Step]:
    """Every line of the timings."""
    files = [MEASURED / f"timings-{name}.jsonl" for name in ("h100", "h200")]
    return [step(json.loads(line)) for file in files for line in file.read_text(encoding="utf-8").splitlines()]


def step(line: dict[str, Any]) -> Step:
    """One line of the timings."""
    return Step(
        device="H200" if "H200" in line["device"] else "H100",
        least_bytes=line["weight_bytes"] + line["kv_bytes"],
        **{key: line[key] for key in ("variant", "batch", "layers", "context", "seconds")},
    )


def timed(which: tuple[str, str, int], every: list[Step]) -> Step:
    """The whole-model step of a device, variant and batch: that with most layers."""
    device, variant, batch = which
    fitting = [s for s in every if (s.device, s.variant, s.batch) == (device, variant, batch)]
    return max(fitting, key=lambda s: s.layers)


def read_bytes(name: str) -> float:
    """DRAM bytes that the step of a capture read."""
    return float(nr.place(MEASURED / f"{name}.ncu-repz")["dram_read_bytes"].sum())


def change(base: float, head: float) -> str:
    """The change in per cent, with its sign."""
    return f"{'+' if head > base else '-' if head < base else ''}{percent(abs(head / base - 1))}"


def row(claim: Claim, every: list[Step]) -> tuple[str, ...]:
    """One line of the table."""
    base, head = timed(claim.base, every), timed(claim.head, every)
    clock = f"{text(base.seconds, 's')} → {text(head.seconds, 's')}, {base.seconds / head.seconds:.2f}x"
    return claim.claim, claim.expected, measured_bytes(claim, base, head), clock, claim.says


def measured_bytes(claim: Claim, base: Step, head: Step) -> str:
    """Bytes read of both captures; where there is none yet, that, and what the sizes say."""
    if claim.captures is None:
        same = base.least_bytes == head.least_bytes
        sizes = "the same size" if same else f"{change(base.least_bytes, head.least_bytes)} by size"
        return f"{NONE}; {sizes}"
    before, after = (read_bytes(name) for name in claim.captures)
    whole = change(base.least_bytes, head.least_bytes)
    return f"{text(before, 'byte')} → {text(after, 'byte')} read, {change(before, after)} (32 layers: {whole} by size)"


def commands(claim: Claim, every: list[Step]) -> list[str]:
    """What prints every number of a claim: the timings' lines, and where there are captures their reads and the comparison."""
    found = [line_of(timed(which, every)) for which in (claim.base, claim.head)]
    if claim.captures is None:
        return found
    base, head = (f"fixtures/measured/{name}.ncu-repz" for name in claim.captures)
    found += [f"ncu-roofline tokens {path} --tokens 1" for path in (base, head)]
    return [*found, f"ncu-roofline compare {base} {head}" + (f" --vary {claim.vary}" if claim.vary else "")]


def line_of(step: Step) -> str:
    """What prints a step's line of the timings."""
    told = f'"batch": {step.batch},.*"layers": {step.layers},.*"variant": "{step.variant}"'
    return f"grep '{told}' fixtures/measured/timings-{step.device.lower()}.jsonl"


def listed(every: list[Step]) -> str:
    """The commands of every claim and of batching, each once, under what they are for."""
    lines: list[str] = []
    for claim in CLAIMS:
        new = [command for command in commands(claim, every) if command not in lines]
        lines += [f"# {claim.claim}", *new] if new else []
    for batch in BATCHES:
        path = f"fixtures/measured/h100-dense-b{batch}.ncu-repz"
        both = [line_of(timed(h100("dense", batch), every))]
        both += [f"ncu-roofline tokens {path}"] if (ROOT / path).exists() else []
        lines += [f"# batch {batch}", *(command for command in both if command not in lines)]
    return "```sh\n" + "\n".join(lines) + "\n```"


def h100(variant: str, batch: int) -> tuple[str, str, int]:
    """A step on the H100."""
    return "H100", variant, batch


def weights(claim: str, expected: str, variant: str, batch: int, says: str, capture: str | None = None) -> Claim:
    """A claim on weights, against the dense step of the same batch."""
    pair = (f"h100-dense-b{batch}", capture) if capture else None
    return Claim(
        claim=claim,
        expected=expected,
        base=h100("dense", batch),
        head=h100(variant, batch),
        captures=pair,
        vary="weights",
        says=says,
    )


BATCHES = (1, 8, 32, 128)
FP8 = "under 25 % faster"
SPARSE = "about 1.25x"
CLAIMS = (
    weights("half of the weights zero, b8", "nothing", "zeroed", 8, "holds: zeros are read like any other byte"),
    weights("2:4 sparsity, b1", SPARSE, "sparse24", 1, "fails: the vendor's kernels take longer than they save"),
    weights("2:4 sparsity, b8", SPARSE, "sparse24", 8, "fails: fewer bytes, more time", "h100-sparse24-b8"),
    weights("2:4 sparsity, b32", SPARSE, "sparse24", 32, "fails: as at batch 8"),
    weights("FP8 W8A8, b1", FP8, "fp8", 1, "gains more than claimed"),
    weights("FP8 W8A8, b8", FP8, "fp8", 8, "gains more than claimed, less than its bytes allow", "h100-fp8-b8"),
    weights("FP8 W8A8, b32", FP8, "fp8", 32, "holds"),
    weights("INT4 weights, b1", "real: bytes fall", "int4", 1, "holds"),
    weights("INT4 weights, b8", "real: bytes fall", "int4", 8, "fails: this kernel (tinygemm) is made for batch 1"),
    Claim(
        claim="GQA: 8 KV heads for 32, b8",
        expected="real: the cache shrinks",
        base=h100("mha", 8),
        head=h100("dense", 8),
        says="holds",
    ),
    Claim(
        claim="experts of half of the layers skipped, not read, b8",
        expected="real: bytes fall",
        base=("H200", "moe", 8),
        head=("H200", "moe-skip", 8),
        says="holds",
    ),
    Claim(
        claim="the same, experts read before the skip is known",
        expected="nothing",
        base=("H200", "moe", 8),
        head=("H200", "moe-skip-read", 8),
        says="open: faster in time, though the same bytes are to be read. The prefetch runs beside other kernels; a capture is lacking",
    ),
    Claim(
        claim="H200 for H100, dense b8",
        expected="1.43x, as the bandwidth",
        base=h100("dense", 8),
        head=("H200", "dense", 8),
        captures=("h100-dense-b8", "h200-dense-b8"),
        vary="device",
        says="gains less than the bandwidth: fixed parts of kernels do not scale",
    ),
)


def batches(every: list[Step]) -> list[tuple[str, ...]]:
    """Batching: bytes and time per token of the dense step, and what the capture of four layers read per token."""
    rows: list[tuple[str, ...]] = []
    for batch in BATCHES:
        found = timed(h100("dense", batch), every)
        capture = f"h100-dense-b{batch}"
        there = (MEASURED / f"{capture}.ncu-repz").exists()
        read = text(read_bytes(capture) / batch, "byte") if there else NONE
        rows.append(
            (
                str(batch),
                f"{found.context:,}",
                text(found.least_bytes / batch, "byte"),
                read,
                text(found.seconds, "s"),
                text(found.seconds / batch, "s"),
            )
        )
    return rows


def page() -> str:
    """The whole page."""
    every = steps()
    return (
        "\n\n".join(
            [
                "# Claims",
                "*Written by `python -m tools.claims` from [fixtures/measured](../fixtures/measured/README.md).*",
                "What users are told speeds up decode, and what one H100 and one H200 said. **Bytes** are DRAM reads of one whole step of "
                "4 layers, from the profiler. **Clocks** are one step of 32 layers (MoE 24) without a profiler, by graph replay, context 2,048. "
                "One machine, one version of each library: another kernel may do better.",
                table(("claim", "expected", "bytes", "clock", "measurement says"), [row(claim, every) for claim in CLAIMS]),
                "## Batching",
                "The same weights serve every sequence of a step, so bytes per token fall as 1 / batch until the cache weighs more.",
                table(
                    ("batch", "context", "least per token, 32 layers", "read per token, 4 layers", "step", "per token"),
                    batches(every),
                ),
                "At batch 128 the context is 1,024.",
                "## What prints every number",
                "In a clone of the project. `grep` prints the line of a step: `seconds` is the clock, `weight_bytes` + `kv_bytes` the size. "
                "`tokens --tokens 1` prints what the whole step of a capture read, `tokens` alone what it read per token, and `compare` the verdict.",
                listed(every),
            ]
        )
        + "\n"
    )


def table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A GitHub table."""
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    """Writes the page."""
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
