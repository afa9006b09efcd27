"""A TOML file as a dict; what cannot be read becomes one sentence with its line."""

from __future__ import annotations

import re
import sys
from functools import cache
from importlib import import_module
from importlib.resources import files
from typing import Any, Protocol

from ncu_roofline.errors import UnusableInput

# the standard library's parser was tomli until it moved in with Python 3.11
PARSER = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")


class Readable(Protocol):
    """A Path, or a file inside the installed package."""

    @property
    def name(self) -> str:
        """File name without folders."""

    def read_bytes(self) -> bytes:
        """The whole file."""


def text(file: Readable) -> str:
    """The file's text; raises UnusableInput where it is absent or not UTF-8."""
    try:
        return file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UnusableInput(f"{file.name}: cannot be read ({reason}); check the path") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UnusableInput(f"{file.name}, line {line}: not UTF-8; save the file as UTF-8") from error


def parse(content: str, name: str) -> dict[str, Any]:
    """The tables of this TOML text; raises UnusableInput with the line of a syntax error."""
    try:
        tables: dict[str, Any] = PARSER.loads(content.replace("\r\n", "\n"))
    except (ValueError, RecursionError) as error:
        # tomllib ends its sentence with "(at line 3, column 7)" or "(at end of document)"
        place = re.search(r"\s*\(at line (\d+).*\)$", str(error))
        where = int(place[1]) if place else content.count("\n") + 1
        what = str(error)[: place.start()] if place else str(error)
        raise UnusableInput(f"{name}, line {where}: not valid TOML: {what}") from error
    return tables


def load(file: Readable) -> dict[str, Any]:
    """The tables of a TOML file; raises UnusableInput with the line of a syntax error."""
    return parse(text(file), file.name)


@cache
def read_once(name: str) -> dict[str, Any]:
    """The tables of a file of facts inside this room, `kernels/rows.toml`, read once."""
    return load(files(__package__).joinpath(name))


def table_lines(content: str, table: str) -> list[int]:
    """Line numbers, from 1, at which each `[[table]]` of the text begins."""
    header = re.compile(rf"\s*\[\[\s*{re.escape(table)}\s*\]\]")
    return [n for n, line in enumerate(content.splitlines(), 1) if header.match(line)]
