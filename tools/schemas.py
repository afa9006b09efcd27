"""What `--format json` of every command looks like, as JSON Schema; written to docs/schemas/ by tools.pages.

Rows take their columns from capture/frames.py, so that a column is described once. Nothing may be in an answer
that is not in its schema: a new key is added here, and a changed one raises SCHEMA_VERSION in present/forms/json.py.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import polars as pl

from ncu_roofline.analysis.roofline.ceilings import KINDS as CEILINGS
from ncu_roofline.capture.capture import RANKS, Run
from ncu_roofline.capture.frames import FRAMES
from ncu_roofline.capture.schema import PATHS, Column
from ncu_roofline.knowledge.verdicts import VERDICTS
from ncu_roofline.present.forms.brief import BRIEF_VERSION
from ncu_roofline.present.forms.json import SCHEMA_VERSION

Schema = Any
"""A JSON Schema: nested dicts and lists."""
DRAFT = "https://json-schema.org/draft/2020-12/schema"
MEASURES = ("seconds", "dram_bytes", "dram_read_bytes", "dram_write_bytes", "flops", "useful_flops")
SUMS = (
    "seconds",
    "dram_bytes",
    "dram_read_bytes",
    "dram_write_bytes",
    "l2_bytes",
    "flops",
    "tensor_flops",
    "scalar_flops",
    "useful_flops",
)
FAMILIES, QUANTITIES, SIDES = ("fc", "attention", "other"), ("bytes", "flops", "seconds"), ("base", "head")
PLACEHOLDERS = {
    "<path>": PATHS,
    "<measure>": SUMS,
    "<side>": SIDES,
    "<quantity>": QUANTITIES,
    "<family>": FAMILIES,
    "<work>": ("executed", "useful", "dense"),
}
CHAIN = ("launches", "work", "role", "sequence", "useful", "placed", "gained")


def a(kind: str, meaning: str = "", *, null: bool = False, **more: Any) -> Schema:
    """One value."""
    described = {"description": meaning} if meaning else {}
    return {"type": [kind, "null"] if null else kind, **described, **more}


def number(meaning: str = "", *, null: bool = True) -> Schema:
    """A number that is null where it is not known."""
    return a("number", meaning, null=null)


def ends_of(what: str) -> Schema:
    """A change with all that is not known in it."""
    said = f"{what}, head / base - 1: the value, and the least and most that it can be; null where the pair is refused"
    return a("object", said, null=True, properties={end: number() for end in ("low", "value", "high")})


def count(meaning: str = "", *, null: bool = False) -> Schema:
    """A whole number."""
    return a("integer", meaning, null=null, minimum=0)


def text(meaning: str = "", *, null: bool = False) -> Schema:
    """A text."""
    return a("string", meaning, null=null)


def texts(meaning: str = "") -> Schema:
    """Texts."""
    return a("array", meaning, items=text())


def thing(meaning: str = "", *, null: bool = False, optional: tuple[str, ...] = (), **keys: Schema) -> Schema:
    """An object with these keys and no others."""
    needed = [key for key in keys if key not in optional]
    return a("object", meaning, null=null, properties=keys, required=needed, additionalProperties=False)


def rows(*parts: str, meaning: str = "", counters: bool = False, **more: Schema) -> Schema:
    """Rows whose columns stand in these parts of the dictionary; none is required, since a row shows what its form asks."""
    columns = [column for part in parts for column in FRAMES[part]]
    families = {pattern(c.name): value(c) for c in columns if "<" in c.name}
    if counters:
        families["^m:"] = number("a counter of the profiler, base SI")
    plain = {c.name: value(c) for c in columns if "<" not in c.name}
    item = {"type": "object", "properties": {**plain, **more}, "additionalProperties": False}
    return a("array", meaning, items={**item, "patternProperties": families} if families else item)


def pattern(name: str) -> str:
    """A column's name as a pattern: every placeholder stands for its members."""
    for mark, members in PLACEHOLDERS.items():
        name = name.replace(mark, f"({'|'.join(members)})")
    return f"^{name}$"


def value(column: Column) -> Schema:
    """A cell of this column."""
    null, said = column.null != "never", f"{column.meaning}{f' ({column.unit})' if column.unit else ''}"
    if isinstance(column.dtype, pl.Enum):
        members = [*column.dtype.categories, *([None] if null else [])]
        return {"enum": members, "description": said}
    if isinstance(column.dtype, pl.Array):
        return a("array", said, null=null, items={"type": "integer"}, minItems=3, maxItems=3)
    if isinstance(column.dtype, pl.List):
        return a("array", said, null=null, items=text())
    if isinstance(column.dtype, pl.Struct):
        names = [field.name for field in column.dtype.fields]
        if "low" in names:
            return thing(said, null=null, **{name: number(null=False) for name in names})
        return thing(said, **{path: number() for path in PATHS}) | {"required": []}
    kinds = {pl.Int64: "integer", pl.Float64: "number", pl.Boolean: "boolean", pl.String: "string"}
    return a(next(kind for dtype, kind in kinds.items() if column.dtype == dtype), said, null=null)


FACT = thing(
    "a fact of the run: value, where it comes from (given, inferred, command line, version default, report, unknown), evidence",
    value={},
    origin=text(),
    evidence=text(),
    low=number("where the value is unknown or varies: the least that it can be; else the value"),
    high=number("the greatest"),
    witnesses=a(
        "array",
        "who speaks for the value and who against it",
        items=thing(
            says=text(),
            low=number(),
            high=number(),
            rank={"enum": list(RANKS), "description": "how far it is believed, most first"},
            agrees=a("boolean", "null where the fact stays unknown", null=True),
        ),
    ),
)
FACTS: dict[str, Any] = dict.fromkeys((f.name for f in fields(Run)), FACT)
RUN = thing("every fact of the run", **FACTS)
KNOWN = RUN | {"required": [], "description": "the known facts of the run"}
RIDGES = a("object", "ridge per path, by datasheet", null=True, additionalProperties=number())
DEVICE = thing(
    "the device as the report and the table tell it",
    name=text(null=True),
    gpu=text(null=True),
    product=text(null=True),
    compute_capability=text(null=True),
    sms=count(null=True),
    bandwidth=number("byte/s"),
    ridge_spec=RIDGES,
)
FIGURE = thing(
    "a figure between its bounds; null is not known",
    value=number(),
    low=number(),
    high=number(),
    origin=text("what it stands on", null=True),
)
STATED = thing(
    "a stated time of the step beside its counters; null where none is stated or no step is known",
    null=True,
    stated_seconds=number(null=False),
    kernel_seconds=number("sum of its kernels under the profiler"),
    achieved_bytes_per_second=number("what the step reads, or moves where reads are not apart; null where a part is unknown"),
    achieved_bytes_per_second_low=number("of what was measured"),
    bandwidth_share=number("of the bandwidth of the device"),
)
PER_TOKEN = thing("of one GPU; dram_bytes are read and written", dram_bytes=FIGURE, seconds=FIGURE)
CEILING = thing(
    "what gains are measured against; null where the device is unknown",
    null=True,
    bandwidth=number("byte/s", null=False),
    kind={"enum": list(CEILINGS), "description": "what says so"},
    table=number("the table's, where a kernel of the capture beats it"),
    kernel=text("that kernel", null=True),
)
AT_CEILINGS = thing(
    "the captured launches, if every one reached its ceiling; null where a gain is unknown",
    null=True,
    seconds=number("kernel time as measured", null=False),
    least=number("the same less the sum of all gains", null=False),
    fixed=number("the part of the gains that is the start of tiny launches: no saving of bytes touches it", null=False),
    tiny=count("those launches"),
)
SPREAD = thing("a figure with its spread", low=number(null=False), value=number(null=False), high=number(null=False))
AMOUNTS = thing(
    "seconds of kernel time on one side",
    typical=SPREAD,
    took=number("what weight matrices and attention took", null=False),
    glue=number("what all other kernels took", null=False),
    borrowed=a(
        "array", "family, GPU and source of typical times that were not fitted on that device", items=a("array", items=text())
    ),
)
BEYOND = thing(
    what=text(),
    role=text(null=True),
    base_name=text(null=True),
    head_name=text(null=True),
    seconds=number(),
    base_bandwidth_share=number(),
    head_bandwidth_share=number(),
)
SIDE_AT_CEILING = thing(
    "seconds of kernel time on one side, and what it would be if every kernel reached its ceiling",
    null=True,
    bandwidth=number("the ceiling, byte/s", null=False),
    kind={"enum": list(CEILINGS), "description": "what says so"},
    seconds=number(null=False),
    least=number(null=False),
)
TYPICAL = thing(
    "what such a change typically gives on matrices and attention of these sizes; null where it is not known",
    null=True,
    speedup=SPREAD,
    seen=number("how many times as fast they became", null=False),
    realised=number("ln(seen) / ln(typical)"),
    base=AMOUNTS,
    head=AMOUNTS,
)
NOTES = texts("what cannot be trusted, the worst first")
BASIS = text("what figures are divided by: token, step, layer, part or capture")


def per(names: tuple[str, ...], suffix: str) -> dict[str, Any]:
    """One number per measure."""
    return {f"{name}{suffix}": number() for name in names}


def schemas() -> dict[str, Any]:
    """The schema of every command that answers in JSON, by the command's name."""
    answers = {**of_a_capture(), **of_several(), **of_none()}
    return {name: finished(name, keys) for name, keys in answers.items()}


def finished(name: str, keys: Schema) -> Schema:
    """A whole schema: every answer begins with its version."""
    version = {"schema_version": {"const": SCHEMA_VERSION}}
    body = {**keys, "properties": {**version, **keys["properties"]}, "required": ["schema_version", *keys["required"]]}
    return {"$schema": DRAFT, "title": f"ncu-roofline {name} --format json", **body}


def of_a_capture() -> dict[str, Any]:
    """Commands on one capture."""
    total = (
        "seconds",
        "dram_bytes",
        "flops",
        "memory_bytes_share",
        "latency_time_share",
        "bandwidth_share",
        "ridge_spec",
        "ridge_profiled",
    )
    shared = {"run": RUN, "device": DEVICE, "notes": NOTES}
    return {
        "summary": thing(
            capture=text(),
            total=thing(launches=count(), kernels=count(), **per(total, "")),
            families=rows("launches", "work", "grouped", family=text("fc, attention, kv-cache, other or unclassified")),
            rows=rows(*CHAIN, "grouped"),
            rows_total=count("kernels in the capture; rows are the longest of them"),
            run=KNOWN,
            device=DEVICE,
            notes=NOTES,
            headline=texts("what moves per token, what limits it, what to do first"),
            per_token=PER_TOKEN,
            step=STATED,
            tokens=a("object", "figures per token", null=True),
            optional=("tokens", "headline", "per_token", "step"),
        ),
        "kernels": thing(
            rows=rows(*CHAIN, "grouped", counters=True),
            rows_total=count("rows before --top"),
            ceiling=CEILING,
            at_ceilings=AT_CEILINGS,
            **shared,
        ),
        "check": thing(
            verdict=text(),
            rows=a(
                "array",
                "findings, the worst first",
                items=thing(code=text(), severity={"enum": ["blocks", "weakens", "note"]}, message=text(), advice=text()),
            ),
            recipe=text("the ncu command that would mend it", null=True),
            **shared,
        ),
        "tokens": tokens(),
        "step": step(),
        "roles": thing(
            "with a capture: rows and rules; with --explain: name, rows and capture; with --names or --unknown: rows",
            rows=rows(*CHAIN, "grouped", kernels=count(), order=count(), rule=text(null=True), pattern=text(), why=text()),
            rules=rows(*CHAIN, "grouped", kernels=count()),
            name=text(),
            optional=("rules", "name", "capture"),
            capture=rows(*CHAIN, "grouped", kernels=count()) | {"type": ["array", "null"]},
        ),
    }


def step() -> Schema:
    """The real step, from a timeline."""
    return thing(
        phase=text("what a step is: a decode step, a pass with tokens of prompts (prefill), or nothing (all)"),
        kernels=count("kernel events of the whole trace"),
        kernel_seconds=number("sum of their durations, overlaps counted twice", null=False),
        span_seconds=number("first start to last end", null=False),
        steps=FIGURE | {"description": "decode steps of the trace; null where none is told"},
        measured_step_seconds=thing("from step to step", median=number(), p10=number(), p90=number()),
        tokens_per_second=number("rows that passes of prompts work on; null of decode steps"),
        busy=number("share of the steps' time in which a kernel runs; of the span where no step is told"),
        overlapped_seconds=number("kernel time beyond the time in which some kernel runs", null=False),
        busy_median=number("the same of the median step"),
        gap_seconds=number("idle time of one step, the mean"),
        gap_seconds_median=number("of the median step"),
        gaps=a(
            "array",
            "idle time of one step by what follows it",
            items=thing(place=text(), gaps=number(), seconds=number(null=False), idle_share=number()),
        ),
        waits_for_host=number("of the idle time, that before kernels launched too late; null where calls are unknown"),
        launch_bound=a("boolean", "whether the host decides how long a step takes", null=True),
        by_kernel=a(
            "array",
            "time by kernel, likewise",
            items=thing(
                kernel=text(null=True),
                role=text(null=True),
                name=text(),
                launches=number(null=False),
                seconds=number(null=False),
                time_share=number(),
            ),
        ),
        matched=number("the smaller of `measured` and `covered`: how far the steps of both are one; null without a capture"),
        measured=number("share of the steps' kernels that the capture measured; of all kernels where no step is told"),
        matched_by_place=number(
            "of those, work of another grid at the same place of the layer: its bytes are of the capture's context"
        ),
        covered=number("share of the launches of the capture's step that a step of the trace has"),
        beside_profiler=a(
            "array",
            "matched kernels of one step, beside their time under the profiler",
            null=True,
            items=thing(
                kernel=text(null=True),
                role=text(null=True),
                name=text(),
                launches=number(null=False),
                seconds=number(null=False),
                profiled_seconds=number(null=False),
                dram_bytes=number(null=False),
                profiled_change=number(),
                reached=number("byte/s"),
            ),
        ),
        floor=thing(
            "with a model: the floor of the step beside it",
            null=True,
            bytes=number(null=False),
            seconds=number(null=False),
            over_floor=number("the median step over its floor", null=False),
            bandwidth_share=number(null=False),
        ),
        achieved_bytes_per_second=number("DRAM bytes of a step over its time; null where a kernel is not matched"),
        achieved_bytes_per_second_low=number("of the matched kernels alone"),
        rows=a(
            "array",
            "time by role: of one step, or of the whole trace where no step is told",
            items=thing(role=text(null=True), launches=number(null=False), seconds=number(null=False), time_share=number()),
        ),
        notes=NOTES,
    )


def tokens() -> Schema:
    """Figures per token."""
    total = {
        **per(MEASURES, ""),
        **per(MEASURES, "_per_step"),
        **per(MEASURES, "_per_token"),
        "dram_bytes_per_token_over_all": number("over all GPUs that share the model"),
        "dram_bytes_per_token_all_layers": number("of the whole model, where steps of some of its layers were captured"),
        "dram_bytes_per_position": number("for one verified row of a step; null where nothing is drafted"),
        **{f"{m}_unknown": count("launches that lack it") for m in MEASURES},
    }
    table = rows(*CHAIN, "grouped", "tokens", "floor")
    maybe = {**table, "type": ["array", "null"]}
    return thing(
        capture=text(),
        basis=BASIS,
        how=text("how the basis was found"),
        tokens=number(),
        steps=number(),
        scale=number(null=False),
        gpus=count(),
        tp=count(),
        launches=count("launches that count"),
        total=thing(**total),
        step=STATED,
        captured=thing(
            "what the window holds, whether it counts or not",
            launches=count(),
            dram_bytes=number(),
            layers=count("layers among the launches that count"),
            launches_left_out=count("launches that do not count: prompts, torn layers, cut steps"),
        ),
        ranks=thing(
            "what the GPUs of the capture move over the launches that count; null of a single one",
            null=True,
            number=count(),
            dram_bytes_low=number("of the idlest", null=False),
            dram_bytes_high=number("of the busiest", null=False),
            imbalance=number("how far the busiest is above the mean", null=False),
        ),
        mixed=thing(
            "whole steps that work on a piece of a prompt beside rows that decode, in no other figure; null without any",
            null=True,
            steps=count("of one GPU"),
            sequences=count("rows that decode, over these steps", null=True),
            prompt_tokens=count("over these steps", null=True),
            dram_bytes=number(),
            decode_attention_bytes=number("of attention that runs for rows that decode alone"),
            prompt_attention_bytes=number("of attention that runs for prompts alone"),
            shared_bytes=number("the rest, weights among it: no byte of it belongs to either"),
            dram_bytes_per_token_low=number("of a token of decode: its own attention"),
            dram_bytes_per_token_high=number("of a token of decode: all but the attention of prompts"),
        ),
        run=RUN,
        by=text("what a row is"),
        rows=table,
        by_step=maybe,
        by_layer=maybe,
        floor=maybe,
        projections=maybe,
        notes=NOTES,
    )


def brief() -> Schema:
    """`--format brief` of summary, tokens, compare and check: the same keys always."""
    keys = thing(
        "at most 4 KB",
        brief_version={"const": BRIEF_VERSION},
        answer=texts("what moves per token, what limits it, what to do first; of a comparison the verdict first"),
        per_token=PER_TOKEN,
        roles=a("array", "shares, or changes of a comparison", items=a("object")),
        fix_first=a("array", "the largest gains", items=a("object")),
        verdict=text(
            "memory, compute, mixed, neither or unknown; of a comparison its verdict; of a check good, doubtful or blocked"
        ),
        unknown=a("array", "what is not known, and why", items=thing(what=text(), why=text())),
        next=text("the command to run next"),
    )
    return {"$schema": DRAFT, "title": "ncu-roofline --format brief", **keys}


def of_several() -> dict[str, Any]:
    """Commands on several captures, and what would be elsewhere."""
    side = thing(base=number(), head=number())
    one = thing(
        base=number(),
        head=number(),
        change=number("head / base - 1"),
        log_change=number(),
        noise=number(null=False),
        noise_measured=a("boolean"),
        moved=a("integer", null=True),
        per=text(),
    )
    law = a("object", "a fit", null=True)
    ends = thing(**{f"{q}{end}": number() for q in ("bytes", "seconds") for end in ("", "_low", "_high")})
    return {
        "history": thing(
            by={"enum": ["role", "kernel"]},
            series=a(
                "array",
                "a workload each: captures that differ in nothing that moves a number by itself",
                items=thing(
                    workload=a("object", "what all captures share; null is not told"),
                    per=text("what numbers are divided by"),
                    points=a(
                        "array", "in order: commit, when, captures, and each metric with level, low and high", items=a("object")
                    ),
                    changes=a(
                        "array",
                        "change points, in order",
                        items=thing(
                            commit=text(null=True),
                            when=text(null=True),
                            metric=text(),
                            role=text("or kernel; `all` where no single one explains it"),
                            relative=number("after / before - 1; null where nothing was before"),
                            reach=number("how far `relative` may be off by chance"),
                            before=number(),
                            after=number(),
                            point=count("number of the point"),
                            earliest_commit=text("where it can lie as well", null=True),
                            latest_commit=text(null=True),
                        ),
                    ),
                    last=a("object", "the last point judged against those before it; null of a single one", null=True),
                    varied=a("object", "facts that differ within the series, with their values"),
                ),
            ),
            gate=a("array", items=a("object")),
        ),
        "compare": thing(
            verdict={"enum": list(VERDICTS)},
            reason=text(),
            title=text(),
            basis=BASIS,
            base=texts(),
            head=texts(),
            comparable=a("boolean"),
            differences=a("array", items=a("object")),
            answers=a(
                "object", "what bytes (cut, same, more) and time (faster, same, slower) did, each on its own, or cannot_tell"
            ),
            bytes_change=ends_of("DRAM bytes"),
            time_change=ends_of("time"),
            assumed=texts(),
            coverage=a("object", "what each side's numbers stand on"),
            numbers=thing(bytes=one, flops=one, seconds=one),
            time_of={"enum": ["kernels", "stated steps", "traced steps"], "description": "what the judged time is of"},
            useful_flops=side,
            realised=number(),
            allowed_speedup=number(),
            speedup=number(),
            beyond_ridge=number(),
            typical=TYPICAL,
            at_ceilings=thing(base=SIDE_AT_CEILING, head=SIDE_AT_CEILING),
            latency_share=side,
            time_beyond_bytes=a("array", "the time that the bytes do not explain, by kernel", items=BEYOND),
            doubt=text("for cannot_tell: what is lacking", null=True),
            doubts=texts(),
            by=text(),
            gate=a("array", items=thing(rule=text(), outcome=text(), measured=number(), limit=number())),
            rows=rows("compared", "role", "sequence"),
            optional=(
                "numbers",
                "time_of",
                "useful_flops",
                "realised",
                "allowed_speedup",
                "speedup",
                "beyond_ridge",
                "typical",
                "at_ceilings",
                "latency_share",
                "time_beyond_bytes",
            ),
        ),
        "sweep": thing(
            along=text(),
            basis=BASIS,
            beside=a("object", "facts that change beside the one that is swept: a value for each row"),
            dram_bytes_at_first_context=number("of the last row, its cache scaled to the context of the first"),
            rows=rows("swept", along={}),
            roles=rows("swept", along={}),
            projections=rows("swept", along={}),
            fits=thing(fc=law, fc_slope=law, fc_expected_slope=number(), fc_measure=text(), attention=law, crossover=law),
        ),
        "project": thing(
            kind={"const": "projection"},
            target=a("object"),
            device=text(),
            basis=BASIS,
            total=ends,
            speedup=thing(low=number(), high=number()),
            latency_share=number(),
            against=a("object", null=True),
            assumptions=texts(),
            rows=rows("projected"),
        ),
    }


def of_none() -> dict[str, Any]:
    """Commands that need no capture."""
    setting = thing(
        batch=count(),
        context=count(null=True),
        weights=text(null=True),
        head=text(null=True),
        kv=text(null=True),
        tp=count(),
        ep=count(),
    )
    return {
        "floor": thing(
            rows=rows("placed", "useful", "floor"),
            matrices=rows("placed", "useful", "role", "floor"),
            model=thing(name=text(), architecture=text(), layers=count(), parameters=number(), active_parameters=number()),
            gpu=thing(name=text(), bandwidth=number(), ridge_spec=RIDGES),
            setting=setting,
            crossover_batch=number("batch at which FC reaches the ridge"),
            memory_batch=count(null=True),
            first=text("which a growing batch meets first", null=True),
            resident_bytes=number(),
            step=thing(
                "a stated step beside the floor; null where none is stated",
                null=True,
                stated_seconds=number(null=False),
                over_floor=number("the step over its floor", null=False),
                bandwidth_share=number("of the bandwidth, by the least bytes", null=False),
            ),
            notes=NOTES,
        ),
        "gpus": thing(rows=rows("devices"), notes=NOTES),
        "recipe": thing(
            command=text(),
            gpu=text(),
            compute_capability=text(),
            architecture=text(),
            dtypes=texts(),
            purpose=text(),
            engine=text(),
            environment=a("object"),
            passes=count(null=True),
            passes_exact=a("boolean"),
            passes_measured=a("integer", null=True),
            whole_step_command=a("string", null=True),
            rows=a("array", items=thing(metric=text(), why=text())),
            options=a("array", items=thing(option=text(), why=text())),
            notes=texts(),
            snippet=text(null=True),
            cost=text(null=True),
            doubts=texts(),
        ),
    }
