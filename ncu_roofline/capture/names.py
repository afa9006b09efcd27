"""A demangled kernel name to the name of its function alone."""

from __future__ import annotations

import re
from functools import lru_cache

import polars as pl

OPENING, CLOSING = "<([{", ">)]}"
OPERATOR = re.compile(r"\boperator\s*(?:\(\)|\[\]|<=>|<<=|>>=|<<|>>|<=|>=|->\*|->|[-+*/%^&|!=<>~,]=?|&&|\|\||\"\"\s*\w+)")
# the last form is left behind by tools that cut the names of others at brackets
UNNAMED = re.compile(r"(?<!\w)<unnamed>|\(anonymous namespace\)|\{anonymous\}|<unnamed-[^>]{0,200}>|\bunnamed>")
MARK = "\x00"


@lru_cache(maxsize=65536)
def function_name(name: str) -> str:
    """The function's own name: no return type, namespace, template arguments or parameters.

    >>> function_name("void at::native::vectorized_elementwise_kernel<4, F<int>>(int, T2, T3)")
    'vectorized_elementwise_kernel'
    >>> function_name("_ZN2at6nativeE"), function_name("nvjet_tst_64x8_64x16_1x2_h_bz_TNT")
    ('_ZN2at6nativeE', 'nvjet_tst_64x8_64x16_1x2_h_bz_TNT')
    """
    kept: list[str] = []

    def keep(found: re.Match[str]) -> str:
        kept.append(found[0])
        return f"{MARK}{len(kept) - 1}{MARK}"

    unmarked = name.replace(MARK, "")
    outer = _outside_brackets(OPERATOR.sub(keep, UNNAMED.sub(keep, unmarked)).replace("->", "  "))
    last = outer.rsplit("::", 1)[-1]
    bare = re.sub(rf"{MARK}(\d+){MARK}", lambda found: kept[int(found[1])], last).strip()
    return bare or name


def _outside_brackets(name: str) -> str:
    """The qualified name before its parameters, emptied of everything in brackets."""
    depth, begun = 0, False
    piece: list[str] = []
    for sign in name:
        if sign in OPENING:
            if sign == "(" and depth == 0 and begun:
                break
            depth += 1
        elif sign in CLOSING:
            depth = max(depth - 1, 0)
        elif depth == 0 and sign in " \t*&":
            piece, begun = [], False
        elif depth == 0:
            piece.append(sign)
            begun = begun or not sign.isspace()
    return "".join(piece)


def function_names(names: pl.Series) -> pl.Series:
    """The function name of every kernel name; each distinct one is looked at once."""
    distinct = names.drop_nulls().unique()
    functions = pl.Series([function_name(name) for name in distinct], dtype=pl.String)
    column: pl.Series = names.replace_strict(distinct, functions, default=None, return_dtype=pl.String)
    return column
