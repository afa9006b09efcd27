"""The captures that are meant, in folders and buckets, and what stands beside one: whence it is."""

from __future__ import annotations

import difflib
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ncu_roofline.errors import UnreadableCapture, UnusableInput
from ncu_roofline.knowledge.toml import load
from ncu_roofline.readers import archive, facts
from ncu_roofline.readers.fleet import store as stores
from ncu_roofline.readers.fleet.store import at, is_url, shown

TIMES = ("commit_time", "when")
WORD = re.compile(r"[^\x00-\x1f\x7f]{1,200}")


def captures_in(sources: Sequence[str | os.PathLike[str]]) -> list[str]:
    """Every capture that is meant: files, folders and globs, of this machine or of a bucket."""
    local = [source for source in sources if not is_url(source)]
    found = [str(path) for path in archive.captures_in(local)] if local else []
    return found + [name for source in sources if is_url(source) for name in in_bucket(os.fspath(source))]


def in_bucket(source: str) -> list[str]:
    """The object at a URL, or all captures below it, or those that fit its pattern."""
    url = stores.url(source)
    if url.endswith(archive.SUFFIXES) and "*" not in url:
        return [url]
    above = url.split("*", 1)[0].rsplit("/", 1)[0] if "*" in url else url.rstrip("/")
    store = at(above)
    every = [store.address(name) for name in store.names("") if name.endswith((*archive.SUFFIXES, ".csv.gz"))]
    found = [name for name in every if "*" not in url or fnmatchcase(name, url)]
    if not found:
        raise UnreadableCapture(f"{shown(url)}: no captures there ({', '.join(archive.SUFFIXES)})")
    return found


@contextmanager
def here(path: str) -> Iterator[Path]:
    """The capture as a file of this machine, with what stands beside it; an object is fetched, and goes again."""
    if not is_url(path):
        yield Path(path)
        return
    above, name = stores.url(path).rsplit("/", 1)
    store = at(above)
    with tempfile.TemporaryDirectory(prefix="ncu-roofline-") as folder:
        file = Path(folder) / Path(name).name
        try:
            store.fetch(name, file)
        except FileNotFoundError as error:
            raise UnreadableCapture(f"{name}: no such object; check the name and the bucket") from error
        beside = facts.beside(file)
        with suppress(FileNotFoundError):
            store.fetch(beside.name, beside)
        yield file


def name_of(path: str) -> str:
    """The name of a capture without folders."""
    return path.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]


def parted(meta: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is said of a capture: whence it is, and facts of its run; raises UnusableInput for what is neither."""
    known = (*facts.ORIGIN, *facts.CHECKS)
    for key in meta:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1) or list(known)
            raise UnusableInput(
                f"{key!r} is nothing that a capture has; {'nearest' if len(near) == 1 else 'known'}: {', '.join(near)}"
            )
    told = {key: checked(key, value) for key, value in meta.items() if key in facts.ORIGIN and value is not None}
    return told, {key: value for key, value in meta.items() if key in facts.CHECKS}


def checked(key: str, value: Any) -> Any:
    """A word of one line, or a moment with its time zone: UTC where none is said."""
    if key in TIMES:
        return moment(key, value)
    if not isinstance(value, str) or not WORD.fullmatch(value):
        raise UnusableInput(f"{key} {str(value)[:80]!r} is not usable; give a word of up to 200 letters")
    return value


def moment(key: str, value: Any) -> datetime:
    """A moment from a datetime, from ISO 8601, or from seconds since 1970."""
    try:
        if isinstance(value, datetime):
            found = value
        elif isinstance(value, int | float) or re.fullmatch(r"\d{9,11}(\.\d+)?", value):
            found = datetime.fromtimestamp(float(value), timezone.utc)
        else:
            found = datetime.fromisoformat(value.replace("Z", "+00:00"))
    except (ValueError, OverflowError, OSError, TypeError, AttributeError) as error:
        raise UnusableInput(f"{key} {str(value)[:80]!r} is no time; write it as 2026-11-27T08:00:00+00:00") from error
    return found.replace(tzinfo=timezone.utc) if found.tzinfo is None else found.astimezone(timezone.utc)


def whence(path: Path, told: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a file, and whence it is: what was told, else what stands beside it; its own time at the least."""
    if path.exists() and not path.is_file():
        raise UnreadableCapture(f"{path.name}: not a file but a folder, a pipe or a device; name a file")
    try:
        known = {"id": archive.hashed(path), **told_beside(path), **told}
        written = datetime.fromtimestamp(path.stat().st_mtime, timezone.utc)
    except OSError as error:
        raise UnreadableCapture(f"{path.name}: cannot be opened ({error.strerror}); check its name and permissions") from error
    return {"when": written, "when_source": "given" if "when" in known else "file", **known}


def told_beside(path: Path) -> dict[str, Any]:
    """Whence a capture is, as the file beside it says."""
    file = facts.beside(path)
    keys = load(file) if file.is_file() else {}
    return {key: checked(key, keys[key]) for key in facts.ORIGIN if key in keys}
