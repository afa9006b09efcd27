"""A kernel name as profilers print it -> its scope, function and template arguments, as words."""

from __future__ import annotations

import re

import polars as pl

LONGEST = 4_000
"""Characters of a name that are looked at: the meaning stands in front, the rest are types."""

PARTS = ("scope", "function", "arguments")

# A scope without a name is printed in three ways and means nothing here.
NAMELESS = re.compile(r"\(anonymous namespace\)(::)?|<?\bunnamed>(::)?|\bunnamed namespace::|_GLOBAL__N_\w*")
BRACKET = re.compile(r"->|[<>()\[\]{}\s]")
OPENING, CLOSING = "<([{", ">)]}"
LENGTH = re.compile(r"\d+")
LITERAL = re.compile(r"L(?:[a-z]|\d+(?P<type>\w+?))(?P<value>n?\d+)E")


def clean(name: str) -> str:
    """The name cut to its first 4,000 characters, control characters as spaces."""
    kept = name[:LONGEST]
    return kept if kept.isprintable() else "".join(c if c.isprintable() else " " for c in kept)


def demangled(name: str) -> str:
    """A mangled C++ name as `scope::function<identifiers and numbers>`; other names as they are.

    Enough for recognition, not for reading: Itanium names keep their identifiers as length and
    text (Itanium C++ ABI, 5.1), so no table of substitutions is needed.
    """
    if not name.startswith(("_Z", "__Z")):
        return name
    at, path = name.index("_Z") + 2, list[str]()
    nested = name[at : at + 1] == "N"
    at += nested
    while at < len(name):
        if name.startswith(("St", "NK"), at):
            at += 2
        elif (found := _identifier(name, at)) is not None:
            at, text = found
            path.append(text)
            if not nested:
                break
        else:
            break
    arguments = _identifiers(name, at)
    return "::".join(path) + (f"<{', '.join(arguments)}>" if arguments else "") if path else name


def _identifier(name: str, at: int) -> tuple[int, str] | None:
    """The length-prefixed identifier here and where it ends."""
    length = LENGTH.match(name, at, at + 4)
    if length is None:
        return None
    end = length.end() + int(length[0])
    return end, name[length.end() : end]


def _identifiers(name: str, at: int) -> list[str]:
    """Every identifier and integer of the rest of a mangled name, in order."""
    found = list[str]()
    while at < len(name):
        identifier = _identifier(name, at) if name[at].isdigit() else None
        literal = LITERAL.match(name, at, at + 80) if name[at] == "L" else None
        if literal is not None:
            found.append(literal["value"].replace("n", "-"))
            at = literal.end()
        elif identifier is not None and identifier[1].isidentifier():
            at = identifier[0]
            found.append(identifier[1])
        else:
            at += 1
    return found


def parts(name: str) -> tuple[str, str, str]:
    """Scope, function and template arguments of a demangled name; one pass over the text."""
    name = NAMELESS.sub("", name).strip()
    typed = "(" in name or "<" in name
    waiting, start, opened, head, arguments = list[str](), 0, 0, "", ""
    for mark in BRACKET.finditer(name):
        sign, at = mark[0], mark.start()
        if sign in OPENING:
            if not waiting:
                head += name[start:at]
                if sign == "(" and head and name[at + 1 : at + 3] != ")(":
                    return *_path(head), arguments  # the parameters: nothing after them names the function
                opened = at + 1
            waiting.append(CLOSING[OPENING.index(sign)])
        elif waiting:
            if _closes(sign, waiting) and not waiting:
                start = at + 1
                arguments = name[opened:at] if sign == ">" else arguments
        elif sign.isspace() and typed:
            if name[at - 1] == ",":
                return *_path(head), name[start:]  # arguments whose opening bracket the file lost
            head, start, arguments = "", at + 1, ""  # what stood before was the return type
    if waiting:  # cut short by the profiler
        return *_path(head), name[opened:]
    return *_path(head + name[start:]), arguments


def _closes(sign: str, waiting: list[str]) -> bool:
    """Whether this sign closes what is open; brackets that a tool dropped are forgiven."""
    if sign not in waiting or (sign == ">" and waiting[-1] != ">"):
        return False
    while waiting.pop() != sign:
        pass
    return True


def _path(qualified: str) -> tuple[str, str]:
    """Scope and function of a qualified name."""
    scope, _, function = qualified.strip("&* ").rpartition("::")
    return scope, function or scope


def split(names: pl.Series) -> pl.DataFrame:
    """One row per name: `name` as given, `readable`, and its parts as written."""
    readable = [demangled(clean(name)) for name in names]
    columns = list(zip(*map(parts, readable), strict=True)) or [(), (), ()]
    return pl.DataFrame(
        {"name": names, "readable": readable} | dict(zip(PARTS, columns, strict=True)),
        schema=dict.fromkeys(("name", "readable", *PARTS), pl.String),
    )


def words(text: pl.Expr) -> pl.Expr:
    """Lower-case words of identifiers, line by line: fusedQKNormRope_v2 -> `fused qk norm rope v2`."""
    return (
        text.str.replace_all(r"([a-z0-9])([A-Z])", "$1 $2")
        .str.replace_all(r"([A-Z])([A-Z][a-z])", "$1 $2")
        .str.replace_all(r"[^A-Za-z0-9\n]+", " ")
        .str.to_lowercase()
    )
