"""The ncu command that answers everything this tool asks in the fewest replay passes, and why."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ncu_roofline.errors import UnusableInput
from ncu_roofline.knowledge.toml import read_once

DEFAULT_GPU = ("H100", "9.0")
OUTPUT = "decode.ncu-rep"
STEP = "step.ncu-rep"
"""Of the whole step as one result."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One part of the command and why it is there."""

    part: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How to capture: the command, each option's and metric's reason, cost and notes."""

    gpu: str
    architecture: str
    compute_capability: str
    dtypes: tuple[str, ...]
    purpose: str
    engine: str
    environment: Mapping[str, str]
    options: tuple[Reason, ...]
    metrics: tuple[Reason, ...]
    program: tuple[str, ...]
    passes: int | None
    """Replay passes that NVIDIA's scheduler predicts; None where nobody computed them."""
    passes_exact: bool
    """False: computed for more dtypes than asked, so an upper bound."""
    notes: tuple[str, ...]
    whole: tuple[str, ...]
    """The first command, word by word: the whole step as one graph result; empty where the engine marks no step."""
    measured: tuple[int, str] | None
    """Passes that a GPU needed, and the version of Nsight Compute that counted them."""
    snippet: str
    """Code that marks the step; empty where the engine does it."""
    cost: str
    doubts: tuple[str, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """The command as a shell takes it, word by word."""
        variables = [f"{k}={shlex.quote(v)}" for k, v in {"LC_ALL": "C", **self.environment}.items()]
        options = [word for option in self.options for word in option.part.split()]
        names = ",".join(metric.part for metric in self.metrics)
        end = ["--metrics", names, "-f", "-o", OUTPUT, *map(shlex.quote, self.program)]
        return (*variables, "ncu", *options, *end)

    @property
    def command(self) -> str:
        """The command on one line, ready to run."""
        return " ".join(self.words)


table = partial(read_once, "recipes.toml")


def architecture(compute_capability: str) -> dict[str, Any]:
    """Metric names and passes of an architecture; UnusableInput where none is known."""
    for found in table()["architecture"]:
        if compute_capability in found["compute_capabilities"]:
            return dict(found)
    known = [c for found in table()["architecture"] for c in found["compute_capabilities"]]
    raise UnusableInput(f"No metric names are known for compute capability {compute_capability}; known: {', '.join(known)}.")


def recipe(
    gpu: tuple[str, str] = DEFAULT_GPU,
    *,
    dtypes: Sequence[str] = (),
    engine: str = "torch",
    purpose: str = "decode",
    program: Sequence[str] = (),
) -> Recipe:
    """The recipe for this GPU (name, compute capability); dtypes default to the architecture's usual."""
    name, capability = gpu
    facts, how = architecture(capability), _known("engine", engine)
    _known("purpose", purpose)
    wanted = tuple(dict.fromkeys(dtypes)) or tuple(facts["default"])
    _check_dtypes(wanted, facts)
    counted = purpose != "bytes"
    tried = [row for row in table()["measured"] if capability in row["compute_capabilities"]]
    passes, exact = _passes(wanted, facts) if counted else (table()["base"]["passes"], True)
    return Recipe(
        gpu=name,
        architecture=facts["name"],
        compute_capability=capability,
        dtypes=wanted if counted else (),
        purpose=purpose,
        engine=engine,
        environment=how.get("environment", {}),
        options=_options(how["window"]),
        metrics=(*_base(facts), *(_work(wanted, facts) if counted else ())),
        program=tuple(program) or tuple(how["command"]),
        passes=passes,
        passes_exact=exact,
        notes=(*how["notes"], *table()["notes"]["always"]),
        snippet=how.get("snippet", "").strip(),
        whole=_whole(facts, how, engine, tuple(program)) if purpose == "decode" else (),
        measured=next(((row["passes"], row["version"]) for row in tried if counted and row["dtypes"] == list(wanted)), None),
        cost=" ".join([table()["notes"]["cost"], *(row["says"] for row in tried)]),
        doubts=_doubts(facts, passes, counted),
    )


def _whole(facts: Mapping[str, Any], how: Mapping[str, Any], engine: str, program: tuple[str, ...]) -> tuple[str, ...]:
    """The command for the whole step as one graph result, word by word."""
    rules = table()["whole"]
    if engine not in rules["engines"]:
        return ()
    variables = [f"{k}={shlex.quote(v)}" for k, v in {"LC_ALL": "C", **how.get("environment", {})}.items()]
    options = [rules["replaced"].get(option.part, option.part) for option in _options(how["window"])]
    kept = [word for option in options if option not in rules["without"] for word in option.split()]
    memory = [m["name"] for m in table()[facts["memory"]]["metrics"] if m["name"].endswith(".sum")]
    metrics = ",".join([*rules["metrics"], *memory])
    return (*variables, "ncu", *kept, "--metrics", metrics, "-f", "-o", STEP, *map(shlex.quote, program or how["command"]))


def for_gap(missing: Iterable[str], *, gpu: tuple[str, str] = DEFAULT_GPU) -> Recipe:
    """The recipe that would mend a capture without these: "flops" needs the whole, all else one pass.

    Known gaps: seconds, bytes, flops, grid, nvtx.
    """
    gaps = set(missing)
    strange = sorted(gaps - {"seconds", "bytes", "flops", "grid", "nvtx"})
    if strange:
        raise UnusableInput(f"No recipe mends {', '.join(strange)}; known gaps: bytes, flops, grid, nvtx, seconds.")
    return recipe(gpu, purpose="decode" if "flops" in gaps else "bytes")


def _known(kind: str, name: str) -> Any:
    """The table's entry; UnusableInput with the known ones otherwise."""
    known = table()[kind]
    if name not in known:
        raise UnusableInput(f"{name}: no such {kind}; known: {', '.join(known)}.")
    return known[name]


def _check_dtypes(dtypes: Sequence[str], facts: Mapping[str, Any]) -> None:
    """Every dtype has a counter on this architecture."""
    strange = [d for d in dtypes if d not in facts["tensor"]]
    if strange:
        raise UnusableInput(
            f"{', '.join(strange)}: no tensor counter on {facts['name']}; known: {', '.join(facts['tensor'])}. "
            "Name the type that is multiplied: a kernel with 4-bit weights and 16-bit activations multiplies in bf16."
        )


def _passes(dtypes: Sequence[str], facts: Mapping[str, Any]) -> tuple[int | None, bool]:
    """Predicted passes with the scalar counters; those of the smallest listed superset otherwise."""
    scalar = table()["scalar"]["passes"]
    fitting = [(row["count"], set(row["dtypes"])) for row in facts["passes"] if set(dtypes) <= set(row["dtypes"])]
    if not fitting:
        return None, False
    count, listed = min(fitting, key=lambda row: (row[1] != set(dtypes), row[0]))
    return count + scalar, listed == set(dtypes)


def _base(facts: Mapping[str, Any]) -> list[Reason]:
    """Time, clocks, L2 and memory, under the names of this architecture."""
    rows = [*table()["base"]["metrics"], *table()[facts["memory"]]["metrics"]]
    return [Reason(row["name"], row["why"]) for row in rows]


def _work(dtypes: Sequence[str], facts: Mapping[str, Any]) -> list[Reason]:
    """Tensor and scalar FLOPs, and the dense roof where its counters are part of the total's."""
    tensor, scalar = table()["tensor"], table()["scalar"]
    work = [Reason(tensor["metric"].format(facts["tensor"][d]), tensor["why"].format(d)) for d in dtypes]
    roofs = facts.get("roof", {})
    work += [Reason(tensor["roof"].format(roofs[d]), tensor["roof_why"].format(d)) for d in dtypes if d in roofs]
    kinds = {**scalar["names"], **facts.get("packed", {})}
    return work + [Reason(scalar["metric"].format(kind), why) for kind, why in kinds.items()]


def _options(window: str) -> tuple[Reason, ...]:
    """Options in order; the window is the engine's."""
    return tuple(
        Reason(" ".join(table()["window"][window]), row["why_count"] if window == "counted" else row["why"])
        if row["flags"] == "window"
        else Reason(" ".join(row["flags"]), row["why"])
        for row in table()["option"]
    )


def _doubts(facts: Mapping[str, Any], passes: int | None, counted: bool) -> tuple[str, ...]:
    """What cannot be promised for this architecture."""
    name, tensor = facts["name"], table()["tensor"]
    said = {
        facts.get("doubt", ""): "doubt" in facts,
        f"Nobody computed the passes of this list for {name}; every tensor name together costs {tensor['all_passes']}.": (
            passes is None
        ),
        "The packed FP32 counters (fadd2, fmul2, ffma2) were not in the list whose passes were computed; they may add one.": (
            "packed" in facts and counted
        ),
        f"{name} has no counter of memory traffic: L2 misses stand in for it.": facts["memory"] == "memory_none",
        f"Tensor counters by type need Nsight Compute {tensor['first_version']} or newer.": counted,
    }
    return tuple(doubt for doubt, holds in said.items() if holds)
