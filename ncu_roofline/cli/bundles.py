"""A folder of files, written whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ncu_roofline.cli.notes import note, quiet
from ncu_roofline.cli.output import write_file
from ncu_roofline.errors import UnusableInput


def refuse_folder(folder: Path, *, force: bool) -> None:
    """A folder that holds anything is kept unless the user says otherwise; so is a file of that name."""
    if folder.exists() and not folder.is_dir():
        raise UnusableInput(f"{folder} is a file; -o names a folder")
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise UnusableInput(f"{folder} is not empty; add --force to write into it, or choose another with -o")


def write_folder(files: Mapping[str, bytes], folder: Path, *, force: bool) -> None:
    """Every file of a bundle; the folder is made if it is not there."""
    refuse_folder(folder, force=force)
    make(folder)
    before = quiet.set(True)  # one note for the folder, not one for each file
    try:
        for name, body in files.items():
            write_file(body, folder / name, force=force)
    finally:
        quiet.reset(before)
    note(f"Wrote {len(files)} files to {folder}: open index.html, or post comment.md")


def make(folder: Path) -> None:
    """The folder, with those above it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnusableInput(f"{folder} cannot be made ({error.strerror}); choose another with -o") from error
