"""Writes docs/steps.md: one step as kernels, as one graph and without a profiler, and every timing beside its floor.

`python -m tools.steps`. Bytes and kernel times come from the captures in fixtures/measured, clocks from the timings beside
them, floors from `analysis/model`; nothing is typed here but words.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

import ncu_roofline as nr
from ncu_roofline.analysis.model.floor import Floor, floor
from ncu_roofline.analysis.model.footprint import Setting
from ncu_roofline.capture.units import percent, text
from ncu_roofline.knowledge.devices import gpus
from ncu_roofline.knowledge.devices.gpu import Gpu
from ncu_roofline.knowledge.models import models
from ncu_roofline.knowledge.models.config import parse
from tools.claims import MEASURED, table

PAGE = Path(__file__).parent.parent / "docs" / "steps.md"
WHOLE = "h200-whole-dense8-moe8-dense32"
TYPES = {"fp8": ("fp8", "bf16"), "sparse24": ("sparse24", "bf16"), "int4": ("int4", "bf16")}
"""Variant of the workload -> the type of its weights, and of its LM head."""
Line = dict[str, Any]


def lines() -> list[Line]:
    """Every line of the timings, the device by its name in the table of GPUs."""
    found = [
        json.loads(line) for name in ("h100", "h200") for line in (MEASURED / f"timings-{name}.jsonl").read_text().splitlines()
    ]
    return [line | {"gpu": "h200" if "H200" in line["device"] else "h100"} for line in found]


def least(line: Line) -> Floor:
    """The floor of a line: its model with as many layers and cache heads as it ran."""
    config = parse(models.CONFIGS / f"{line['shape']}.json")
    config |= {"num_hidden_layers": line["layers"], "num_key_value_heads": line["kv_heads"]}
    model = models.from_config(config, line["shape"])
    weights, head = TYPES.get(line["variant"], (None, None))
    setting = Setting(batch=line["batch"], context=line["context"], weights=weights, head=head)
    return floor(model, gpus.found(line["gpu"]), setting)


def command(line: Line) -> str:
    """What prints the floor beside the step of a line that runs a published model as it is."""
    if line["variant"] not in ("dense", "zeroed", *TYPES) or line["layers"] != 32:
        return ""
    weights, head = TYPES.get(line["variant"], ("", ""))
    types = f" --weights {weights} --head {head}" if weights else ""
    setting = f"--model {line['shape']} --gpu {line['gpu']} --batch {line['batch']} --context {line['context']}{types}"
    return f"ncu-roofline floor {setting} --step-time {line['seconds'] * 1e3:.3f}ms"


def timing(line: Line) -> tuple[str, ...]:
    """One line beside its floor."""
    what = f"{line['shape']} {line['variant']}"
    what += " (without its scales)" if line["variant"] == "int4" else ""
    told = (line["gpu"].upper(), what, str(line["layers"]), str(line["batch"]), f"{line['context']:,}")
    clocks = (text(line["seconds"], "s"), text(line["seconds_eager"], "s"))
    if line["variant"] == "moe-skip":  # a floor knows no skipped layers: the bytes are those of the workload itself
        bytes_ = line["weight_bytes"] + line["kv_bytes"]
        seconds = bytes_ / gpus.found(line["gpu"]).bandwidth
    else:
        found = least(line)
        bytes_, seconds = found.bytes, found.step_seconds
    share = percent(seconds / line["seconds"])
    return (*told, text(bytes_, "byte"), text(seconds, "s"), *clocks, f"{line['seconds'] / seconds:.2f}", share)


def rows(name: str) -> pl.DataFrame:
    """The launches of a capture."""
    return nr.place(MEASURED / f"{name}.ncu-repz")


def kernels(name: str, what: str) -> tuple[str, ...]:
    """A step as the sum of its kernels under the profiler: bytes read and written, time, and the reads over it."""
    columns = ("dram_read_bytes", "dram_write_bytes", "seconds")
    read, written, seconds = (float(rows(name)[c].sum()) for c in columns)
    share = reached(read, seconds, gpus.found(name[:4]))
    return what, "kernels one by one, profiled", digits(read), text(written, "byte"), text(seconds, "s"), share


def digits(bytes_: float) -> str:
    """Bytes with four digits: the two measurements differ in the fourth."""
    return f"{bytes_ / 1e9:.3f} GB"


def reached(read: float, seconds: float, gpu: Gpu) -> str:
    """The share of the bandwidth at which these bytes pass in this time."""
    return percent(read / seconds / gpu.bandwidth)


def story() -> list[tuple[str, ...]]:
    """The same step, measured in every way that there is a measurement of."""
    small = next(line for line in lines() if line["layers"] == 4)
    read = float(rows("h100-dense-b8")["dram_read_bytes"].sum())
    gpu = gpus.found("h100")
    one = "H100, dense b8, 4 layers"
    clocks = [
        (one, how, "–", "–", text(small[key], "s"), reached(read, small[key], gpu))
        for how, key in (("graph replay, no profiler", "seconds"), ("launched one by one, no profiler", "seconds_eager"))
    ]
    graphs = rows(WHOLE)
    two = "H200, dense b8, 4 layers"
    took = text(float(nr.read(MEASURED / f"{WHOLE}.ncu-repz").launches["m:gpu__time_duration.sum"][0]), "s")
    moved = digits(float(graphs["dram_read_bytes"][0])), text(float(graphs["dram_write_bytes"][0]), "byte")
    graph = (two, "one graph, profiled", *moved, f"({took})", "–")
    return [kernels("h100-dense-b8", one), *clocks, kernels("h200-dense-b8", two), graph]


WORDS = """\
The same decode step, measured in four ways, gives four times and two amounts of bytes. None is wrong; each answers another
question.

- **Kernels one by one, profiled** tell *where* bytes and time go, and reads to 0.1 % of the graph's. Their times add up to
  more than the replayed graph takes (each kernel runs alone) and to less than a step launched one by one takes.
  Writes are too high: saving, restoring and earlier passes leave lines that are written back inside a kernel.
- **One graph, profiled** tells *how many* bytes a step reads and writes, in one pass. Its time is no time of a step.
- **Graph replay without a profiler** is how long a step takes on an engine that uses CUDA graphs.
- **Launched one by one without a profiler** is how long it takes where the host launches every kernel: here the host is
  slower than the GPU.

So take bytes from the profiler and time from the clock: `--step-time` on `summary`, `tokens`, `compare` and `floor` states
it, `ncu-roofline step TRACE --with CAPTURE` reads it from a trace."""


def page() -> str:
    """The whole page."""
    every = lines()
    small = next(line for line in every if line["layers"] == 4)
    shown = [
        f"ncu-roofline tokens fixtures/measured/h100-dense-b8.ncu-repz --step-time {small['seconds'] * 1e3:.3f}ms",
        *(c for line in every if (c := command(line))),
    ]
    heads = ("step", "how", "read", "written", "time", "of the bandwidth")
    columns = (
        "GPU",
        "model and variant",
        "layers",
        "batch",
        "context",
        "least bytes",
        "floor",
        "step, graph replay",
        "launched one by one",
        "times the floor",
        "of the bandwidth",
    )
    parts = [
        "# Kernel sums against the step",
        "*Written by `python -m tools.steps` from [fixtures/measured](../fixtures/measured/README.md).*",
        WORDS,
        table(heads, story()),
        "Shares of the bandwidth are the bytes read by the kernels over each time.",
        "## Every timing beside its floor",
        "One whole step without a profiler. The floor is what `ncu-roofline floor` says of the same model, types, batch and "
        "context; of skipped experts it knows nothing, so there the bytes are those of the workload. Floors of a mixture of "
        "experts take even routing, and those of INT4 leave out its scales (4 % of the bytes). The last column is the floor over the step by graph replay.",
        table(columns, [timing(line) for line in every]),
        "The commands that print it:",
        "```sh\n" + "\n".join(shown) + "\n```",
    ]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Writes the page."""
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
