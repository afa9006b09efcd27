"""Folders and buckets alike: list, get, put once, remove. An object is there whole or not at all."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from ncu_roofline import whole
from ncu_roofline.errors import UnreadableCapture, UnusableInput

URL = re.compile(r"(s3|s3a|gs|az|abfs|abfss):/{1,2}([^/].*)", re.DOTALL)
"""A path that was made of a URL has lost one of its slashes."""
SECRET = re.compile(r"://[^/@\s]*@")
"""A URL may carry a key, which no message repeats."""
PLAIN_GOOGLE = re.compile(r'"gcs_base_url"\s*:\s*"http://')
"""An endpoint in a key of Google's: another one than Google's own, without encryption."""
RETRY: Any = {
    "max_retries": 8,
    "retry_timeout": timedelta(minutes=2),
    "backoff": {"init_backoff": timedelta(seconds=0.1), "max_backoff": timedelta(seconds=5), "base": 2},
}
"""How long a request is tried again that is refused for the moment (429, 5xx) or whose connection broke."""
ABANDONED = 3600.0
"""Seconds after which a draft belongs to nobody: no object takes so long to write."""


def is_url(text: str | os.PathLike[str]) -> bool:
    """Whether this names an object store and no file."""
    return bool(URL.fullmatch(os.fspath(text)))


def url(text: str | os.PathLike[str]) -> str:
    """The URL with both of its slashes, and none at its end."""
    found = URL.fullmatch(os.fspath(text))
    return f"{found[1]}://{found[2].rstrip('/')}" if found else os.fspath(text)


def shown(text: str | os.PathLike[str]) -> str:
    """The place as a message may name it: a URL without its key, a path by its last part."""
    name = url(text)
    return SECRET.sub("://", name) if is_url(name) else Path(name).name or name


def at(place: str | os.PathLike[str]) -> Store:
    """The store at a path or URL; raises UnusableInput for a scheme that nobody knows."""
    name = os.fspath(place)
    if is_url(name):
        return Bucket(url(name))
    if found := re.match(r"([A-Za-z][A-Za-z0-9+]+)://", name):
        raise UnusableInput(f"{found[1]}:// is no place that is known; write a folder, s3://, gs:// or az://")
    return Folder(name)


@dataclass(frozen=True, slots=True)
class Folder:
    """Files below a folder: each is written beside its place, then gets its name."""

    root: str

    def names(self, prefix: str) -> list[str]:
        """Every file below the prefix that is no draft, and no pipe, which would be waited for."""
        top = Path(self.root)
        found: list[Path] = []
        for folder, inner, files in os.walk(top / prefix):
            inner[:] = [name for name in inner if not name.startswith(".")]
            found += [Path(folder, name) for name in files if not name.startswith(".")]
        return sorted(path.relative_to(top).as_posix() for path in found if path.is_file())

    def get(self, name: str) -> bytes:
        """A file's content; raises FileNotFoundError where there is none."""
        return Path(self.root, name).read_bytes()

    def fetch(self, name: str, file: Path) -> None:
        """A copy of the file, with its time."""
        shutil.copy2(Path(self.root, name), file)

    def put(self, name: str, body: bytes) -> bool:
        """Writes a file that is not there, through a draft and one rename; false where it is, as one of two writers finds."""
        target = Path(self.root, name)
        if target.exists():
            return False
        with reaching(self.root):
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                whole.write(body, target, over=False)
            except FileExistsError:
                return False
        return True

    def remove(self, names: list[str]) -> None:
        """Removes files; nothing where one is gone."""
        with reaching(self.root):
            for name in names:
                Path(self.root, name).unlink(missing_ok=True)

    def address(self, name: str) -> str:
        """The path by which polars reads it."""
        return str(Path(self.root, name))

    def options(self) -> dict[str, str]:
        """What polars needs besides, to reach it: nothing."""
        return {}


def sweep(folder: Folder) -> None:
    """Removes the drafts of writers that were killed."""
    before = time.time() - ABANDONED
    for draft in Path(folder.root).rglob(f".*{whole.DRAFT}"):
        with suppress(OSError):
            if draft.stat().st_mtime < before:
                draft.unlink()


@dataclass(frozen=True, slots=True)
class Bucket:
    """Objects below a URL; the store itself makes a write whole, and refuses a second one."""

    root: str

    def names(self, prefix: str) -> list[str]:
        """Every object below the prefix."""
        with reaching(self.root):
            pages = list(opened(self.root).list(prefix=prefix or None))
        return sorted(meta["path"] for page in pages for meta in page)

    def get(self, name: str) -> bytes:
        """An object's content; raises FileNotFoundError where there is none."""
        with reaching(self.root):
            return bytes(opened(self.root).get(name).bytes())

    def fetch(self, name: str, file: Path) -> None:
        """The object as a file of this machine, piece by piece, with the time of the object."""
        with reaching(self.root):
            found = opened(self.root).get(name)
            with file.open("wb") as target:
                for piece in found:
                    target.write(piece)
            written = found.meta["last_modified"].timestamp()
            os.utime(file, (written, written))

    def put(self, name: str, body: bytes) -> bool:
        """Writes an object that is not there, by one conditional write; false where it is."""
        from obstore.exceptions import AlreadyExistsError

        with reaching(self.root):
            try:
                opened(self.root).put(name, body, mode="create")
            except AlreadyExistsError:
                return False
        return True

    def remove(self, names: list[str]) -> None:
        """Removes objects, many by one request where the store can; nothing where one is gone."""
        with reaching(self.root), suppress(FileNotFoundError):
            opened(self.root).delete(names)

    def address(self, name: str) -> str:
        """The URL by which polars reads it."""
        return f"{self.root}/{name}"

    def options(self) -> dict[str, str]:
        """What polars needs besides, to reach it: plain HTTP where the user's own endpoint has it."""
        return {"allow_http": "true"} if plain_http(self.root) else {}


Store = Folder | Bucket
"""What a folder and a bucket have in common: names of objects are relative, with slashes."""


def plain_http(url: str) -> bool:
    """Whether the environment names an endpoint without encryption for this store, as emulators on this machine have."""
    if url.startswith("gs:"):
        return bool(PLAIN_GOOGLE.search(os.environ.get("GOOGLE_SERVICE_ACCOUNT_KEY", "")))
    return url.startswith("s3") and os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")


@lru_cache(maxsize=64)
def opened(url: str) -> Any:
    """The object store behind a URL, keys from the environment; raises UnusableInput where its library is missing."""
    try:
        from obstore.store import from_url
    except ImportError as error:
        raise UnusableInput(
            f"{shown(url)}: object stores need one more package; install it with: pip install 'ncu-roofline[cloud]'"
        ) from error
    with reaching(url):
        return from_url(url, client_options={"allow_http": plain_http(url)}, retry_config=RETRY)


@contextmanager
def reaching(place: str) -> Iterator[None]:
    """One sentence for whatever a store says that is not that an object is lacking."""
    try:
        yield
    except (FileNotFoundError, UnusableInput, UnreadableCapture):
        raise
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UnusableInput(f"{shown(place)} cannot be written or read ({reason}); what stands in it is whole") from error
    except Exception as error:
        if type(error).__module__.split(".")[0] != "obstore":
            raise
        reason = first_words(error)
        raise UnusableInput(f"{shown(place)} cannot be reached ({reason}); what stands in it is whole, run again") from error


ANSWERS = {
    "404": "there is no such bucket",
    "401": "its keys are not valid",
    "403": "its keys do not allow it",
    "429": "it is busy",
}
"""What a store's refusal means, by its HTTP status."""


def first_words(error: Exception) -> str:
    """Why a store refused, in words that name no address and no key."""
    told = str(error)
    if found := re.search(r"status code: (\d{3})", told):
        return ANSWERS.get(found[1], f"it answers {found[1]} again and again")
    if "error sending" in told or "onnect" in told:
        return "it does not answer"
    if "redential" in told:
        return "no keys to it are known; set those of its own command line"
    return type(error).__name__
