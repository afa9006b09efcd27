"""The columns of a fleet's two tables: `runs`, a row per capture and role, and what `launches` have beside their own."""

from __future__ import annotations

import polars as pl

from ncu_roofline.capture.schema import BOOL, F64, I64, STR, Column
from ncu_roofline.capture.tables import NEVER

SCHEMA_VERSION = 1
"""Of both tables; a later one may add columns, which are then null in older rows."""
MOMENT = pl.Datetime("us", "UTC")
UNTOLD = "nobody told it"
FAILED = "the capture could not be read"
UNSUMMED = "no launch of the row tells it, or the capture could not be read"

ORIGIN = (
    Column("schema", I64, "", "version of the table that the row was written in", NEVER),
    Column(
        "id", STR, "", "first half of the SHA-256 of the file: the same content has the same id", "the file could not be opened"
    ),
    Column("capture", STR, "", "file name of the capture, without folders", NEVER),
    Column("when", MOMENT, "", "when the capture was taken, UTC", "the file could not be opened"),
    Column("when_source", STR, "", "who says so: given, report, or file (the time of the file)", "nobody"),
    Column("commit", STR, "", "commit that was measured", UNTOLD),
    Column("commit_time", MOMENT, "", "time of that commit, UTC", UNTOLD),
    Column("branch", STR, "", "branch", UNTOLD),
    Column("label", STR, "", "a word of the team's own", UNTOLD),
    Column("engine", STR, "", "engine that ran the model", UNTOLD),
    Column("facts", STR, "", "device, run and notes as in the footer of a saved capture, JSON", FAILED),
    Column("reason", STR, "", "why the capture could not be read", "it could"),
)
"""Whence a row is. `when`, `commit_time`: ISO 8601 on the command line."""

SETTING = (
    Column("model", STR, "", "model", UNTOLD),
    Column("device", STR, "", "GPU", "the capture does not tell"),
    Column("batch", I64, "", "sequences per step", "unknown"),
    Column("context", I64, "", "cached tokens per sequence", "unknown"),
    Column("layers", I64, "", "layers of a step", "unknown"),
    Column("weights", STR, "", "type of the weights", "unknown"),
    Column("kv", STR, "", "type of the cache", "unknown"),
    Column("tp", I64, "", "GPUs that share every matrix", "unknown"),
    Column("accepted", F64, "", "tokens per sequence and step", "unknown"),
    Column("inferred", STR, "", "which of these facts the capture's own counters told, with commas", "none"),
    Column("protocol", STR, "", "how was measured: caches, clocks, replay, graphs, source of bytes", FAILED),
    Column("profiler", STR, "", "version of Nsight Compute", "unknown"),
    Column("driver", STR, "", "version of the driver", "unknown"),
    Column("cuda", STR, "", "version of CUDA", "unknown"),
    Column("synthetic", BOOL, "", "whether the numbers are made up", NEVER),
    Column("phase", STR, "", "launches that count: decode, prefill or all", FAILED),
    Column("basis", STR, "", "what `divisor` makes numbers of: token, step, layer, part or capture", FAILED),
    Column("divisor", F64, "", "a sum over it is the number per token (or step) of one GPU", FAILED),
    Column("tokens", F64, "", "tokens that the launches made", "unknown"),
    Column("steps", F64, "", "steps that the launches are", "unknown"),
    Column("gpus", I64, "", "GPUs in the capture", FAILED),
    Column("coverage", F64, "", "part of the capture's time that counts", "time was not measured", form="percent"),
    Column("unknown", STR, "", "conditions that nothing tells and that a verdict rests on, with commas", "none"),
)
"""What ran, and how it was measured."""

SUMS = (
    Column("role", STR, "", "what the launches are for", FAILED),
    Column("launches", I64, "", "launches in the row", FAILED),
    Column("bytes", F64, "byte", "DRAM bytes, both ways, all GPUs of the capture", UNSUMMED),
    Column("read_bytes", F64, "byte", "of these, read", UNSUMMED),
    Column("write_bytes", F64, "byte", "of these, written: the profiler's own too", UNSUMMED),
    Column("seconds", F64, "s", "time", UNSUMMED, heading="time"),
    Column("flops", F64, "FLOP", "operations executed, padding included", UNSUMMED),
    Column("useful_flops", F64, "FLOP", "operations that the model needed", "unknown, or the capture could not be read"),
    *(
        Column(f"{q}_{end}", F64, unit, f"{words} that {q} can be: launches that lack it moved what their roof allows", null)
        for q, unit in (("bytes", "byte"), ("seconds", "s"), ("flops", "FLOP"))
        for end, words, null in (("low", "the least", FAILED), ("high", "the most", "no bound"))
    ),
    *(
        Column(f"{q}_lacking", F64, "s" if q != "seconds" else "", f"{what} of the launches that lack {q}", FAILED)
        for q, what in (("bytes", "time"), ("seconds", "number"), ("flops", "time"))
    ),
    Column("beyond_bytes", F64, "byte", "bytes moved by kernels that useful work proves to lie beyond their ridge", "unknown"),
    Column("latency_seconds", F64, "s", "time in kernels too small for either roof", "unknown"),
)
"""What the launches of one role of one capture moved and did."""

RUNS = (*ORIGIN, *SETTING, *SUMS)

JOINED = (
    Column("id", STR, "", "id of the capture, as in `runs`", NEVER),
    Column("role", STR, "", "what the launch is for", NEVER),
    Column("share", F64, "", "a launch's number times it is its part of the number per token", "the launch does not count"),
    Column("bytes", F64, "byte", "DRAM bytes, both ways", "not measured"),
    Column("flops", F64, "FLOP", "operations executed", "not measured"),
    Column("useful_flops", F64, "FLOP", "operations that the model needed", "unknown"),
)
"""What `launches` of an archive have beside the columns of a capture, so that a sum needs no other table."""
