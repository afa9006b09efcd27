"""What every command shares: grouped help with its example apart, and `--quiet`."""

from __future__ import annotations

import glob
import os
from collections import defaultdict
from collections.abc import Callable
from functools import cache
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from ncu_roofline.cli import notes

ARGUMENTS, OPTIONS = "Arguments", "Options"
LAST = ("Output", OPTIONS)
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", callback=notes.silence, help="No notes on standard error.", rich_help_panel="Output")
]


@cache
def quiet_option() -> Any:
    """The option as typer makes it; commands do not see its value."""
    probe = typer.Typer()

    @probe.command()
    def nothing(quiet: Quiet = False) -> None:
        """Only its option is wanted."""

    option = next(p for p in typer.main.get_command(probe).params if p.name == "quiet")
    option.expose_value = False
    return option


class Command(TyperCommand):
    """A command whose help has one section per group of options."""

    def get_params(self, ctx: Any) -> Any:
        """Its own parameters, and those that every command has."""
        own = super().get_params(ctx)
        return own if quiet_option() in own else [*own, quiet_option()]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As typer's; a wrong value is told without the words of the library that looked at it."""
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            error.message = error.message.removeprefix("Value error, ").partition(", unable to parse")[0]
            raise

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """`[OPTIONS]`, then the arguments as the help calls them."""
        arguments = [spelling(p) for p in self.get_params(ctx) if p.param_type_name == "argument"]
        return [*([self.options_metavar] if self.options_metavar else []), *arguments]

    def format_help_text(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002  typer's own signature
        """What it does; then its example, never broken over lines, so that it can be copied."""
        purpose, example = parts(self.help or "")
        with formatter.indentation():
            formatter.write_paragraph()
            formatter.write_text(purpose)
        if example:
            with formatter.section("Example"):
                formatter.write("".join(f"{'':{formatter.current_indent}}{line}\n" for line in example.splitlines()))

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments, then options by group; what concerns the output comes last."""
        for title, records in grouped(self, ctx).items():
            with formatter.section(title):
                formatter.write_dl(records)


class Group(TyperGroup):
    """A group whose list of commands cuts no sentence short, and whose first word may be a capture."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """A file, folder or glob in place of a command is summed up."""
        if ctx.parent is None and self.get_command(ctx, args[0]) is None and looks_like_a_capture(args[0]):
            args = ["summary", *args]
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Every command with its purpose."""
        listed = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, parts(found.help or "")[0].split("\n\n")[0]) for name, found in listed if found])


def looks_like_a_capture(word: str) -> bool:
    """Whether a word that is no command names what can be read: a file or folder that is there, a glob, `-`."""
    return word == "-" or glob.has_magic(word) or os.path.lexists(word) or word.endswith((".ncu-rep", ".ncu-repz"))


def parts(text: str) -> tuple[str, str]:
    """The purpose and the example of a command's docstring."""
    purpose, _, example = text.partition("Example:")
    return purpose.strip(), "\n".join(line.strip() for line in example.strip().splitlines())


def grouped(command: Command, ctx: Any) -> dict[str, list[tuple[str, str]]]:
    """Help records of a command's parameters by the title of their section, in the order to show."""
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for param in command.get_params(ctx):
        if record := param.get_help_record(ctx):
            argument = param.param_type_name == "argument"
            shown = (spelling(param), record[1]) if argument else record
            found[getattr(param, "rich_help_panel", None) or (ARGUMENTS if argument else OPTIONS)].append(shown)
    order = [ARGUMENTS, *(t for t in found if t != ARGUMENTS and t not in LAST), *LAST]
    return {title: found[title] for title in order if title in found}


def spelling(argument: Any) -> str:
    """How an argument is written in usage, help and documentation: `CAPTURE...`, `NAME`."""
    return str(argument.metavar or argument.name.upper())


class App(typer.Typer):
    """A typer application whose commands are ours."""

    def __init__(self, **how: Any) -> None:
        super().__init__(cls=Group, **how)

    def command(self, name: str | None = None, *, cls: type[TyperCommand] | None = None, **how: Any) -> Callable[[Any], Any]:
        """As typer's, with grouped help and `--quiet`."""
        return super().command(name, cls=cls or Command, **how)
