"""The modules that hold commands, in the order in which help lists them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

import typer.main

MODULES = (
    "summary",
    "kernels",
    "check",
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


@cache
def built() -> Callable[[list[str] | None], Any]:
    """The whole application, built once: for a process that runs several commands, that is a good part of their time."""
    from ncu_roofline.cli.app import app

    register()
    return typer.main.get_command(app)


def register() -> None:
    """Import every command module; importing one hangs its command on the application."""
    for name in MODULES:
        import_module(f"{__package__}.{name}")
