"""A kernel's name short enough for a chart, and still the name a reader knows it by."""

from __future__ import annotations

import re

import polars as pl

from ncu_roofline.present.forms.text import clean, shorten

# Names that say nothing: what the kernel does stands in its template arguments.
HOLLOW = re.compile(r"_?[Kk]ernel[0-9]*|device_kernel|run_global|run|main|cutlass_kernel")
IDENTIFIER = re.compile(r"[A-Za-z_]\w{5,}")
SCAFFOLD = re.compile(
    r"enable_\w+|cutlass|cutlass3x|kernel\w*|device\w*|collective|namespace|anonymous|unnamed|detail\w*|const|unsigned|"
    r"threadblock|epilogue|default\w*|conditional\w*|layout|native|_GLOBAL\w*|_*(nv_)?bfloat16\w*|_*half\w*|double|float\w*|"
    r"u?int\d+_t|\w*params\w*|\w*type|integral_constant|",
    re.IGNORECASE,
)
FILLER = re.compile(r"_{3,}(\d*$)?")
"""What a compiler puts in the place of arguments, and the number behind it."""
ROOM, MOST = 26, 200
FILE = 44


def file_name(name: str) -> str:
    """A file's name short enough for a sentence; both its ends tell."""
    return shorten(clean(name), FILE)


def brief(kernel: str, name: str, room: int = ROOM) -> str:
    """The function's name, or what its template is made for where the name says nothing.

    >>> brief("rms_norm", "void vllm::rms_norm<float>(float*)")
    'rms_norm'
    >>> brief("device_kernel", "void cutlass::device_kernel<flash::enable_sm90<flash::FlashAttnFwdSm90<x>>>(P)")
    'FlashAttnFwdSm90'
    >>> brief("kernel", "void gemvx::kernel<int, __nv_bfloat16, float>(T1)")
    'gemvx::kernel'
    >>> brief("kernel", "std::enable_if<!T7, void>::type internal::gemvx::kernel<int, float>(T1)")
    'gemvx::kernel'
    >>> brief("kernel_wo_body________0", "kernel_wo_body________0")
    'kernel_wo_body'
    """
    shown, whole = clean(kernel), clean(name)
    own = re.search(rf"(?P<scope>(?:\w+::)*){re.escape(shown)}<(?P<inside>.*)", whole) if HOLLOW.fullmatch(shown) else None
    if own:
        words = (w for w in IDENTIFIER.findall(own["inside"]) if not SCAFFOLD.fullmatch(w))
        shown = next(words, "::".join([*own["scope"].split("::")[-2:-1], shown]))
    return shorten(FILLER.sub("_", shown).strip("_") or clean(name), room)


def grids_tell(rows: pl.DataFrame) -> bool:
    """Whether rows of one kernel differ in their grid, which then tells them apart."""
    return rows.select("kernel", "grid").n_unique() > rows["kernel"].n_unique()


def called(rows: pl.DataFrame, kernel: str = "kernel", name: str = "name") -> pl.DataFrame:
    """Rows whose kernels are called by the name that a reader knows; tables shorten it themselves."""
    pairs = zip(rows[kernel], rows[name], strict=True)
    return rows.with_columns(pl.Series(kernel, [k and brief(k, n or "", MOST) for k, n in pairs], dtype=pl.String))
