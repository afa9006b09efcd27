"""The period of a sequence of launches."""

import polars as pl
import pytest

from ncu_roofline.analysis.run.cuts.period import of_several, period, symbols


def rows(text: str) -> pl.DataFrame:
    """A launch per letter."""
    return pl.DataFrame(
        {"name": list(text), "grid": [[1, 1, 1]] * len(text)}, schema={"name": pl.String, "grid": pl.Array(pl.Int64, 3)}
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("abcabcabc", 3),
        ("abcabc", 3),
        ("abcab", None),  # two launches recur: too few
        ("ababa", 2),
        ("aabaab", 3),
        ("aaaaaa", None),  # one kernel only
        ("abcabd", None),
        ("abcdefg", None),
        ("", None),
    ],
)
def test_the_period_is_the_smallest_shift_to_itself(text: str, expected: int | None) -> None:
    assert (period(rows(text)) if text else expected) == expected


def test_a_first_launch_that_recurs_within_a_period_does_not_shorten_it() -> None:
    assert period(rows("abacd" * 2)) == 5


@pytest.mark.parametrize(("inside", "expected"), [(63, 65), (64, None)])
def test_only_the_first_64_recurrences_are_tried(inside: int, expected: int | None) -> None:
    # the first launch recurs 63 times within a period, the 64th time is the next one; its neighbours are all different
    block = "a" * (inside + 1) + "b"
    assert period(rows(block * 2)) == expected


def test_a_step_of_equal_layers_is_no_period_of_a_layer() -> None:
    assert period(rows("abcabcabcz" * 2)) is None
    assert of_several(pl.Series(list("abcabcabcz")))


def test_grids_tell_launches_apart() -> None:
    grids = [[1, 1, 1], [2, 1, 1], [1, 2, 1], [1, 1, 2], [1, 1, 1], None]
    frame = pl.DataFrame({"name": ["a"] * 6, "grid": grids}, schema={"name": pl.String, "grid": pl.Array(pl.Int64, 3)})
    found = symbols(frame).to_list()
    assert found[0] == found[4]
    assert len(set(found)) == 5


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("ababz", True),  # 2 of 3 equal two on
        ("abcabd", True),  # 2 of 3 equal three on; half of six is three
        ("abcdebz", False),
        ("abxaby", True),
        ("axbayc", False),  # 1 of 3
        ("aabbcc", False),
        ("zzzzzz", False),  # one kernel is no layer
        ("abcxabyz", True),  # 2 of 4: just half
        ("abcxaryz", False),  # 1 of 4
    ],
)
def test_a_block_holds_several_where_half_of_it_recurs_within_half_of_it(block: str, expected: bool) -> None:
    assert of_several(pl.Series(list(block))) is expected
