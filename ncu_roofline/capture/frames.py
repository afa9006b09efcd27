"""The columns that analyses add to launches: type, unit, meaning, what null means; docs/columns.md is made of all frames.

`<...>` in a name stands for one of several: `flops_<path>` is `flops_bf16`, `flops_fp8` and so on.
"""

from __future__ import annotations

from dataclasses import replace

from ncu_roofline.capture.fleet import JOINED, RUNS
from ncu_roofline.capture.schema import (
    BOOL,
    BOUND_SOURCES,
    BOUNDS,
    F64,
    FAMILIES,
    GAIN_REASONS,
    I64,
    LAUNCHES,
    LIMITS,
    PATHS,
    PHASES,
    PRECISIONS,
    ROLE_SOURCES,
    ROLES,
    SOURCES,
    STR,
    Column,
    enum,
)
from ncu_roofline.capture.tables import COMPARED, DEVICES, FLOOR, GROUPED, NEVER, NO_DEVICE, NO_MODEL, PROJECTED, SWEPT, TOKENS

UNMEASURED = "not measured, and nothing measured tells it"
NO_CLOCK = "the device is unknown or no clock was captured"
NO_ORDER = "the order of launches does not tell"
SOURCE = enum(SOURCES)

WORK = (
    Column(
        "flops",
        F64,
        "FLOP",
        "floating-point (and tensor integer) operations executed, padding of tiles included; a fused multiply-add is 2",
        UNMEASURED,
        heading="work",
    ),
    Column("flops_source", SOURCE, "", "the least exact rung among the parts of `flops`", "flops is null", heading="work by"),
    Column(
        "flops_complete",
        BOOL,
        "",
        "whether every kind of work that the device has was counted or is proven idle; where false, `flops` is a lower bound",
        NEVER,
    ),
    Column("tensor_flops", F64, "FLOP", "the part done by tensor cores", UNMEASURED),
    Column(
        "tensor_flops_high",
        F64,
        "FLOP",
        "most that the tensor instructions can have done, where their operations were not counted: each the largest product",
        "tensor_flops is known, no tensor instructions were counted, or the largest product is not known (Hopper, Blackwell)",
    ),
    Column("scalar_flops", F64, "FLOP", "the part done outside of tensor cores", UNMEASURED),
    Column(
        "flops_<path>",
        F64,
        "FLOP",
        "the part of one path: a number format with its kind of unit or of accumulation",
        "not measured",
    ),
    Column("flops_<path>_source", SOURCE, "", "the rung that the part stands on", "not measured"),
    Column("path", enum(PATHS), "", "the path whose work takes longest at its own roof", "no FLOPs, or none known"),
    Column("precision", enum(PRECISIONS), "", "the number format of that path", "no FLOPs, or none known", heading="type"),
    Column(
        "dram_bytes",
        F64,
        "byte",
        "bytes to and from device memory; on integrated parts bytes missed in L2",
        UNMEASURED,
        heading="DRAM",
    ),
    Column("dram_bytes_source", SOURCE, "", "the rung that `dram_bytes` stands on", "dram_bytes is null", heading="bytes by"),
    Column("dram_read_bytes", F64, "byte", "bytes read from device memory", "not measured", heading="read"),
    Column(
        "dram_write_bytes",
        F64,
        "byte",
        "bytes written to device memory during the kernel; late write-backs are not in it",
        "not measured",
        heading="written",
    ),
    Column("l2_bytes", F64, "byte", "bytes through the L2 cache", "not measured", heading="L2"),
    Column("l2_bytes_source", SOURCE, "", "the rung that `l2_bytes` stands on", "l2_bytes is null"),
)
"""What a launch did (analysis/work/work.py)."""

ROLE = (
    Column("role", enum(ROLES), "", "what the kernel is for", "not recognised: never folded into another role"),
    Column(
        "role_source",
        enum(ROLE_SOURCES),
        "",
        "what decided: the user's rules, an NVTX range, the name, likely the name (a word that does not prove the role), "
        "the neighbours, what it reads and where",
        "role is null",
    ),
    Column("role_rule", STR, "", "the rule that decided, as `ncu-roofline roles --explain` names it", "role is null"),
    Column(
        "weight_dtype", STR, "", "type in which weights are stored, as the name tells", "the name does not tell", heading="type"
    ),
    Column("activation_dtype", STR, "", "type that is multiplied, as the name tells", "the name does not tell"),
    Column("cache_dtype", STR, "", "type of the KV cache, as the name tells", "the name does not tell"),
    Column("family", enum(FAMILIES), "", "fc, attention, or other (which has the unrecognised, too)", NEVER),
)
"""What a launch is for (analysis/roles/roles.py)."""

SEQUENCE = (
    Column(
        "phase",
        enum(PHASES),
        "",
        "decode step, prefill pass, or mixed: a step that works on a piece of a prompt beside rows that decode",
        NO_ORDER,
    ),
    Column("step", I64, "", "number of the step within its phase, from 0", NO_ORDER),
    Column("layer", I64, "", "number of the layer within its step, from 0", "outside of layers, or " + NO_ORDER),
    Column("position", I64, "", "place of the launch inside its layer, from 0", "outside of layers, or " + NO_ORDER),
    Column("step_whole", BOOL, "", "whether the window holds the step from its beginning to its end", NO_ORDER),
    Column(
        "layer_whole",
        BOOL,
        "",
        "whether the window holds the layer from its beginning to its end",
        "outside of layers, or " + NO_ORDER,
    ),
    Column("step_rows", I64, "", "token rows that its step or prefill pass works on", "nothing tells"),
    Column("step_batch", I64, "", "sequences of its decode step", "nothing tells, or no decode step"),
)
"""Where in the run a launch stands (analysis/run/sequence.py)."""

USEFUL = (
    Column("projection", STR, "", "the weight matrix that the launch streams", NO_MODEL, heading="matrix"),
    Column("matrix_n", I64, "", "rows of that matrix (outputs)", NO_MODEL, heading="N"),
    Column("matrix_k", I64, "", "columns of that matrix (inputs)", NO_MODEL, heading="K"),
    Column("matrix_bytes", F64, "byte", "bytes of that matrix on this GPU", NO_MODEL, heading="bytes"),
    Column("matrix_rows", F64, "", "activation rows it is multiplied with, summed over experts", NO_MODEL + ", or no batch"),
    Column(
        "experts_read",
        F64,
        "",
        "distinct experts whose weights were read, by their bytes",
        "not a launch of experts",
        heading="experts",
    ),
    Column(
        "read_amplification",
        F64,
        "",
        "bytes read over bytes of the matrix",
        NO_MODEL + ", or a launch of experts",
        heading="read",
        form="factor3",
    ),
    Column("activation_bytes", F64, "byte", "bytes of the inputs of that product", NO_MODEL),
    Column("output_bytes", F64, "byte", "bytes of its outputs", NO_MODEL),
    Column(
        "useful_flops",
        F64,
        "FLOP",
        "operations that the model needed: without the padding of tiles",
        "neither batch nor model tells, or a prefill pass",
        heading="useful work",
    ),
    Column(
        "useful_flops_source",
        STR,
        "",
        "matrix (from its shape), kv_bytes, weight_bytes (an estimate), or none (a kernel that finishes another's work)",
        "useful_flops is null",
    ),
    Column(
        "useful_intensity_low",
        F64,
        "FLOP/byte",
        "least useful intensity of decode attention with this cache type",
        "not attention, or the cache type is unknown",
    ),
    Column(
        "useful_intensity_high",
        F64,
        "FLOP/byte",
        "greatest one, at 16 query heads per key/value head",
        "not attention, or the cache type is unknown",
    ),
)
"""What the model needed (analysis/model/matrices.py, analysis/model/useful.py)."""

PLACED = (
    Column("peak", F64, "FLOP/s", "dense roof of the path, by datasheet", NO_DEVICE),
    Column("bandwidth", F64, "byte/s", "bandwidth roof, by datasheet", NO_DEVICE),
    Column("peak_at_clock", F64, "FLOP/s", "roof of the path at the SM clock of the capture", NO_CLOCK),
    Column("bandwidth_at_clock", F64, "byte/s", "bandwidth roof at the memory clock of the capture", NO_CLOCK),
    Column("ridge_spec", F64, "FLOP/byte", "peak over bandwidth, by datasheet", NO_DEVICE),
    Column("ridge_profiled", F64, "FLOP/byte", "the same at the clocks of the capture", NO_CLOCK),
    Column("ridge", F64, "FLOP/byte", "the ridge that decides the side: as `--ridge` says", NO_DEVICE),
    Column(
        "intensity",
        F64,
        "FLOP/byte",
        "executed FLOPs over DRAM bytes, or the one rate over the other",
        "either is unknown, or no bytes",
        heading="FLOP/B",
    ),
    Column(
        "useful_intensity",
        F64,
        "FLOP/byte",
        "useful FLOPs over DRAM bytes",
        "either is unknown, or no bytes",
        heading="useful FLOP/B",
    ),
    Column("padding", F64, "", "executed over useful FLOPs", "either is unknown, or no useful work", form="factor"),
    Column(
        "bound",
        enum(BOUNDS),
        "",
        "side of the ridge by the useful intensity where known, else by the executed one; where FLOPs were not counted, "
        "memory if the useful one is left of every ridge of the device (FP64 aside); where only reads are known, memory if "
        "the work over those alone is left of the ridge",
        "intensity or ridge is unknown",
        heading="side",
    ),
    Column(
        "bound_source",
        enum(BOUND_SOURCES),
        "",
        "what decided the side: useful work; executed work (an upper bound); a partial count (a lower bound)",
        "bound is null",
    ),
    Column(
        "bandwidth_share",
        F64,
        "",
        "bytes per second over the bandwidth roof, 1 is all of it; where bytes or duration were not measured, the share that "
        "the profiler itself states",
        "a part is unknown",
        heading="of DRAM peak",
        form="percent",
    ),
    Column(
        "compute_share",
        F64,
        "",
        "FLOPs per second over the roof of the path, 1 is all of it",
        "a part is unknown",
        heading="of compute",
        form="percent",
    ),
    Column(
        "limited_by",
        enum(LIMITS),
        "",
        "the roof it comes nearest to; latency where it reaches neither by `latency_share`",
        "a share is unknown",
    ),
    Column("suspect", BOOL, "", "whether a share of a roof is above what rounding explains", NEVER),
)
"""Where a launch stands under its roofs (analysis/roofline/roofline.py)."""

GAINED = (
    Column(
        "ceiling_share",
        F64,
        "",
        "bytes per second (of products and attention in decode those read) over the ceiling: the best bandwidth that a real "
        "kernel was seen to reach on the device, or the one stated",
        "a part is unknown",
        heading="of ceiling",
        form="percent",
    ),
    Column(
        "least_seconds",
        F64,
        "s",
        "the longer of its bytes at the ceiling and its useful work at the peak; bytes that a known matrix does not need "
        "are left out",
        "neither is known",
        heading="at ceiling",
    ),
    Column(
        "gain_seconds",
        F64,
        "s",
        "time above least_seconds: the most that making it faster can save",
        "time or least_seconds is unknown",
        heading="gain",
    ),
    Column(
        "gain_reason",
        enum(GAIN_REASONS),
        "",
        "what explains most of the gain: share (it streams slower than the ceiling), part_wave (its blocks do not fill the "
        "GPU), tail (the last wave is not full), fusion (bytes that the next launch reads again), padding (of tiles), reads "
        "(more than its matrix), launch (shorter than a launch costs), helper (it finishes another kernel's work), at_ceiling",
        "gain_seconds is unknown",
        heading="why",
    ),
    Column("waves", F64, "", "waves of blocks per multiprocessor", "not captured"),
    Column(
        "fusion_bytes",
        F64,
        "byte",
        "bytes handed over in DRAM to the next launch or from the one before, at most: a fusion of both would save them",
        "reads or writes were not measured",
    ),
)
"""What could be gained, and why (analysis/roofline/gains.py)."""

ARCHIVED = (
    Column("times", I64, "", "launches that the row stands for, where an archive added them up", "one"),
    Column("capture", STR, "", "name of the capture that the launch comes from", "not an archive"),
)
"""What launches have beside their own columns where they come out of an archive (readers/archive.py)."""

ADDED = tuple(
    replace(c, name=c.name.replace("<path>", path))
    for c in (*WORK, *ROLE, *SEQUENCE, *USEFUL, *PLACED, *GAINED)
    for path in (PATHS if "<path>" in c.name else ("",))
)
STUDIED = (*LAUNCHES, *ARCHIVED, *ADDED)
"""Every column that `study` guarantees of its launches, in this order before the measured counters."""

FRAMES = {
    "launches": LAUNCHES,
    "archived": ARCHIVED,
    "work": WORK,
    "role": ROLE,
    "sequence": SEQUENCE,
    "useful": USEFUL,
    "placed": PLACED,
    "gained": GAINED,
    "grouped": GROUPED,
    "tokens": TOKENS,
    "compared": COMPARED,
    "swept": SWEPT,
    "projected": PROJECTED,
    "floor": FLOOR,
    "devices": DEVICES,
    "runs": RUNS,
    "kept": JOINED,
}
"""Every part of the dictionary, in the order in which a capture meets it."""
