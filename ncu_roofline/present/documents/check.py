"""Findings -> whether a capture can be trusted, and what would mend it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import polars as pl

from ncu_roofline.analysis.health.health import BLOCKS, WEAKENS, Finding
from ncu_roofline.analysis.study import Study
from ncu_roofline.present.documents.brief import of_check
from ncu_roofline.present.documents.grammar import fact, unsaid
from ncu_roofline.present.documents.summary import device_data
from ncu_roofline.present.documents.words_health import doubt, words
from ncu_roofline.present.forms.document import Document
from ncu_roofline.present.forms.short import file_name

PRIVATE = {".ncu-rep": ".ncu-repz", ".ncu-repz": ".ncu-repz", ".csv": ".csv"}
"""Files of the profiler, which name host and folders, and how they are named without."""


def to_others(name: str) -> Iterator[str]:
    """How to attach a capture; nothing for what has neither host nor folders in it."""
    end = PRIVATE.get(name[name.rfind(".") :])
    if end:
        yield f"To attach it somewhere, without host, user, folders and modules: `ncu-roofline slim CAPTURE -o slim{end}`."


def document(study: Study, findings: Sequence[Finding], recipe: str = "") -> Document:
    """Can this capture be trusted? The worst first, then what would mend it."""
    counts = {s: sum(f.severity == s for f in findings) for s in (BLOCKS, WEAKENS, "note")}
    name = file_name(study.capture.name)
    if counts[BLOCKS]:
        verdict = f"{name} cannot answer everything: {counts[BLOCKS]} thing{'s' * (counts[BLOCKS] > 1)} missing"
    elif counts[WEAKENS]:
        verdict = f"{name} can be used with care: {counts[WEAKENS]} doubt{'s' * (counts[WEAKENS] > 1)}"
    else:
        verdict = f"{name} can be used: nothing is missing"
    rows = pl.DataFrame(
        {
            "severity": [f.severity for f in findings],
            "code": [f.code for f in findings],
            "message": [words(f)[0] for f in findings],
            "advice": [words(f)[1] for f in findings],
        },
        schema={"severity": pl.String, "code": pl.String, "message": pl.String, "advice": pl.String},
    )
    facts = {name: known for name, known in study.run.known().items() if not unsaid(name, known)}
    how = "; ".join(f"{name.replace('_', ' ')} {fact(known.value)} ({known.origin})" for name, known in facts.items())
    return Document(
        answer=(f"{verdict}.", *([f"How it was measured: {how}."] if how else []), *to_others(study.capture.name)),
        doubts=tuple(f"[{f.severity}] {doubt(f)}" for f in findings),
        command=recipe,
        brief=partial(of_check, study, findings, verdict, recipe),
        data={
            "verdict": verdict,
            "rows": rows,
            "run": study.run,
            "device": device_data(study),
            "notes": [doubt(f) for f in findings],
            "recipe": recipe or None,
        },
    )
