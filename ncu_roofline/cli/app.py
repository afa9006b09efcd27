"""The typer application; command modules hang their commands on it."""

from __future__ import annotations

from typing import Annotated

import typer

from ncu_roofline.cli.command import App
from ncu_roofline.errors import EXIT_CODES

app = App(
    name="ncu-roofline",
    help="Bytes per token and rooflines of language-model decode, from Nsight Compute captures.",
    epilog="Exit codes: " + "; ".join(f"{code} {meaning.split(':')[0]}" for code, meaning in EXIT_CODES.items()) + ".",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def told(wanted: bool) -> None:
    """Prints the versions and ends, where they were asked for."""
    if wanted:
        from ncu_roofline.cli.version import versions

        typer.echo(versions())
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", is_eager=True, callback=told, help="Show versions of program, readers and formats.")
]


@app.callback()
def every_command(version: Version = False) -> None:
    """Bytes per token and rooflines of language-model decode, from Nsight Compute captures."""
