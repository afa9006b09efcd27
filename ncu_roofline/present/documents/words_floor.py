"""Words of what a floor rests on."""

from __future__ import annotations

from ncu_roofline.analysis.model.floor import Doubt


def doubt(found: Doubt) -> str:
    """One doubt as a note; parameters as the library spells them.

    >>> doubt(Doubt("long_context", {"model": "llama-2-7b", "context": 5000, "longest": 4096}))
    'context 5,000 is beyond the 4,096 tokens that llama-2-7b was made for'
    """
    of = found.of
    match found.what:
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
    return str(of["told"])
