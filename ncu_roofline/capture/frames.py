"""The columns of every frame after the launches: type, unit, meaning, what null means; docs/columns.md is made of it.

`<...>` in a name stands for one of several: `flops_<path>` is `flops_bf16`, `flops_fp8` and so on.
"""

from __future__ import annotations

import polars as pl

from ncu_roofline.capture.schema import (
    BOOL,
    BOUND_SOURCES,
    BOUNDS,
    F64,
    FAMILIES,
    I64,
    LAUNCHES,
    LIMITS,
    PHASES,
    PRECISIONS,
    ROLE_SOURCES,
    ROLES,
    SOURCES,
    STR,
    Column,
    enum,
)  # fmt: skip

NEVER = "never"
UNMEASURED = "not measured, and nothing measured tells it"
NO_DEVICE = "the device is unknown"
NO_CLOCK = "the device is unknown or no clock was captured"
NO_MODEL = "no model was stated, or no matrix of it fits"
NO_ORDER = "the order of launches does not tell"
SOURCE = enum(SOURCES)

WORK = (
    Column("flops", F64, "FLOP", "floating-point (and tensor integer) operations executed, padding of tiles included; a fused "
           "multiply-add is 2", UNMEASURED),
    Column("flops_source", SOURCE, "", "the least exact rung among the parts of `flops`", "flops is null"),
    Column("flops_complete", BOOL, "", "whether every kind of work that the device has was counted or is proven idle; "
           "where false, `flops` is a lower bound", NEVER),
    Column("tensor_flops", F64, "FLOP", "the part done by tensor cores", UNMEASURED),
    Column("scalar_flops", F64, "FLOP", "the part done outside of tensor cores", UNMEASURED),
    Column("flops_<path>", F64, "FLOP", "the part of one path: a number format with its kind of unit or of accumulation",
           "not measured"),
    Column("flops_<path>_source", SOURCE, "", "the rung that the part stands on", "not measured"),
    Column("path", STR, "", "the path whose work takes longest at its own roof", "no FLOPs, or none known"),
    Column("precision", enum(PRECISIONS), "", "the number format of that path", "no FLOPs, or none known"),
    Column("dram_bytes", F64, "byte", "bytes to and from device memory; on integrated parts bytes missed in L2", UNMEASURED),
    Column("dram_bytes_source", SOURCE, "", "the rung that `dram_bytes` stands on", "dram_bytes is null"),
    Column("dram_read_bytes", F64, "byte", "bytes read from device memory", "not measured"),
    Column("dram_write_bytes", F64, "byte", "bytes written to device memory during the kernel; late write-backs are not in it",
           "not measured"),
    Column("l2_bytes", F64, "byte", "bytes through the L2 cache", "not measured"),
    Column("l2_bytes_source", SOURCE, "", "the rung that `l2_bytes` stands on", "l2_bytes is null"),
)  # fmt: skip
"""What a launch did (analysis/work.py)."""

ROLE = (
    Column("role", enum(ROLES), "", "what the kernel is for", "not recognised: never folded into another role"),
    Column("role_source", enum(ROLE_SOURCES), "", "what decided: the user's rules, an NVTX range, the name, the neighbours",
           "role is null"),
    Column("role_rule", STR, "", "the rule that decided, as `ncu-roofline roles --explain` names it", "role is null"),
    Column("weight_dtype", STR, "", "type in which weights are stored, as the name tells", "the name does not tell"),
    Column("activation_dtype", STR, "", "type that is multiplied, as the name tells", "the name does not tell"),
    Column("cache_dtype", STR, "", "type of the KV cache, as the name tells", "the name does not tell"),
    Column("family", enum(FAMILIES), "", "fc, attention, or other (which has the unrecognised, too)", NEVER),
)  # fmt: skip
"""What a launch is for (analysis/roles.py)."""

SEQUENCE = (
    Column("phase", enum(PHASES), "", "decode step or prefill pass", NO_ORDER),
    Column("step", I64, "", "number of the step within its phase, from 0", NO_ORDER),
    Column("layer", I64, "", "number of the layer within its step, from 0", "outside of layers, or " + NO_ORDER),
    Column("position", I64, "", "place of the launch inside its layer, from 0", "outside of layers, or " + NO_ORDER),
    Column("step_whole", BOOL, "", "whether the window holds the step from its beginning to its end", NO_ORDER),
    Column("layer_whole", BOOL, "", "whether the window holds the layer from its beginning to its end",
           "outside of layers, or " + NO_ORDER),
)  # fmt: skip
"""Where in the run a launch stands (analysis/sequence.py)."""

USEFUL = (
    Column("projection", STR, "", "the weight matrix that the launch streams", NO_MODEL),
    Column("matrix_n", I64, "", "rows of that matrix (outputs)", NO_MODEL),
    Column("matrix_k", I64, "", "columns of that matrix (inputs)", NO_MODEL),
    Column("matrix_bytes", F64, "byte", "bytes of that matrix on this GPU", NO_MODEL),
    Column("matrix_rows", F64, "", "activation rows it is multiplied with, summed over experts", NO_MODEL + ", or no batch"),
    Column("experts_read", F64, "", "distinct experts whose weights were read, by their bytes", "not a launch of experts"),
    Column("read_amplification", F64, "", "bytes read over bytes of the matrix", NO_MODEL + ", or a launch of experts"),
    Column("activation_bytes", F64, "byte", "bytes of the inputs of that product", NO_MODEL),
    Column("output_bytes", F64, "byte", "bytes of its outputs", NO_MODEL),
    Column("useful_flops", F64, "FLOP", "operations that the model needed: without the padding of tiles",
           "neither batch nor model tells, or a prefill pass"),
    Column("useful_flops_source", STR, "", "matrix (from its shape), kv_bytes, weight_bytes (an estimate), or none "
           "(a kernel that finishes another's work)", "useful_flops is null"),
    Column("useful_intensity_low", F64, "FLOP/byte", "least useful intensity of decode attention with this cache type",
           "not attention, or the cache type is unknown"),
    Column("useful_intensity_high", F64, "FLOP/byte", "greatest one, at 16 query heads per key/value head",
           "not attention, or the cache type is unknown"),
)  # fmt: skip
"""What the model needed (analysis/matrices.py, analysis/useful.py)."""

PLACED = (
    Column("peak", F64, "FLOP/s", "dense roof of the path, by datasheet", NO_DEVICE),
    Column("bandwidth", F64, "byte/s", "bandwidth roof, by datasheet", NO_DEVICE),
    Column("peak_at_clock", F64, "FLOP/s", "roof of the path at the SM clock of the capture", NO_CLOCK),
    Column("bandwidth_at_clock", F64, "byte/s", "bandwidth roof at the memory clock of the capture",
           NO_CLOCK),
    Column("ridge_spec", F64, "FLOP/byte", "peak over bandwidth, by datasheet", NO_DEVICE),
    Column("ridge_profiled", F64, "FLOP/byte", "the same at the clocks of the capture", NO_CLOCK),
    Column("ridge", F64, "FLOP/byte", "the ridge that decides the side: as `--ridge` says", NO_DEVICE),
    Column("intensity", F64, "FLOP/byte", "executed FLOPs over DRAM bytes", "either is unknown, or no bytes"),
    Column("useful_intensity", F64, "FLOP/byte", "useful FLOPs over DRAM bytes", "either is unknown, or no bytes"),
    Column("padding", F64, "", "executed over useful FLOPs", "either is unknown, or no useful work"),
    Column("bound", enum(BOUNDS), "", "side of the ridge by the useful intensity where known, else by the executed one",
           "intensity or ridge is unknown"),
    Column("bound_source", enum(BOUND_SOURCES), "", "what decided the side: useful work; executed work (an upper bound); "
           "a partial count (a lower bound)", "bound is null"),
    Column("bandwidth_share", F64, "", "bytes per second over the bandwidth roof, 1 is all of it", "a part is unknown"),
    Column("compute_share", F64, "", "FLOPs per second over the roof of the path, 1 is all of it", "a part is unknown"),
    Column("limited_by", enum(LIMITS), "", "the roof it comes nearest to; latency where it reaches neither by `latency_share`",
           "a share is unknown"),
    Column("suspect", BOOL, "", "whether a share of a roof is above what rounding explains", NEVER),
)  # fmt: skip
"""Where a launch stands under its roofs (analysis/roofline.py)."""

GROUPED = (
    Column("group", I64, "", "rank by time, from 0", NEVER),
    Column("launches", I64, "", "launches in the row", NEVER),
    Column("time_share", F64, "", "of the capture's known time", "time is unknown"),
    Column("bytes_share", F64, "", "of the capture's known DRAM bytes", "bytes are unknown"),
    Column("flops_per_second", F64, "FLOP/s", "executed FLOPs over time", "either is unknown"),
    Column("useful_flops_per_second", F64, "FLOP/s", "useful FLOPs over time", "either is unknown"),
    Column("<measure>_unknown", I64, "", "launches that the sum lacks: where above 0, the sum is a lower bound", NEVER),
    Column("suspect_launches", I64, "", "launches above a roof", NEVER),
)  # fmt: skip
"""Rows per kernel, role, family or layer (analysis/groups.py): columns of launches are then sums, ratios are ratios of sums,
roofs and shares are weighted by time, and what the launches do not share is null."""

TOKENS = (
    Column("<measure>_per_step", F64, "of the measure", "per decode step, of one GPU", "unmeasured, or steps unknown"),
    Column("<measure>_per_token", F64, "of the measure", "per generated token, of one GPU", "unmeasured, or tokens unknown"),
    Column("spread_over", STR, "", "what the spread is taken over: whole steps or whole layers", "fewer than two whole ones"),
    Column("<measure>_low", F64, "of the measure", "smallest step or layer", "no spread"),
    Column("<measure>_median", F64, "of the measure", "median step or layer", "no spread"),
    Column("<measure>_high", F64, "of the measure", "largest step or layer", "no spread"),
    Column("experts_expected", F64, "", "distinct experts that routing by chance would read at this batch", NO_MODEL),
    Column("explained_low", F64, "", "of the matrix' bytes: activations, which must be read beside it", NO_MODEL),
    Column("explained_high", F64, "", "the same with outputs, where reads and writes were not measured apart", NO_MODEL),
    Column("unexplained", F64, "", "of the matrix' bytes: what was read beyond both", NO_MODEL),
)  # fmt: skip
"""Per token and per step (analysis/tokens.py); measures are seconds, dram_bytes, dram_read_bytes, dram_write_bytes, flops,
useful_flops."""

COMPARED = (
    Column("pair", I64, "", "number of the pair of kernels", NEVER),
    Column("what", STR, "", "what became of a kernel: same, reshaped, renamed, fused, split, added, removed", NEVER),
    Column("<side>_bytes", F64, "byte", "DRAM bytes per token (or step, or capture), mean over the captures of base or head",
           "more than a small part was not measured"),
    Column("<side>_flops", F64, "FLOP", "executed FLOPs, likewise", "more than a small part was not measured"),
    Column("<side>_useful_flops", F64, "FLOP", "useful FLOPs, likewise", "not known of every launch that works"),
    Column("<side>_seconds", F64, "s", "time, likewise", "more than a small part was not measured"),
    Column("<side>_launches", F64, "", "launches, likewise; 0 where the side has none", NEVER),
    Column("<side>_beyond", F64, "", "part of the bytes moved by kernels beyond their ridge", "intensities are unknown"),
    Column("<side>_latency_share", F64, "", "part of the time in kernels near neither roof", "shares are unknown"),
    Column("<side>_bandwidth_share", F64, "", "bytes per second over the bandwidth roof", "roof or time is unknown"),
    Column("<side>_kernel", STR, "", "function name on that side", "the side has no such kernel"),
    Column("<side>_name", STR, "", "demangled name on that side", "the side has no such kernel"),
    Column("<side>_grid", STR, "", "grid on that side, 132x1x1", "the side has no such kernel"),
    Column("verdict", STR, "", "one of the closed set (docs/concepts.md)", NEVER),
    Column("<quantity>_log", F64, "", "ln(head / base) of bytes, flops or seconds", "a side is unknown or zero"),
    Column("<quantity>_change", F64, "", "head / base - 1", "a side is unknown or zero"),
    Column("<quantity>_noise", F64, "", "|ln(head / base)| up to which chance may have made it", NEVER),
    Column("<quantity>_moved", I64, "", "+1 more, -1 less, 0 inside the noise", "cannot be known"),
    Column("realised", F64, "", "ln(time ratio) / ln(bytes ratio)", "bytes did not move, or a side is unknown"),
    Column("doubt", STR, "", "for cannot_tell: what is lacking; empty else", NEVER),
)  # fmt: skip
"""Rows of a comparison (analysis/compare.py)."""

SWEPT = (
    Column("along", STR, "", "where the capture stands: a number or a word", NEVER),
    Column("capture", STR, "", "name of the capture", NEVER),
    Column("batch", I64, "", "sequences per step", "unknown"),
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
    Column("latency_share", F64, "", "part of the time in kernels near neither roof", "shares are unknown"),
    Column("bandwidth_share", F64, "", "bytes per second over the bandwidth roof", "roof or time is unknown"),
    Column("role", STR, "", "role, or unassigned", NEVER),
    Column("projection", STR, "", "weight matrix", NEVER),
    Column("useful_intensity", F64, "FLOP/byte", "of that matrix", "unknown"),
)  # fmt: skip
"""Rows of a sweep (analysis/sweep.py)."""

PROJECTED = (
    Column("role", STR, "", "role, or unassigned", NEVER),
    Column("bytes", F64, "byte", "measured DRAM bytes per token (or step, or capture)", "not measured"),
    Column("seconds", F64, "s", "measured time, likewise", "not measured"),
    Column("bytes_low", F64, "byte", "projected bytes, low end", "not measured"),
    Column("bytes_high", F64, "byte", "projected bytes, high end", "not measured"),
    Column("seconds_low", F64, "s", "projected time, low end", "not measured"),
    Column("seconds_high", F64, "s", "projected time, high end", "not measured"),
)  # fmt: skip
"""Rows of a projection (analysis/project.py)."""

FLOOR = (
    Column("batch", I64, "", "sequences per step", NEVER),
    Column("weight_bytes", F64, "byte", "weights that one step must read, over all GPUs", NEVER),
    Column("kv_bytes", F64, "byte", "cache that one step must read, over all GPUs", "no context was stated"),
    Column("bytes_per_token", F64, "byte", "both over the batch", NEVER),
    Column("memory_seconds", F64, "s", "time to move them at the full bandwidth", NEVER),
    Column("compute_seconds", F64, "s", "time of the arithmetic at the full peak", NEVER),
    Column("step_seconds", F64, "s", "the longer of both: no step is faster", NEVER),
    Column("tokens_per_second", F64, "1/s", "batch over step_seconds", NEVER),
    Column("fits", BOOL, "", "whether weights and caches fit into memory", "no context was stated, or memory is unknown"),
    Column("name", STR, "", "name of the matrix", NEVER),
    Column("layer_kind", STR, "", "kind of layer that has the matrix", NEVER),
    Column("N", I64, "", "rows of the matrix (outputs)", NEVER),
    Column("K", I64, "", "columns of the matrix (inputs)", NEVER),
    Column("count", I64, "", "layers that have it", NEVER),
    Column("floor_bytes", F64, "byte", "least bytes of a step for a role", NEVER),
    Column("measured_bytes", F64, "byte", "what the capture moved for that role per step", "not measured, or steps unknown"),
    Column("over_floor", F64, "", "measured_bytes over floor_bytes", "either is unknown or zero"),
)  # fmt: skip
"""What a step must cost at least (analysis/floor.py, analysis/floor_parts.py)."""

DEVICES = (
    Column("name", STR, "", "short name, as `--gpu` takes it", NEVER),
    Column("product", STR, "", "full product name", NEVER),
    Column("chip", STR, "", "name of the chip", "unknown"),
    Column("compute_capability", STR, "", "compute capability", "unknown"),
    Column("sms", I64, "", "streaming multiprocessors", "unknown"),
    Column("memory_bytes", F64, "byte", "device memory", "unknown"),
    Column("l2_bytes", F64, "byte", "size of the L2 cache", "unknown"),
    Column("bandwidth", F64, "byte/s", "bandwidth of device memory", NEVER),
    Column("ridge_spec", pl.Struct({"<path>": F64}), "FLOP/byte", "peak over bandwidth per path", "no such unit, or unknown"),
    Column("peaks", pl.Struct({"<path>": F64}), "FLOP/s", "dense peak per path", "no such unit, or unknown"),
    Column("doubts", STR, "", "what is doubtful about the figures", "nothing"),
    Column("source", STR, "", "where the figures come from", NEVER),
    Column("notes", STR, "", "what else a reader should know", "nothing"),
)  # fmt: skip
"""Known devices (knowledge/gpus.toml)."""

FRAMES = {
    "launches": LAUNCHES, "work": WORK, "role": ROLE, "sequence": SEQUENCE, "useful": USEFUL, "placed": PLACED,
    "grouped": GROUPED, "tokens": TOKENS, "compared": COMPARED, "swept": SWEPT, "projected": PROJECTED,
    "floor": FLOOR, "devices": DEVICES,
}  # fmt: skip
"""Every part of the dictionary, in the order in which a capture meets it."""

