"""A folder of files, written whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ncu_roofline import whole
from ncu_roofline.cli.notes import note
from ncu_roofline.cli.output import is_capture, refuse_url
from ncu_roofline.errors import UnusableInput


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
