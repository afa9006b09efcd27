"""Captures -> what a report is made of: the numbers and words of one, the files of a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ncu_roofline.analysis.compare.comparability import vary_of
from ncu_roofline.analysis.compare.compare import Comparison, compare
from ncu_roofline.analysis.health.health import health
from ncu_roofline.analysis.model.measured import against_floor, projections
from ncu_roofline.analysis.roofline.gains import fix_first
from ncu_roofline.analysis.roofline.groups import group
from ncu_roofline.analysis.roofline.overview import overview
from ncu_roofline.analysis.roofline.picture import picture
from ncu_roofline.analysis.run.role_bytes import along, role_bytes
from ncu_roofline.analysis.run.tokens import of_shown, per_token, totals
from ncu_roofline.analysis.study import Study
from ncu_roofline.cli.load import load
from ncu_roofline.knowledge.models.model import Model
from ncu_roofline.present.charts import bundle
from ncu_roofline.present.documents import answer, summary
from ncu_roofline.present.documents import tokens as token_words
from ncu_roofline.present.forms.document import Document


def material(study: Study, ridge: str, image_base: str) -> bundle.Material:
    """Every analysis that the bundle shows, once."""
    launches, run = study.launches, study.run
    known = study.model
    numbers, whole, groups = overview(study), of_shown(launches, run), group(launches)
    first = fix_first(groups)
    return bundle.Material(
        picture=picture(study, ridge=ridge),
        answer=answer.answer(study, numbers, whole, first),
        strip=answer.strip(study, numbers, whole, first),
        roles=role_bytes(launches, run, known),
        along=along(launches, run),
        summary=summary.document(study, numbers, groups, health(study)),
        tokens=tokens(study, known),
        image_base=image_base,
    )


def tokens(study: Study, known: Model | None) -> Document:
    """What the `tokens` command says."""
    launches, run = study.launches, study.run
    tables = token_words.Tables(
        main=per_token(launches, run, "role", study.phase),
        by="role",
        steps=per_token(launches, run, "step", study.phase),
        layers=per_token(launches, run, "layer", study.phase),
        floor=against_floor(launches, run, known) if known else None,
        projections=projections(study.every, run, known) if known else None,
    )
    return token_words.document(study, totals(launches, run, study.phase), tables)


def comparison_files(
    captures: list[str], choices: dict[str, Any], *, vary: list[str], anyway: bool, image_base: str
) -> tuple[Comparison, Mapping[str, bytes]]:
    """The comparison of two captures, and every file that shows it."""
    wanted = vary_of(vary)
    base, head = (load([capture], **choices) for capture in captures)
    comparison = compare([base], [head], vary=wanted, anyway=anyway)
    kernels = bundle.by_share(picture(head, "kernel", ridge=choices["ridge"]).marks)
    return comparison, bundle.comparison_files(comparison, kernels, image_base=image_base)
