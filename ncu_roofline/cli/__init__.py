"""The command line: a command reads, analyses, renders, writes; main() turns errors into exit codes."""

from __future__ import annotations

import sys

from ncu_roofline.errors import RooflineError


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; an error of ours is one sentence and its exit code, never a traceback."""
    from ncu_roofline.cli import commands, streams
    from ncu_roofline.cli.app import app

    streams.prepare()
    commands.register()
    try:
        app(arguments)
    except RooflineError as error:
        from ncu_roofline.present.documents.grammar import options
        from ncu_roofline.present.forms.text import clean

        print(f"ncu-roofline: {clean(options(str(error)))}", file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:  # of a stream; files are the readers' and the writer's own business
        streams.abandon()
        print(f"ncu-roofline: cannot read or write ({error.strerror or type(error).__name__})", file=sys.stderr)
        sys.exit(streams.STOPPED if isinstance(error, BrokenPipeError) else RooflineError.exit_code)
