"""The typer application; command modules hang their commands on it."""

from __future__ import annotations

import typer

app = typer.Typer(
    name="ncu-roofline",
    help="Bytes per token and rooflines of language-model decode, from Nsight Compute captures.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
