"""Writes docs/evidence/ceilings.md: what kernels reach, what is typical, by matrix size and beside our own steps.

Everything is computed from knowledge/devices/achieved.toml and fixtures/measured.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import polars as pl

from ncu_roofline import api
from ncu_roofline.analysis.model.floor import floor
from ncu_roofline.analysis.model.footprint import Setting
from ncu_roofline.analysis.model.typical import of_launches
from ncu_roofline.capture.units import number
from ncu_roofline.knowledge.devices import gpus
from ncu_roofline.knowledge.devices.achieved import table
from ncu_roofline.knowledge.devices.gpu import Gpu
from ncu_roofline.knowledge.models import models

MEASURED = Path(__file__).parent.parent / "fixtures/measured"
SIZES = (
    ("8B: output", 4096, 4096),
    ("8B: QKV", 6144, 4096),
    ("8B: gate and up", 28672, 4096),
    ("8B: down", 4096, 14336),
    ("70B: output", 8192, 8192),
    ("70B: QKV", 10240, 8192),
    ("70B: gate and up", 57344, 8192),
    ("70B: down", 8192, 28672),
    ("LM head of 128k words, 8B", 128256, 4096),
)
"""Matrices of common models, by outputs and inputs."""


def page() -> str:
    """The whole page."""
    return (
        "\n\n".join((*INTRODUCTION, ceilings(), *FITS, fits(), *BY_SIZE, *sizes(), *OURS, kernels(), *STEPS, steps(), *LIMITS))
        + "\n"
    )


def lines(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table; columns of numbers to the right."""
    names, body = list(heads), [list(row) for row in rows]
    marks = ["--:" if cell[0].isdigit() else "---" for cell in body[0]]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (names, marks, *body))


def short(value: float) -> str:
    """Three digits."""
    return number(float(f"{value:.3g}"))


def ceilings() -> str:
    """The best that was seen, by device."""
    rows = []
    for name, row in table()["ceiling"].items():
        peak = gpus.find(name).bandwidth / 1e12
        best = row["bandwidth_tbs"]
        rows.append((name, f"{short(peak)}", f"{best}", f"{100 * best / peak:.0f} %", row["source"]))
    return lines(("GPU", "datasheet, TB/s", "ceiling, TB/s", "of it", "source"), rows)


def fits() -> str:
    """Every fit."""
    rows = [
        (
            ", ".join(r["gpus"]),
            r["what"],
            ", ".join(r["dtypes"]),
            str(r["start_us"]),
            str(r["bandwidth_tbs"]),
            f"{r['low']} to {r['high']}",
            r.get("borrowed", r["source"]),
        )
        for r in table()["typical"]
    ]
    return lines(("GPU", "what", "type", "start, µs", "TB/s", "measured over fitted", "source"), rows)


def sizes() -> Iterable[str]:
    """Per matrix the least and the typical time in 16 and 8 bits, and what halving the bytes gains."""
    for name in ("H100 SXM", "H200", "L40S"):
        gpu = gpus.find(name)
        heads = ("matrix", "N x K", "BF16 least, µs", "typical", "FP8 least", "typical", "bytes allow", "typical gain")
        yield f"**{name}**"
        yield lines(heads, (of_size(gpu, *size) for size in SIZES))


def of_size(gpu: Gpu, what: str, n: int, k: int) -> tuple[str, ...]:
    """One matrix."""
    wide, narrow = (gpu.achieved.fit("fc", dtype) for dtype in ("bf16", "fp8"))
    if wide is None or narrow is None:
        raise LookupError(gpu.name)
    each = [(width * n * k / gpu.bandwidth, fit.seconds(width * n * k)) for width, fit in ((2, wide), (1, narrow))]
    least = [short(1e6 * t) for t, _ in each]
    usual = [short(1e6 * t) for _, t in each]
    return what, f"{n} x {k}", least[0], usual[0], least[1], usual[1], "2x", f"{each[0][1] / each[1][1]:.2f}x"


CAPTURES = ("h100-dense-b8", "h100-dense-b8-flushed", "h100-dense-b32", "h100-dense-b128", "h100-fp8-b8", "h200-dense-b8")


def kernels() -> str:
    """Captures of our own: the least and the typical time of matrices and attention beside what they took, glue apart."""
    heads = ("capture", "kernels", "least, µs", "typical", "took", "typical over took")
    return lines(heads, (row for name in CAPTURES for row in of_capture(name)))


def of_capture(name: str) -> Iterable[tuple[str, ...]]:
    """One capture: FC, attention, and what is neither."""
    study = api.study(MEASURED / f"{name}.ncu-repz")
    if study.gpu is None:
        raise LookupError(name)
    rows = of_launches(study.launches, study.gpu, study.run)
    for what, where in (("FC", "fc"), ("attention", "attention")):
        mine = rows.filter(pl.col("family").cast(pl.String) == where)
        least = float(mine["dram_read_bytes"].sum()) / study.gpu.bandwidth
        usual, took = float(mine["typical_seconds"].sum()), float(mine["seconds"].sum())
        yield name, what, short(1e6 * least), short(1e6 * usual), short(1e6 * took), f"{usual / took:.2f}"
    glue = rows.filter(~pl.col("family").cast(pl.String).is_in(["fc", "attention"]))
    yield name, "glue", "–", "–", short(1e6 * float(glue["seconds"].sum())), "–"


def steps() -> str:
    """Steps of our own by graph replay, beside the least and the typical, glue as the difference."""
    rows = []
    model = models.load("llama-3.1-8b")
    for gpu in ("h100 sxm", "h200"):
        found = [json.loads(line) for line in (MEASURED / f"timings-{gpu[:4]}.jsonl").read_text().splitlines()]
        mine = [
            r for r in found if r["variant"] in ("dense", "fp8") and (r["shape"], r["layers"]) == (model.name, model.layers)
        ]
        rows += [of_step(gpu, r) for r in sorted(mine, key=lambda r: (r["variant"], r["batch"]))]
    heads = ("GPU", "variant", "batch", "context", "least, ms", "typical", "between", "measured step", "glue")
    return lines(heads, rows)


def of_step(gpu: str, row: dict[str, object]) -> tuple[str, ...]:
    """One measured step."""
    narrow = row["variant"] == "fp8"
    how = Setting(
        batch=int(str(row["batch"])),
        context=int(str(row["context"])),
        weights="fp8" if narrow else None,
        head="bf16" if narrow else None,
    )
    device = gpus.find(gpu)
    least = floor(models.load("llama-3.1-8b"), device, how)
    took, usual = float(str(row["seconds"])), least.typical
    if usual is None:
        raise LookupError(gpu)
    times = (least.step_seconds, usual.value)
    between = f"{short(1e3 * usual.low)} to {short(1e3 * usual.high)}"
    return (
        device.name,
        str(row["variant"]),
        str(how.batch),
        f"{how.context:,}",
        *(short(1e3 * t) for t in times),
        between,
        short(1e3 * took),
        short(1e3 * (took - usual.value)),
    )


INTRODUCTION = (
    "# What kernels reach",
    "*Generated by `make docs`: change `knowledge/devices/achieved.toml`, not this page.*",
    "Two different things, never mixed. The **ceiling** is the best that a real kernel was seen to reach on a device: gains are "
    "measured against it, since no kernel reaches the datasheet. **Typical** is what ordinary kernels take: `floor` and `compare` "
    "show it beside the least.",
    "## Ceilings",
    "A kernel of the capture that reads more than the L2 holds, lasts 20 µs or more and beats the table raises the ceiling, and "
    "that is said; `--ceiling 2.98TB/s` states one. A device without a row is measured against its datasheet, which is said too. "
    "What others reported and nobody here could check (no capture that we have of RTX 5090, RTX 3090 or GB10 comes near it, and none "
    "exceeds it) is called *reported* wherever it is used.",
)
FITS = (
    "## Typical: a start, then bytes",
    "A matrix or a layer's attention takes `start + bytes / bandwidth`. PUBLIC is the table of kernel times in "
    "ai-dynamo/aiconfigurator (Apache-2.0, commit 095f58a51, vLLM 0.24): matrices larger than the L2 at 1 to 64 rows, by the least "
    "relative error over one half of the matrices, and judged on the other half. The table is not part of this project; where it "
    "lies beside the repository, `python -m tools.fits` makes the fits again and the tests judge them. All BF16 times of the half "
    "that was not fitted lie within a factor of 1.3, and 86 to 99 % of the FP8 times: those outside are matrices of 51,200 inputs "
    "and more with few outputs, which no decode has. Each line below is within 7 % of what one half gives from 64 MB on (one half "
    "of BF16 gives 3.9 µs and 2.94 TB/s on H100, 3.8 µs and 4.02 TB/s on H200) and holds on all rows as well: 100 % of BF16, 90 to "
    "99 % of FP8. The spread is the 5th to the 95th percentile of measured over fitted time on the half that was not fitted. Up "
    "to 128 rows the fits hold (median 1.05 at 128); at 256 matrices take 1.2 to 1.3 times as long, so nothing is told beyond 128.",
)
BY_SIZE = (
    "## By size of the matrix",
    "The same halving of bytes gains less the smaller the matrix is, because the start stays, and that of FP8 is larger: "
    "its public times may hold the quantisation of the inputs. On H100 it gains 1.1x to 1.7x in the layers of an 8B model and 1.5x "
    'to 1.8x at a hidden size of 8,192; `ncu-roofline floor --model llama-3.1-8b --gpu "h100 sxm" --batch 8` prints it for any '
    "model, matrix by matrix with its spread. Where the bytes fit into the L2 (50 MB on H100 and H200, 96 on L40S) the row is the "
    "line extended: such a matrix was not fitted, and from half of the L2 down `floor` tells no gain.",
)
OURS = (
    "## Beside kernels of our own",
    "Four of 32 layers and the LM head, kernel by kernel (fixtures/measured). Helpers that finish a split product or a split cache "
    "are in what was taken, and have no typical time of their own: the fit is of whole products.",
)
STEPS = (
    "## Beside steps of our own",
    "Llama-3.1-8B shapes, one decode step of 32 layers by graph replay, no profiler (fixtures/measured). What stands between typical "
    "and measured is glue: norms, activations, sampling, quantisation of activations and the gaps between kernels.",
)
LIMITS = (
    "## How sure",
    "In our captures the typical time of FC and of attention is within 10 % of what they took, as shown above "
    "(`tests/analysis/model/test_typical.py` holds it there). What a grouped product of experts takes "
    "is not fitted: ours took 1.17 times the fit of whole matrices, and the spread is widened. Latent attention, state-space layers "
    "and other weight types than those listed have no typical time, and a step that has one of them shows none.",
)
