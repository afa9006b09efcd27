"""Words of what an answer rests on: doubts, defaults and contradictions; parameters as the library spells them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ncu_roofline.analysis.notes import Note


def note(found: str | Note) -> str:
    """One note; what the reader or the device table says is a sentence already.

    >>> note(Note("long_context", {"model": "llama-2-7b", "context": 5000, "longest": 4096}))
    'context 5,000 is beyond the 4,096 tokens that llama-2-7b was made for'
    >>> note("q1.csv: damaged")
    'q1.csv: damaged'
    """
    if isinstance(found, str):
        return found
    return of_floor(found.what, found.of) or of_run(found.what, found.of) or str(found.of["told"])


def of_floor(what: str, of: Mapping[str, Any]) -> str | None:
    """What a floor assumes."""
    match what:
        case "assumed_type":
            return f"{of['model']} names no data type: {of['dtype']} is assumed, `weights=` says another"
        case "no_context":
            return "without `context=` the KV cache is left out"
        case "long_context":
            return f"context {of['context']:,} is beyond the {of['longest']:,} tokens that {of['model']} was made for"
        case "too_large":
            return (
                f"{of['bytes'] / 1e9:,.1f} GB of weights do not fit into {of['gpus']} x {of['memory'] / 1e9:,.0f} GB: "
                "the floor is that of a part with this bandwidth and more memory; a larger `tp=` shares the weights"
            )
        case "narrowed_head":
            return (
                f"the LM head is counted in {of['weights']} too, as the least it can take; engines often leave it in "
                f"{of['wide']}: `head={of['wide']}` adds {of['bytes'] / 1e9:,.2f} GB a step"
            )
        case "even_routing":
            return "distinct experts are those expected if routing is even; real routing is not"
    return None


def of_run(what: str, of: Mapping[str, Any]) -> str | None:
    """What is stated of a run and seen otherwise, and which launches do not count."""
    match what:
        case "contradicted":
            return (
                f"{of['name']} is stated as {of['stated']}, but the capture shows {of['seen']} ({of['evidence']}); "
                f"{of['stated']} is used"
            )
        case "too_few_tokens":
            return (
                f"tokens is stated as {of['stated']}, but whole decode steps seen: {of['steps']}, batch {of['batch']}, "
                f"so {of['made']:g}; {of['stated']} is used"
            )
        case "part_of_whole_steps":
            stated = f"layers captured is stated as {of['part']}/{of['every']}"
            return f"{stated}, but the capture shows {of['steps']} whole decode step{'s' * (of['steps'] != 1)}: those count"
        case "more_layers":
            stated = f"{of['part']}/{of['every']}"
            return f"layers captured is stated as {stated}, but the capture shows {of['seen']} whole layers; {stated} is used"
        case "another_model":
            shows = f"the capture shows {of['seen']} ({of['evidence']})"
            return f"{of['model']} has {of['layers']} layers, but {shows}: is it that model?"
        case "other_context":
            reads = f"attention reads the KV cache of {of['seen']:,} tokens per sequence"
            return f"context is stated as {of['stated']:,}, but {reads}"
        case "left_out":
            where = "outside of whole decode steps or whole layers" if of["phase"] == "decode" else "no prefill"
            return f"{of['launches']:,} of {of['of']:,} launches are {where} and left out (--phase all counts them)"
        case "other_gpu":
            return f"The capture says {of['capture']}, `gpu=` says {of['gpu']}: roofs are those of `gpu=`"
        case "other_capability":
            says = f"The capture says compute capability {of['capture']}, `gpu=` says {of['gpu']} ({of['its']})"
            return f"{says}: roofs are those of `gpu=`"
    return None
