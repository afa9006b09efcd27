"""Bytes per token and rooflines of decode, from Nsight Compute captures.

    import ncu_roofline as nr

    capture = nr.read("decode.ncu-rep", batch=8)
    nr.summary(capture)             # what moves per token, what limits it, what to do first
    nr.place(capture)               # one row per launch, against its roofs
    nr.per_token(capture)           # bytes, FLOPs and seconds per token
    nr.charts.roofline(capture)     # an Altair chart

Nothing is imported before it is used: `import ncu_roofline` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ncu_roofline import charts
    from ncu_roofline.analysis.compare.compare import Comparison
    from ncu_roofline.analysis.project.project import Projection
    from ncu_roofline.analysis.study import Study
    from ncu_roofline.analysis.sweep.sweep import Sweep
    from ncu_roofline.api import (
        check,
        compare,
        floor,
        gpus,
        ingest,
        kernels,
        per_token,
        place,
        project,
        read,
        save,
        study,
        summary,
        sweep,
    )
    from ncu_roofline.capture.capture import Capture, Device, Fact, Run
    from ncu_roofline.errors import NotComparable, RooflineError, UnreadableCapture, UnusableInput

__all__ = [
    "Capture",
    "Comparison",
    "Device",
    "Fact",
    "NotComparable",
    "Projection",
    "RooflineError",
    "Run",
    "Study",
    "Sweep",
    "UnreadableCapture",
    "UnusableInput",
    "charts",
    "check",
    "compare",
    "floor",
    "gpus",
    "ingest",
    "kernels",
    "per_token",
    "place",
    "project",
    "read",
    "save",
    "study",
    "summary",
    "sweep",
]

HOMES = {
    "Capture": "capture.capture",
    "Comparison": "analysis.compare.compare",
    "Device": "capture.capture",
    "Fact": "capture.capture",
    "NotComparable": "errors",
    "Projection": "analysis.project.project",
    "RooflineError": "errors",
    "Run": "capture.capture",
    "Study": "analysis.study",
    "Sweep": "analysis.sweep.sweep",
    "UnreadableCapture": "errors",
    "UnusableInput": "errors",
}
"""Module of each name that is not a function of api.py."""


def __getattr__(name: str) -> Any:
    """A public name, from its module, the first time that it is asked for."""
    if name == "charts":
        return import_module("ncu_roofline.charts")
    if name == "__version__":
        from importlib.metadata import version

        return version("ncu-roofline")
    if name not in __all__:
        raise AttributeError(f"module 'ncu_roofline' has no attribute {name!r}")
    return getattr(import_module(f"ncu_roofline.{HOMES.get(name, 'api')}"), name)


def __dir__() -> list[str]:
    """The public names."""
    return [*__all__, "__version__"]
