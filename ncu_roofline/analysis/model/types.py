"""In which type weights and caches are stored, and the bytes of an element: as stated, as names tell, else as used."""

from __future__ import annotations

import polars as pl

from ncu_roofline.capture.capture import Run
from ncu_roofline.knowledge.models import dtypes

STORED = {"weights": ("fc", "weight_dtype"), "kv": ("attention", "cache_dtype")}
"""What is stored -> the family that reads it, and the column in which a kernel's name tells its type."""
IN_USE = ("activation_dtype", "precision")
"""What tells a type where no name does: inputs, then the units that multiply. Unpacked weights are narrower than either."""


def stored(launches: pl.DataFrame, run: Run, what: str) -> dtypes.Dtype | None:
    """The type of the weights or of the cache (`kv`): as stated, as names tell, else as their work is done; None unknown."""
    return named(launches, run, what) or next((t for c in IN_USE if (t := most(launches, STORED[what][0], c))), None)


def named(launches: pl.DataFrame, run: Run, what: str) -> dtypes.Dtype | None:
    """The type as stated, else as kernels' names tell it; None where neither does."""
    told = getattr(run, what).value
    family, column = STORED[what]
    return dtypes.find(told, f"`{what}=`") if told is not None else most(launches, family, column)


def most(launches: pl.DataFrame, family: str, column: str) -> dtypes.Dtype | None:
    """The type in a column that most bytes of a family are in; None where none is a type that we know."""
    word = pl.col(column).cast(pl.String)
    mine = launches.filter(pl.col("family").cast(pl.String) == family, word.is_in(dtypes.words()))
    # by bytes; by launches where none were measured
    known = mine.group_by(word.alias(column)).agg(pl.col("dram_bytes").sum(), n=pl.len()).sort("dram_bytes", "n", column)
    return dtypes.find(known[column][-1]) if known.height else None


def element_bytes(column: str) -> pl.Expr:
    """Bytes per element of the type in a column; null where it is none that we know."""
    widths = {name: dtypes.find(name).bytes for name in dtypes.words()}
    return pl.col(column).cast(pl.String).replace_strict(widths, default=None, return_dtype=pl.Float64)


def of_launch(stated: str | None, named: str) -> pl.Expr:
    """The stored type that one launch reads: as its name tells, else as stated, else as it is multiplied.

    A statement is of the run and a name of the launch: beside FP8 layers an LM head in 16 bits says so itself.
    """
    known = {word: dtypes.find(word).name for word in dtypes.words()}
    words = [pl.col(c).cast(pl.String) for c in (named, "activation_dtype", "precision")]
    told = [word.replace_strict(known, default=None, return_dtype=pl.String) for word in words]
    said = [] if stated is None else [pl.lit(dtypes.find(stated).name)]
    return pl.coalesce(told[0], *said, *told[1:])
