"""The roofline in characters: legible at 80 columns, plain ASCII where asked."""

from __future__ import annotations

import pytest

from ncu_roofline.present.forms.plot_terminal import render
from tests.charted import launch, picture

FLASH = launch(kernel="flash", family="attention", role="attention", flops=1e8, tensor_flops=1e8)


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_no_line_is_wider_than_the_terminal(columns: int) -> None:
    shown = picture(launch(kernel="x" * 300, useful_flops=1e6), FLASH, name="a" * 200 + ".ncu-rep")

    assert max(map(len, render(shown, columns).splitlines())) <= columns


def test_ascii_is_ascii() -> None:
    render(picture(launch(kernel="größe", useful_flops=1e6), FLASH), ascii_only=True).encode("ascii")


def test_families_have_marks_of_their_own() -> None:
    text = render(picture(launch(useful_flops=8e6), FLASH), ascii_only=True)

    plot = text.split("FLOP/s\n", 1)[1].split("FLOP per byte", 1)[0]
    # FC at its useful place; attention, of which only executed work is known, hollow with an arrow to the left
    assert plot.count("F") == 1
    assert plot.count("<a") == 1


def test_a_mark_stands_in_the_column_of_its_intensity() -> None:
    lines = render(picture(launch(useful_flops=8e6), FLASH), ascii_only=True).splitlines()
    ticks = next(line for line in lines if " 10 " in line and "FLOP" not in line)
    mark = next(line for line in lines if "F" in line and line.startswith(" ") and "|" in line)

    # 8 FLOP/byte stands left of the tick of 10, right of that of 1
    assert ticks.index(" 1 ") < mark.index("F") <= ticks.index("10")


def test_colour_is_only_where_asked() -> None:
    shown = picture(launch(useful_flops=8e6))

    assert "\x1b[" not in render(shown)
    assert "\x1b[34m" in render(shown, colour=True)


def test_control_characters_of_a_name_do_not_reach_the_terminal() -> None:
    assert "\x1b" not in render(picture(launch(kernel="evil\x1b[2Jname")))
