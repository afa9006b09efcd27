"""The columns of tables made from launches: groups, tokens, comparisons, sweeps, floors, devices."""

from __future__ import annotations

import polars as pl

from ncu_roofline.capture.schema import BOOL, F64, I64, STR, Column

NEVER = "never"
NO_DEVICE = "the device is unknown"
NO_MODEL = "no model was stated, or no matrix of it fits"

GROUPED = (
    Column("group", I64, "", "rank by time, from 0", NEVER),
    Column("launches", I64, "", "launches in the row", NEVER, form="count"),
    Column("time_share", F64, "", "of the capture's known time", "time is unknown", heading="of time", form="percent"),
    Column(
        "bytes_share", F64, "", "of the capture's known DRAM bytes", "bytes are unknown", heading="of bytes", form="percent"
    ),
    Column("flops_per_second", F64, "FLOP/s", "executed FLOPs over time", "either is unknown"),
    Column("useful_flops_per_second", F64, "FLOP/s", "useful FLOPs over time", "either is unknown"),
    Column("<measure>_unknown", I64, "", "launches that the sum lacks: where above 0, the sum is a lower bound", NEVER),
    Column("suspect_launches", I64, "", "launches above a roof", NEVER),
)
"""Rows per kernel, role, family or layer (analysis/roofline/groups.py): columns of launches are then sums,
ratios are ratios of sums, roofs and shares are weighted by time, and what the launches do not share is null."""

TOKENS = (
    Column("<measure>_per_step", F64, "of the measure", "per decode step, of one GPU", "unmeasured, or steps unknown"),
    Column("<measure>_per_token", F64, "of the measure", "per generated token, of one GPU", "unmeasured, or tokens unknown"),
    Column("spread_over", STR, "", "what the spread is taken over: whole steps or whole layers", "fewer than two whole ones"),
    Column("<measure>_low", F64, "of the measure", "smallest step or layer", "no spread"),
    Column("<measure>_median", F64, "of the measure", "median step or layer", "no spread"),
    Column("<measure>_high", F64, "of the measure", "largest step or layer", "no spread"),
    Column(
        "experts_expected",
        F64,
        "",
        "distinct experts that routing by chance would read at this batch",
        NO_MODEL,
        heading="if even",
    ),
    Column("explained_low", F64, "", "of the matrix' bytes: activations, which must be read beside it", NO_MODEL),
    Column("explained_high", F64, "", "the same with outputs, where reads and writes were not measured apart", NO_MODEL),
    Column("unexplained", F64, "", "of the matrix' bytes: what was read beyond both", NO_MODEL, form="percent"),
)
"""Per token and per step (analysis/run/tokens.py); measures are seconds, dram_bytes, dram_read_bytes, dram_write_bytes, flops,
useful_flops."""

COMPARED = (
    Column("pair", I64, "", "number of the pair of kernels", NEVER),
    Column(
        "what", STR, "", "what became of a kernel: same, reshaped, renamed, fused, split, added, removed", NEVER, heading="is"
    ),
    Column(
        "<side>_bytes",
        F64,
        "byte",
        "DRAM bytes per token (or step, or capture), mean over the captures of base or head",
        "more than a small part was not measured",
    ),
    Column("<side>_flops", F64, "FLOP", "executed FLOPs, likewise", "more than a small part was not measured"),
    Column("<side>_useful_flops", F64, "FLOP", "useful FLOPs, likewise", "not known of every launch that works"),
    Column("<side>_seconds", F64, "s", "time, likewise", "more than a small part was not measured"),
    Column("<side>_launches", F64, "", "launches, likewise; 0 where the side has none", NEVER),
    Column("<side>_beyond", F64, "", "part of the bytes moved by kernels beyond their ridge", "intensities are unknown"),
    Column("<side>_latency_share", F64, "", "part of the time in kernels too small for either roof", "shares are unknown"),
    Column("<side>_bandwidth_share", F64, "", "bytes per second over the bandwidth roof", "roof or time is unknown"),
    Column("<side>_kernel", STR, "", "function name on that side", "the side has no such kernel"),
    Column("<side>_name", STR, "", "demangled name on that side", "the side has no such kernel"),
    Column("<side>_grid", STR, "", "grid on that side, 132x1x1", "the side has no such kernel"),
    Column("verdict", STR, "", "one of the closed set (docs/concepts.md)", NEVER),
    Column("<quantity>_log", F64, "", "ln(head / base) of bytes, flops or seconds", "a side is unknown or zero"),
    Column("<quantity>_change", F64, "", "head / base - 1", "a side is unknown or zero"),
    Column("<quantity>_noise", F64, "", "|ln(head / base)| up to which chance may have made it", NEVER),
    Column(
        "<side>_<quantity>_low", F64, "of the quantity", "the least that it can be, with what was not measured", "no launches"
    ),
    Column("<side>_<quantity>_high", F64, "of the quantity", "the most that it can be", "it has no bound, or no launches"),
    Column("<quantity>_low", F64, "", "head / base - 1 at the least: noise and what was not measured in it", "no bound"),
    Column("<quantity>_high", F64, "", "the same at the most", "no bound"),
    Column("<quantity>_moved", I64, "", "+1 more, -1 less, 0 inside the noise", "cannot be known"),
    Column("realised", F64, "", "ln(time ratio) / ln(bytes ratio)", "bytes did not move, or a side is unknown"),
    Column("doubt", STR, "", "for cannot_tell: what is lacking; empty else", NEVER),
)
"""Rows of a comparison (analysis/compare/compare.py)."""

SWEPT = (
    Column("along", STR, "", "where the capture stands: a number or a word", NEVER),
    Column("capture", STR, "", "name of the capture", NEVER),
    Column("batch", I64, "", "sequences per step", "unknown", form="count"),
    Column("context", I64, "", "cached tokens per sequence", "unknown"),
    Column("bytes", F64, "byte", "DRAM bytes per token (or step, or capture)", "more than a small part was not measured"),
    Column("seconds", F64, "s", "time, likewise", "more than a small part was not measured"),
    Column("flops", F64, "FLOP", "executed FLOPs, likewise", "more than a small part was not measured"),
    Column("<family>_bytes", F64, "byte", "DRAM bytes of FC, attention or the rest", "not measured"),
    Column("<family>_seconds", F64, "s", "their time", "not measured"),
    Column("<family>_<work>_intensity", F64, "FLOP/byte", "by that work; dense: useful, of matrices read whole", "unknown"),
    Column("cache_share", F64, "", "bytes of attention over bytes of FC: the cache against the weights", "not measured"),
    Column("attention_low", F64, "FLOP/byte", "least useful intensity that this cache type allows", "cache type unknown"),
    Column("attention_high", F64, "FLOP/byte", "greatest one", "cache type unknown"),
    Column("ridge", F64, "FLOP/byte", "the ridge that FC meets", NO_DEVICE),
    Column("roof", F64, "byte/s", "bandwidth roof", NO_DEVICE),
    Column(
        "latency_share",
        F64,
        "",
        "part of the time in kernels too small for either roof",
        "shares are unknown",
        heading="latency",
        form="percent",
    ),
    Column("bandwidth_share", F64, "", "bytes per second over the bandwidth roof", "roof or time is unknown"),
    Column("role", STR, "", "role, or unclassified", NEVER),
    Column("projection", STR, "", "weight matrix", NEVER),
    Column("useful_intensity", F64, "FLOP/byte", "of that matrix", "unknown"),
)
"""Rows of a sweep (analysis/sweep/sweep.py)."""

PROJECTED = (
    Column("role", STR, "", "role, or unclassified", NEVER),
    Column("bytes", F64, "byte", "measured DRAM bytes per token (or step, or capture)", "not measured"),
    Column("seconds", F64, "s", "measured time, likewise", "not measured"),
    Column("bytes_low", F64, "byte", "projected bytes, low end", "not measured"),
    Column("bytes_high", F64, "byte", "projected bytes, high end", "not measured"),
    Column("seconds_low", F64, "s", "projected time, low end", "not measured"),
    Column("seconds_high", F64, "s", "projected time, high end", "not measured"),
)
"""Rows of a projection (analysis/project/project.py)."""

SPAN = pl.Struct({"low": F64, "value": F64, "high": F64})
"""A figure with its spread."""

FLOOR = (
    Column("batch", I64, "", "sequences per step", NEVER),
    Column("weight_bytes", F64, "byte", "weights that one step must read, over all GPUs", NEVER, heading="weights"),
    Column(
        "kv_bytes", F64, "byte", "cache that one step must read, over all GPUs", "no context was stated", heading="KV cache"
    ),
    Column("bytes_per_token", F64, "byte", "both over the batch", NEVER, heading="per token"),
    Column("memory_seconds", F64, "s", "time to move them at the full bandwidth", NEVER),
    Column("compute_seconds", F64, "s", "time of the arithmetic at the full peak", NEVER),
    Column("step_seconds", F64, "s", "the longer of both: no step is faster", NEVER, heading="step"),
    Column(
        "ceiling_seconds",
        F64,
        "s",
        "the same at the best bandwidth that a real kernel was seen to reach on the device, or at the one stated",
        "nobody saw one",
        heading="at ceiling",
    ),
    Column(
        "typical_seconds",
        SPAN,
        "s",
        "what such matrices and attention typically take, with its spread: a start each, then bytes at the bandwidth that such "
        "kernels reach; glue (norms, activations, sampling) is not in it",
        "nothing typical is known of a part: its type, more rows than the fits are for, or a mixer that is no attention",
        heading="typical",
        form="span",
    ),
    Column(
        "halved_speedup",
        SPAN,
        "",
        "how many times as fast half of its bytes, FP8 for 16 bits, typically make the matrix; those that servers fuse gain "
        "together",
        "the matrix has another type, is smaller than half of the L2, or nothing typical is known of it in one of both",
        heading="gain in FP8",
        form="times",
    ),
    Column("tokens_per_second", F64, "1/s", "batch over step_seconds", NEVER, heading="token/s"),
    Column("fits", BOOL, "", "whether weights and caches fit into memory", "no context was stated, or memory is unknown"),
    Column("name", STR, "", "name of the matrix", NEVER),
    Column("layer_kind", STR, "", "kind of layer that has the matrix", NEVER),
    Column("N", I64, "", "rows of the matrix (outputs)", NEVER),
    Column("K", I64, "", "columns of the matrix (inputs)", NEVER),
    Column("count", I64, "", "layers that have it", NEVER, heading="layers"),
    Column(
        "floor_bytes",
        F64,
        "byte",
        "least bytes of a step for a role",
        "batch unknown; for attention also context unknown; some layers of a model of several kinds",
        heading="floor",
    ),
    Column(
        "measured_bytes",
        F64,
        "byte",
        "what was read for that role per step; moved, where reads were not counted alone",
        "not measured, or steps unknown",
        heading="measured",
    ),
    Column(
        "over_floor",
        F64,
        "",
        "measured_bytes over floor_bytes",
        "either is unknown or zero; for attention the measured bytes told the context",
        form="factor3",
    ),
)
"""What a step must cost at least (analysis/model/floor.py, analysis/model/floor_parts.py)."""

DEVICES = (
    Column("name", STR, "", "short name, as `--gpu` takes it", NEVER),
    Column("product", STR, "", "full product name", NEVER),
    Column("chip", STR, "", "name of the chip", "unknown"),
    Column("compute_capability", STR, "", "compute capability", "unknown"),
    Column("sms", I64, "", "streaming multiprocessors", "unknown", heading="SMs"),
    Column("memory_bytes", F64, "byte", "device memory", "unknown", heading="memory"),
    Column("l2_bytes", F64, "byte", "size of the L2 cache", "unknown"),
    Column("bandwidth", F64, "byte/s", "bandwidth of device memory", NEVER),
    Column("ridge_spec", pl.Struct({"<path>": F64}), "FLOP/byte", "peak over bandwidth per path", "no such unit, or unknown"),
    Column("peaks", pl.Struct({"<path>": F64}), "FLOP/s", "dense peak per path", "no such unit, or unknown"),
    Column("doubts", STR, "", "what is doubtful about the figures", "nothing"),
    Column("source", STR, "", "where the figures come from", NEVER),
    Column("notes", STR, "", "what else a reader should know", "nothing"),
)
"""Known devices (knowledge/devices/gpus.toml)."""
