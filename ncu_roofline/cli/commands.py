"""The modules that hold commands, in the order in which help lists them."""

from __future__ import annotations

from importlib import import_module

MODULES = (
    "summary",
    "kernels",
    "tokens",
    "roles",
    "plot",
    "report",
    "compare",
    "sweep",
    "project",
    "step",
    "floor",
    "recipe",
    "save",
    "ingest",
    "history",
    "slim",
    "gpus",
    "demo",
)


def register() -> None:
    """Import every command module; importing one hangs its command on the application."""
    for name in MODULES:
        import_module(f"{__package__}.{name}")
