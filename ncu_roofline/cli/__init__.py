"""The command line: a command reads, analyses, renders, writes; main() turns errors into exit codes."""

from __future__ import annotations

import signal
import sys
import traceback
from types import FrameType

from ncu_roofline.errors import RooflineError

FAULT = 70
"""Exit code of an error that nobody foresaw (EX_SOFTWARE): never 1, which says that a gate failed."""


INTERRUPTED = 128 + signal.SIGINT
"""Exit code of a command that a person stopped."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; what a person stops ends in silence."""
    try:
        run(arguments)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    finally:  # nothing is left to tidy: a request to end that comes now must not fail in Python's own last steps
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def run(arguments: list[str] | None) -> None:
    """The command; an error of ours is one sentence and its exit code, never a traceback."""
    from ncu_roofline.cli import commands, streams

    streams.prepare()
    signal.signal(signal.SIGTERM, ended)
    try:
        commands.built()(arguments)
    except RooflineError as error:
        from ncu_roofline.present.documents.grammar import options
        from ncu_roofline.present.forms.text import clean

        print(f"ncu-roofline: {clean(options(str(error)))}", file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:  # of a stream; files are the readers' and the writer's own business
        streams.abandon()
        print(f"ncu-roofline: cannot read or write ({error.strerror or type(error).__name__})", file=sys.stderr)
        sys.exit(streams.STOPPED if isinstance(error, BrokenPipeError) else RooflineError.exit_code)
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # typer's own answer to it is 1, which says that a gate failed
            streams.abandon()
            sys.exit(streams.STOPPED)
        raise
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # a panic below polars is no Exception
        print(fault(error), file=sys.stderr)
        sys.exit(FAULT)


def ended(number: int, _: FrameType | None) -> None:
    """What a request to end does: drafts and worker processes go as at any other end."""
    sys.exit(128 + number)


def fault(error: BaseException) -> str:
    """An error that nobody foresaw, without its words: they may quote the capture."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "ncu_roofline" in f.filename]
    places = [f"{f.filename.replace(chr(92), '/').rsplit('ncu_roofline/', 1)[-1]}:{f.lineno}" for f in frames[-3:]]
    return (
        f"ncu-roofline: a fault of this program ({type(error).__name__} at {' < '.join(reversed(places))}); "
        "please report this line with the output of `ncu-roofline --version`, and no capture"
    )
