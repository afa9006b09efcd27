"""The roofline in characters, for a terminal over ssh: axes, roofs, and a mark per kernel group."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from ncu_roofline.analysis.roofline.picture import Picture
from ncu_roofline.capture.units import number, three
from ncu_roofline.capture.units import text as quantity
from ncu_roofline.present.documents import words_roofline as words
from ncu_roofline.present.forms.columns import FAMILY_NAMES, percent
from ncu_roofline.present.forms.plane import Plane, plane, ticks
from ncu_roofline.present.forms.short import brief
from ncu_roofline.present.forms.terminal import paragraph
from ncu_roofline.present.forms.text import shorten

MARGIN = 7
ROWS = 20
BAND = 5
NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """The characters that a plot is made of."""

    solid: Mapping[str, str]
    hollow: Mapping[str, str]
    slope: str
    ceiling: str
    drop: str
    side: str
    floor: str
    left: str
    right: str


UNICODE = Signs(
    solid={"fc": "●", "attention": "◆", "other": "▪"},
    hollow={"fc": "○", "attention": "◇", "other": "▫"},
    slope="╱",
    ceiling="─",
    drop="┊",
    side="│",
    floor="─",
    left="‹",
    right="›",
)
ASCII = Signs(
    solid={"fc": "F", "attention": "A", "other": "o"},
    hollow={"fc": "f", "attention": "a", "other": "."},
    slope="/",
    ceiling="-",
    drop=":",
    side="|",
    floor="-",
    left="<",
    right=">",
)
COLOURS = {"fc": "\x1b[34m", "attention": "\x1b[33m", "other": "\x1b[2m"}
PLAIN = "\x1b[0m"
TO_ASCII = str.maketrans(
    {"–": "-", "×": "x", "·": "|", "…": "~", "µ": "u", "●": "F", "○": "f", "←": "<", "→": ">", "—": "-", "\u00a0": " "}
)
Grid = list[list[str]]


def render(picture: Picture, columns: int = 80, *, ascii_only: bool = False, colour: bool = False) -> str:
    """The plot with its finding above and its key below, never wider than `columns`."""
    signs = ASCII if ascii_only else UNICODE
    on = plane(picture, max(columns - MARGIN - 1, 30), ROWS, BAND)
    marks = picture.marks.filter(pl.col("place").cast(pl.String) != "nowhere").sort(
        "share", nulls_last=False, maintain_order=True
    )
    lines = [paragraph(s, columns) for s in [title(picture), *words.finding(picture)]]
    lines += [*framed(picture, canvas(picture, marks, on, signs), on, signs, colour), *below(picture, marks, signs, columns)]
    text = "\n".join(lines) + "\n"
    return text.translate(TO_ASCII).encode("ascii", "replace").decode() if ascii_only else text


def title(picture: Picture) -> str:
    """Device, and a warning where nothing was measured."""
    warning = "SYNTHETIC, not measured: r" if picture.run.synthetic.value else "R"
    return f"{warning}oofline on {picture.device or 'an unknown device'}"


def canvas(picture: Picture, marks: pl.DataFrame, on: Plane, signs: Signs) -> Grid:
    """Roofs first, then marks, the largest last and so on top."""
    grid = [[" "] * on.width for _ in range(on.height)]
    roofs(grid, picture, on, signs)
    for row in marks.iter_rows(named=True):
        if row["executed_x"] is not None:
            put(grid, on, row["executed_x"], row["executed_y"], signs.hollow[row["family"]] + row["family"])
    for row in marks.iter_rows(named=True):
        stand(grid, row, on, signs)
    return grid


def stand(grid: Grid, row: Mapping[str, Any], on: Plane, signs: Signs) -> None:
    """One mark where it belongs: bands at the edges for those without a place along the axis."""
    place, family = row["place"], row["family"]
    bound = place in ("upper", "partial")
    sign = (signs.hollow if bound else signs.solid)[family] + family
    if place == "bytes" or (row["x"] is not None and row["x"] < on.left):
        put(grid, on, math.sqrt(on.x[0] * on.left), (row["bytes_per_second"] or 0) * on.left, sign)
    elif row["x"] is None:
        put(grid, on, math.sqrt(on.right * on.x[1]), row["y"], sign)
    else:
        put(grid, on, row["x"], row["y"], sign)
        if bound:
            beside = -1 if place == "upper" else 1
            put(grid, on, row["x"], row["y"], (signs.left if beside < 0 else signs.right) + family, beside)


def put(grid: Grid, on: Plane, x: float, y: float, sign: str, beside: int = 0) -> None:
    """A sign at a place, kept inside the frame; what follows its first character is its family."""
    column = min(max(int(on.px(max(x, on.x[0]))) + beside, 0), on.width - 1)
    line = min(max(int(on.py(max(y, on.y[0]))), 0), on.height - 1)
    if beside == 0 or grid[line][column][0] in " ╱─┊/-:":
        grid[line][column] = sign


def roofs(grid: Grid, picture: Picture, on: Plane, signs: Signs) -> None:
    """The bandwidth slope, the ceilings, and the line down from the main ridge."""
    known = picture.roofs.filter(kind=picture.ridge)
    value = {**dict(picture.roofs.select("what", "value").iter_rows()), **dict(known.select("what", "value").iter_rows())}
    bandwidth = value.get("dram")
    ceilings = sorted(v for k, v in value.items() if k not in ("dram", "l2"))
    top = ceilings[-1] if ceilings else on.y[1]
    for column in range(on.width):
        x = on.x_at(column + 0.5)
        if bandwidth and x >= on.left and bandwidth * x < top:
            put(grid, on, x, bandwidth * x, signs.slope)
        for ceiling in ceilings:
            if not bandwidth or bandwidth * x >= ceiling:
                put(grid, on, x, ceiling, signs.ceiling)
    if bandwidth and ceilings and words.on_plane(picture):
        for line in range(int(on.py(top)) + 1, on.height):
            put(grid, on, top / bandwidth, on.y_at(line + 0.5), signs.drop)


def framed(picture: Picture, grid: Grid, on: Plane, signs: Signs, colour: bool) -> list[str]:
    """The rows with the axis of rates on the left and that of intensities below."""
    at = {int(on.py(t)): quantity(t, "flop/s").removesuffix("FLOP/s").replace(" ", "") for t in ticks(on.y)}
    rows = [
        f"{at.get(i, ''):>{MARGIN - 1}}{signs.side}" + "".join(painted(c, colour) for c in row).rstrip()
        for i, row in enumerate(grid)
    ]
    axis = [" "] * (on.width + 12)
    for tick in ticks((on.left, on.right)):
        text = number(tick)
        start = max(min(int(on.px(tick)) - len(text) // 2, on.width - len(text)), 0)
        axis[start : start + len(text)] = text
    left = words.band(picture) if on.left > on.x[0] * 1.001 else ""
    right = "no bytes" if on.right < on.x[1] / 1.001 else ""
    name = f"{left:<12}{'FLOP per byte of DRAM traffic':^{max(on.width - 23, 30)}}{right:>12}"
    return [
        "FLOP/s",
        *rows,
        " " * (MARGIN - 1) + signs.floor * (on.width + 1),
        " " * MARGIN + "".join(axis).rstrip()[: on.width],
        (" " * (MARGIN - 1) + name).rstrip()[: on.width + MARGIN],
    ]


def painted(cell: str, colour: bool) -> str:
    """One character, in the colour of its family where colours are wanted."""
    sign, family = cell[:1], cell[1:]
    return f"{COLOURS[family]}{sign}{PLAIN}" if colour and family in COLOURS else sign


def below(picture: Picture, marks: pl.DataFrame, signs: Signs, columns: int) -> list[str]:
    """Signs and roofs explained, the largest groups by name, and the basis."""
    present = [f for f in FAMILY_NAMES if f in set(marks["family"].cast(pl.String))]
    kinds = "   ".join(f"{signs.solid[f]} {FAMILY_NAMES[f]}" for f in present)
    notes = ["hollow: executed work, with padding"] if marks["executed_x"].drop_nulls().len() else []
    found = words.places(picture)
    notes += [f"{signs.left}{signs.hollow['fc']} only executed work known, true place further left"] if "upper" in found else []
    notes += (
        [f"{signs.hollow['fc']}{signs.right} some FLOPs not counted, true place further right"] if "partial" in found else []
    )
    ridges = [
        f"{words.precision(r['path'])} {three(r['value'])}"
        for r in picture.ridges.filter(kind=picture.ridge).iter_rows(named=True)
    ]
    clock = "at the capture's clocks" if picture.ridge == "capture" else "by the datasheet"
    said = [
        kinds,
        "; ".join(notes),
        f"ridge {clock}, FLOP/byte: {', '.join(ridges)}" if ridges else "",
        words.reaches(picture),
        *largest(picture, columns),
        *words.basis(picture, min(62, columns - 2)),
    ]
    return ["", *(paragraph(line, columns) for line in said if line)]


def largest(picture: Picture, columns: int) -> list[str]:
    """The groups with the largest shares, a line each."""
    rows = picture.marks.sort(
        pl.col("share").fill_null(pl.col("time_share")), descending=True, nulls_last=True, maintain_order=True
    ).head(NAMED)
    return [line(row, picture, columns) for row in rows.iter_rows(named=True)]


def line(row: Mapping[str, Any], picture: Picture, columns: int) -> str:
    """Share, name and place of one group."""
    share = "" if row["share"] is None else f"{percent(row['share']):>7} of {picture.size_by}"
    where = f" at {three(row['x'])} FLOP/byte" if row["x"] is not None else ""
    room = columns - len(share) - len(where) - 4
    name = brief(row["kernel"], row["name"] or "", room) if row["kernel"] else shorten(str(row["role"] or "unknown role"), room)
    return f"{share}  {name}{where}"
