"""A picture to its form: characters on the screen, or bytes into a file."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from ncu_roofline.analysis.roofline.picture import Picture
from ncu_roofline.cli.output import coloured, refuse_overwrite, write_file
from ncu_roofline.cli.streams import put
from ncu_roofline.errors import UnusableInput

FORMS = ("html", "png", "svg", "json")
LEVELS = ("dram", "l2")


def form_of(form: str | None, output: Path | None) -> str:
    """The form asked for, else that of the file's name, else the terminal's."""
    if form is not None:
        if output is None and form in ("html", "png", "svg"):
            raise UnusableInput(f"--format {form} needs a file: name it with -o roofline.{form}")
        return form
    if output is None:
        return "terminal"
    suffix = output.suffix.removeprefix(".").lower()
    if suffix == "txt":
        return "terminal"
    if suffix not in FORMS:
        raise UnusableInput(
            f"{output.name}: a chart is written as .{', .'.join(FORMS)} or .txt; name the file so, or add --format"
        )
    return suffix


def levels_of(text: str) -> tuple[str, ...]:
    """The memory levels of a list with commas; DRAM is always one."""
    wanted = [level.strip().lower() for level in text.split(",") if level.strip()]
    if unknown := sorted(set(wanted) - set(LEVELS)):
        raise UnusableInput(f"--levels {', '.join(unknown)}: no such level; known are {', '.join(LEVELS)}")
    return tuple(dict.fromkeys(["dram", *wanted]))


def show(picture: Picture, form: str, output: Path | None, *, theme: str, theory: bool, ascii_only: bool, force: bool) -> None:
    """The picture on the screen or in the file."""
    if output is not None:
        refuse_overwrite(output, force=force)
    if form == "terminal":
        body = characters(picture, to_screen=output is None, ascii_only=ascii_only).encode()
    else:
        from ncu_roofline.present.charts.bundle import roofline

        body = roofline(picture, form, theme=theme, theory=theory)
    if output is None:
        put(body.decode())
    else:
        write_file(body, output, force=force)


def characters(picture: Picture, *, to_screen: bool, ascii_only: bool) -> str:
    """The plot in characters; ASCII too where the terminal cannot show more."""
    from ncu_roofline.present.forms.plot_terminal import render

    tty = to_screen and sys.stdout.isatty()
    columns = shutil.get_terminal_size((80, 24)).columns if tty or "COLUMNS" in os.environ else 80
    plain = ascii_only or (to_screen and not (sys.stdout.encoding or "").lower().startswith("utf"))
    return render(picture, min(columns, 120), ascii_only=plain, colour=to_screen and coloured())
