"""`check`: says what in a capture cannot be trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ncu_roofline.cli.app import app
from ncu_roofline.cli.options import Captures, Force, GpuName, Output, PhaseKind, ReaderKind, RolesFile, Told
from ncu_roofline.errors import UnusableInput

if TYPE_CHECKING:
    from ncu_roofline.analysis.study import Study


@app.command()
def check(
    captures: Captures,
    phase: PhaseKind = None,
    gpu: GpuName = None,
    reader: ReaderKind = "auto",
    roles: RolesFile = None,
    form: Told = "table",
    output: Output = None,
    force: Force = False,
) -> None:
    """Say what in a capture cannot be trusted, and how to capture it better.

    Example: ncu-roofline check decode.ncu-rep
    """
    from ncu_roofline.analysis.health.health import gaps, health
    from ncu_roofline.cli.load import load
    from ncu_roofline.cli.output import write
    from ncu_roofline.present.documents import check as words

    study = load(captures, gpu=gpu, reader=reader, roles=roles, phase=phase)
    findings = health(study)
    recipe = mending(study, gaps(findings))
    write(words.document(study, findings, recipe), form, output, force)


def mending(study: Study, missing: set[str]) -> str:
    """The capture command that would bring what is missing; empty where none would, or no recipe fits the device."""
    from ncu_roofline.knowledge.recipe import for_gap
    from ncu_roofline.present.documents.recipe import command

    gpu = study.gpu
    if not missing or gpu is None or gpu.compute_capability is None:
        return ""
    try:
        recipe = for_gap(missing, gpu=(gpu.name, gpu.compute_capability))
    except UnusableInput:  # an architecture whose metric names nobody wrote down yet
        return ""
    asked = {f"m:{metric.part}" for metric in recipe.metrics}
    return "" if asked <= set(study.capture.launches.columns) else command(recipe)
