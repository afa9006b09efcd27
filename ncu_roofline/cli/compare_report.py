"""`report BASE HEAD`: the files of a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ncu_roofline.analysis.compare.comparability import vary_of
from ncu_roofline.analysis.compare.compare import Comparison, compare
from ncu_roofline.analysis.roofline.picture import picture
from ncu_roofline.cli.load import load
from ncu_roofline.present.charts import bundle


def comparison_files(
    captures: list[str], choices: dict[str, Any], *, vary: list[str], anyway: bool, image_base: str
) -> tuple[Comparison, Mapping[str, bytes]]:
    """The comparison of two captures, and every file that shows it."""
    wanted = vary_of(vary)
    base, head = (load([capture], **choices) for capture in captures)
    comparison = compare([base], [head], vary=wanted, anyway=anyway)
    kernels = bundle.by_share(picture(head, "kernel", ridge=choices["ridge"]).marks)
    return comparison, bundle.comparison_files(comparison, kernels, image_base=image_base)
