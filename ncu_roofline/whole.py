"""Files and folders that appear whole or not at all: drafts beside the target, then one rename."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path

DRAFT = ".tmp"


def write(body: bytes, target: Path, *, over: bool) -> None:
    """The body under the target's name; raises FileExistsError where one stands and `over` is false, else OSError."""
    draft = beside(target)
    try:
        # the mode follows the umask: a private folder stays private
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666), "wb") as file:
            file.write(body)
        if over:
            os.replace(draft, target)
        else:
            settle(draft, target)
    finally:
        draft.unlink(missing_ok=True)


def settle(draft: Path, target: Path) -> None:
    """The draft under a name that nothing has: of two writers one loses, whole."""
    try:
        os.link(draft, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if os.path.lexists(target):
            raise FileExistsError(target) from None
        os.replace(draft, target)


def write_all(files: Mapping[str, bytes], folder: Path, *, gone: Collection[str] = ()) -> None:
    """Every file into the folder, which is made; `gone` leaves it, what else lies in it stays. OSError changes nothing."""
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = beside(folder)
    try:
        draft.mkdir()
        for name, body in files.items():
            (draft / name).write_bytes(body)
        if stays(folder, {*files, *gone}):
            for name in files:  # all bytes are on the disk already
                os.replace(draft / name, folder / name)
            for name in set(gone) - set(files):
                (folder / name).unlink(missing_ok=True)
        else:
            exchange(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def stays(folder: Path, ours: Collection[str]) -> bool:
    """Whether the folder itself must stay: it holds other things, or somebody works in it."""
    return folder.is_dir() and (Path.cwd().is_relative_to(folder) or any(entry.name not in ours for entry in folder.iterdir()))


def exchange(draft: Path, folder: Path) -> None:
    """The draft in the folder's place; the old one goes only when the new one stands."""
    old = beside(folder)
    if folder.is_dir():
        os.replace(folder, old)
    try:
        os.replace(draft, folder)
    except OSError:
        if old.is_dir():
            os.replace(old, folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def beside(target: Path) -> Path:
    """A name for a draft that nobody else has, on the target's own disk."""
    return target.parent / f".{target.name[:80]}.{secrets.token_hex(4)}{DRAFT}"
