"""The headline figure of a summary: bytes per token, or what is missing to say them."""

from __future__ import annotations

from ncu_roofline.analysis.run.tokens import Totals
from ncu_roofline.analysis.study import Study
from ncu_roofline.present.documents.grammar import capital
from ncu_roofline.present.documents.words_tokens import amount, found, no_decode, per, several_wholes, stated_step

UNKNOWN = (
    "Neither steps nor tokens are known here, so these are the sums of the capture: state --steps, --tokens or "
    "--layers-captured."
)


def headline(study: Study, whole: Totals) -> str:
    """Bytes, time and work per token with what they stand on; nothing where nothing was measured."""
    if study.launches.height and not whole.launches:
        return capital(no_decode(study))
    if whole.sums["dram_bytes"] is None and whole.sums["seconds"] is None:
        return ""
    if whole.basis == "capture":
        return several_wholes(study, whole) or UNKNOWN
    batch = study.run.batch
    known = f", batch {batch.value} ({batch.origin})" if batch.value is not None else ""
    return f"{per(whole).capitalize()}: {amount(study, whole)}; from {found(whole)}{known}. {stated_step(study, whole)}".strip()
