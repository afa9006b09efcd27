"""A summary as a notebook wants it: frames and text, and how it shows itself."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import polars as pl

from ncu_roofline.analysis.health.health import health
from ncu_roofline.analysis.roofline.gains import fix_first
from ncu_roofline.analysis.roofline.groups import group
from ncu_roofline.analysis.roofline.overview import overview
from ncu_roofline.analysis.run.tokens import of_shown
from ncu_roofline.analysis.study import Study
from ncu_roofline.present.documents import brief, summary
from ncu_roofline.present.forms import terminal


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Summary:
    """What one capture says."""

    answer: tuple[str, ...]
    """What moves per token, what limits it, what to do first."""
    per_token: dict[str, Any]
    """dram_bytes and seconds of a token, each with value, low, high and origin."""
    roles: pl.DataFrame
    fix_first: pl.DataFrame
    kernels: pl.DataFrame
    doubts: tuple[str, ...]
    text: str
    """All of it as the command prints it."""

    def __str__(self) -> str:
        """As the command prints it."""
        return self.text

    def __repr__(self) -> str:
        """The answer's first sentence."""
        return f"Summary({self.answer[0] if self.answer else 'nothing measured'})"

    def _repr_html_(self) -> str:
        """The answer above the text; nothing in it is markup."""
        first = "".join(f"<p><strong>{escape(sentence)}</strong></p>" for sentence in self.answer)
        rest = self.text.partition("\n\n")[2]
        return f"{first}<pre>{escape(rest)}</pre>"


def summed_up(study: Study) -> Summary:
    """The summary of a study."""
    numbers, groups, findings = overview(study), group(study.launches), health(study)
    whole = of_shown(study.launches, study.run)
    document = summary.short(study, numbers, groups, findings, whole)
    return Summary(
        answer=document.answer,
        per_token=brief.per_token(study, whole),
        roles=numbers.roles,
        fix_first=fix_first(groups),
        kernels=groups,
        doubts=document.doubts,
        text=terminal.render(document, 100),
    )
