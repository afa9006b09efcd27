"""Writes what a command says: to standard output, a file or a folder, and never over what would be lost."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from ncu_roofline import whole
from ncu_roofline.cli.notes import note
from ncu_roofline.cli.options import Answer
from ncu_roofline.cli.streams import put
from ncu_roofline.errors import UnusableInput
from ncu_roofline.present.forms.document import Document
from ncu_roofline.readers import COMPRESSED, PARQUET, REPORT


def write(document: Document, form: Answer = "table", output: Path | None = None, force: bool = False) -> None:
    """The document in its form, to the screen or whole into a file."""
    write_text(rendered(document, form, to_screen=output is None), output, force=force)


def write_text(text: str, output: Path | None, *, force: bool) -> None:
    """Text to the screen, or whole into a file."""
    if output is None:
        put(text)
    else:
        write_file(text.encode(), output, force=force)


def rendered(document: Document, form: Answer, *, to_screen: bool = True) -> str:
    """The document as text; only the renderer that is needed is imported."""
    if form == "table":
        from ncu_roofline.present.forms import terminal

        return terminal.render(document, screen_columns() if to_screen else 100, colour=to_screen and coloured())
    text: str = import_module(f"ncu_roofline.present.forms.{form}").render(document)
    return text


def coloured() -> bool:
    """Whether the screen shows colours, and nobody asked for none."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def screen_columns() -> int:
    """Width of the terminal; 100 where the output is no terminal."""
    return shutil.get_terminal_size((100, 24)).columns if sys.stdout.isatty() or "COLUMNS" in os.environ else 100


def write_file(body: bytes, target: Path, *, force: bool) -> None:
    """Through a temporary file beside the target, so that nothing partial is ever seen."""
    refuse_overwrite(target, force=force)
    if not target.parent.is_dir():
        raise UnusableInput(f"{target.parent}: no such folder; make it first or choose another with -o")
    if is_capture(target) and not body.startswith(PARQUET):
        raise UnusableInput(f"{target} is a capture and would be lost; choose another file with -o")
    try:
        whole.write(body, target, over=force)
    except FileExistsError as error:
        raise UnusableInput(f"{target} was written by another run meanwhile; add --force to overwrite it") from error
    except OSError as error:
        raise UnusableInput(f"{target} cannot be written ({error.strerror}); choose another with -o") from error
    note(f"Wrote {target}")


def refuse_overwrite(target: Path, *, force: bool) -> None:
    """An existing file is kept unless the user says otherwise; anything but a file is kept always."""
    refuse_url(target)
    if not os.path.lexists(target):
        return
    if not target.is_file():
        raise UnusableInput(f"{target} is not a file; name a file with -o")
    if not force:
        raise UnusableInput(f"{target} exists already; add --force to overwrite it, or choose another with -o")


def refuse_url(target: Path) -> None:
    """Archives alone lie in object stores; a local folder of a URL's name is what nobody meant."""
    from ncu_roofline.readers.fleet.store import is_url, shown

    if is_url(target):
        raise UnusableInput(
            f"{shown(target)}: only archives (save, ingest) are written to a URL; name a file or folder of this machine"
        )


def is_capture(target: Path) -> bool:
    """Whether a file that would be overwritten holds what only a profiler or `save` can make again."""
    try:
        with target.open("rb") as file:
            begins = file.read(4)
    except OSError:
        return False
    if begins == PARQUET:
        from ncu_roofline.readers.saved import ours

        return ours(target)
    return begins.startswith((REPORT, COMPRESSED))


def refuse_folder(folder: Path, *, force: bool) -> None:
    """A folder that holds anything is kept unless the user says otherwise; so is a file of that name."""
    refuse_url(folder)
    if folder.exists() and not folder.is_dir():
        raise UnusableInput(f"{folder} is a file; -o names a folder")
    if not next(place for place in folder.absolute().parents if place.exists()).is_dir():
        raise UnusableInput(f"{folder} cannot be written (a part of it is a file); choose another with -o")
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise UnusableInput(f"{folder} is not empty; add --force to write into it, or choose another with -o")


def write_folder(files: Mapping[str, bytes], folder: Path, *, force: bool) -> None:
    """Every file of a bundle, together; the folder is made if it is not there."""
    refuse_folder(folder, force=force)
    for name in files:
        if is_capture(folder / name):
            raise UnusableInput(f"{folder / name} is a capture and would be lost; choose another folder with -o")
    try:
        whole.write_all(files, folder)
    except OSError as error:
        raise UnusableInput(f"{folder} cannot be written ({error.strerror}); choose another with -o") from error
    note(f"Wrote {len(files)} files to {folder}: open index.html, or post comment.md")
