"""Writes the CSV pages that the profiler prints of a plan: raw, details and `--metrics` rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from tests.synthetic.frame import decode_run
from tests.synthetic.models import Plan
from tests.synthetic.report import attributes, profiled

ID = (
    "ID",
    "Process ID",
    "Process Name",
    "Host Name",
    "Kernel Name",
    "Context",
    "Stream",
    "Block Size",
    "Grid Size",
    "Device",
    "CC",
)
NVTX = (
    "thread Domain:Push/Pop_Range:PL_Type:PL_Value:CLR_Type:Color:Msg_Type:Msg",
    "Id:Domain:Start/Stop_Range:PL_Type:PL_Value:CLR_Type:Color:Msg_Type:Msg",
)
LONG = ("Section Name", "Metric Name", "Metric Unit", "Metric Value")
RULES = ("Rule Name", "Rule Type", "Rule Description", "Estimated Speedup Type", "Estimated Speedup")
LABELS = {
    "gpu__time_duration.sum": "Duration",
    "sm__cycles_elapsed.avg.per_second": "SM Frequency",
    "dram__cycles_elapsed.avg.per_second": "DRAM Frequency",
    "sm__cycles_elapsed.max": "Elapsed Cycles",
    "launch__waves_per_multiprocessor": "Waves Per SM",
}
SCALES = {
    "ns": ((1e9, "s"), (1e6, "ms"), (1e3, "us")),
    "byte": ((1e12, "Tbyte"), (1e9, "Gbyte"), (1e6, "Mbyte"), (1e3, "Kbyte")),
    "hz": ((1e9, "Ghz"), (1e6, "Mhz")),
}


def unit(name: str) -> str:
    """The profiler's base unit of a metric."""
    if "pct_of_peak" in name:
        return "%"
    for part, found in (
        ("time_duration", "ns"),
        ("cycles_elapsed.avg.per_second", "hz"),
        ("sectors", "sector"),
        ("bytes.sum.peak", "byte/cycle"),
        ("bytes", "byte"),
        ("cycles_", "cycle"),
        ("per_cycle_elapsed", "inst/cycle"),
        ("_inst_", "inst"),
    ):
        if part in name:
            return found
    return ""


def shown(name: str, value: Any, base: bool) -> tuple[str, str]:
    """Unit and number as printed: scaled by thousands and rounded, or in base units."""
    kind = unit(name)
    if isinstance(value, list):
        value = sum(item["value"] for item in value)
    for factor, scaled in () if base else SCALES.get(kind, ()):
        if value >= factor:
            return scaled, f"{value / factor:.2f}"
    whole = isinstance(value, int) or float(value).is_integer()
    return kind, f"{value:,.0f}" if whole else f"{value:,.{6 if base else 2}f}"


def identity(row: dict[str, Any], plan: Plan) -> list[str]:
    """The cells that name a launch."""
    sizes = [f"({', '.join(map(str, row[key]))})" for key in ("block", "grid")]
    cells = [row["profiler_id"], row["process"], "python3", "127.0.0.1", row["name"], 1, row["stream"]]
    found = [str(cell) for cell in cells] + sizes + ["0", f"{plan.gpu.major}.{plan.gpu.minor}"]
    if row["nvtx"] is None:
        return found
    stack = "".join(f'"<default domain>:{name}:none:none:none:none:none:none"' for name in row["nvtx"])
    return [*found[:4], f"{row['process']}  {stack}" if stack else "", "", *found[4:]]


def header(plan: Plan) -> list[str]:
    """Names of the cells that name a launch."""
    return [*ID[:4], *(NVTX if plan.nvtx else ()), *ID[4:]]


def rows_of(plan: Plan, frame: pl.DataFrame | None) -> Iterator[tuple[list[str], dict[str, Any]]]:
    """Each launch's identity and its metrics, device attributes not among them."""
    for row in (decode_run(plan) if frame is None else frame).iter_rows(named=True):
        yield identity(row, plan), dict(sorted(profiled(row).items()))


def written(path: Path | str, rows: list[list[str]]) -> Path:
    """The rows as ncu prints them after what it says about the process: every cell quoted."""
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    said = "==PROF== Connected to process 4242 (python3)\n==PROF== Disconnected from process 4242\n"
    Path(path).write_text(said + text.getvalue(), encoding="utf-8")
    return Path(path)


def write_raw_csv(path: Path | str, plan: Plan, *, frame: pl.DataFrame | None = None, base: bool = False) -> Path:
    """`--page raw --csv`: a column per metric, units in the second row, attributes among them."""
    launches = list(rows_of(plan, frame))
    measured = {name: unit(name) for _, metrics in launches for name in metrics}
    scaled = {
        name: shown(name, max(m.get(name, 0.0) for _, m in launches), base)[0]
        if not isinstance(launches[0][1].get(name), list)
        else ""
        for name in measured
    }
    constant = {name: str(content) for name, content in attributes(plan.gpu).items()}
    names = sorted([*measured, *constant])
    units = [scaled.get(name, "") for name in names]
    first = header(plan)
    body = [
        cells + [constant.get(name) or in_unit(name, metrics.get(name), scaled[name]) for name in names]
        for cells, metrics in launches
    ]
    return written(path, [first + names, [""] * len(first) + units, *body])


def in_unit(name: str, value: Any, scaled: str) -> str:
    """The number in the unit of its column; `no data` where it was not collected."""
    if value is None:
        return "no data"
    factor = next((f for f, label in SCALES.get(unit(name), ()) if label == scaled), None)
    return f"{value / factor:,.6f}" if factor else shown(name, value, base=True)[1]


def write_metrics_csv(path: Path | str, plan: Plan, *, frame: pl.DataFrame | None = None, base: bool = False) -> Path:
    """`--metrics ... --csv`: a row per launch and metric under the metric's own name."""
    rows = [
        [*cells, "Command line profiler metrics", name, *shown(name, value, base)]
        for cells, metrics in rows_of(plan, frame)
        for name, value in metrics.items()
        if not name.startswith("launch__")
    ]
    return written(path, [[*header(plan), *LONG], *rows])


def write_details_csv(path: Path | str, plan: Plan, *, frame: pl.DataFrame | None = None, base: bool = False) -> Path:
    """`--page details --csv`: labels of sections, metric rows shorter than the header, rule rows."""
    rows: list[list[str]] = []
    for cells, metrics in rows_of(plan, frame):
        rows += [
            [*cells, "GPU Speed Of Light Throughput", LABELS[name], *shown(name, value, base), ""]
            for name, value in metrics.items()
            if name in LABELS
        ]
        rows += [
            [*cells, "Command line profiler metrics", name, *shown(name, value, base), ""]
            for name, value in metrics.items()
            if name not in LABELS and not name.startswith("launch__")
        ]
        rule = ["SOLBottleneck", "OPT", "Synthetic: no rule was run.", "", ""]
        rows.append([*cells, "SpeedOfLight", "", "", "", *rule])
    return written(path, [[*header(plan), *LONG, *RULES], *rows])
