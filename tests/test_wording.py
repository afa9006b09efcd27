"""Sentences and tables as a person reads them: counts, shares and plurals written alike everywhere."""

from __future__ import annotations

import doctest
from dataclasses import replace

import polars as pl

from ncu_roofline.analysis.health.health import Finding, health
from ncu_roofline.analysis.roofline.groups import group
from ncu_roofline.analysis.roofline.overview import overview
from ncu_roofline.analysis.run.tokens import per_token, totals
from ncu_roofline.analysis.study import Choices, Study, study
from ncu_roofline.capture.capture import Capture, Device
from ncu_roofline.capture.schema import ROLES, enum
from ncu_roofline.knowledge.devices import gpus
from ncu_roofline.present.documents import grammar, kernels, roles, step, summary, tokens, words_tokens
from ncu_roofline.present.documents.summary import headline
from ncu_roofline.present.documents.words_health import words
from ncu_roofline.present.forms.columns import cell
from ncu_roofline.present.forms.document import Document
from tests.kernels import EVERY_SCALAR, EVERY_TENSOR, H100, SASS, launch, launches

MANY = [launch(seconds=1e-6)] * 1200


def of(*rows: dict[str, object]) -> Study:
    return study(Capture(launches=launches(*rows), device=H100, name="x.ncu-rep"))


def found(*rows: dict[str, object]) -> dict[str, Finding]:
    return {finding.code: finding for finding in health(of(*rows))}


def test_thousands_stand_apart_in_doubts_as_in_the_first_sentence() -> None:
    assert words(found(*MANY)["missing_bytes"])[0].startswith("No DRAM bytes for all 1,200 launches:")
    assert words(found(*MANY, launch())["short_kernels"])[0].startswith("1,200 of 1,201 launches (92.3 % of the time)")


def test_thousands_stand_apart_in_tables_and_above_them() -> None:
    taken = of(*MANY)
    assert [cell(column, 4991) for column in ("launches", "kernels", "batch", "index")] == ["4,991", "4,991", "4,991", "4991"]
    assert kernels.document(taken, taken.launches.head(50), 1200, (), grouped=False).answer == (
        "50 of 1,200 launches of x.ncu-rep.",
    )


def test_two_launches_are_both() -> None:
    assert words(found(launch(), launch())["missing_bytes"])[0].startswith("No DRAM bytes for both launches: their")


def test_a_small_share_of_the_time_is_not_none() -> None:
    rows = found(launch(seconds=1.0), launch(seconds=1e-6))
    assert "1 of 2 launches (<0.1 % of the time) lasts" in words(rows["short_kernels"])[0]


def test_rows_that_a_filter_chose_are_not_called_all() -> None:
    taken = of(launch(), launch("norm"))
    rows = group(taken.launches)
    said = [kernels.document(taken, rows.head(n), n, (), grouped=True, filtered=True).answer[0] for n in (1, 2)]
    assert said == ["1 kernel group of x.ncu-rep that fits the filter.", "2 kernel groups of x.ncu-rep that fit the filter."]


def test_one_launch_without_a_role_is_one_launch() -> None:
    row = {"kernel": "basic", "time_share": 0.697, "launches": 1}
    assert roles.rule(row).startswith("# 69.7 % of the time, 1 launch\n")
    assert roles.rule(row | {"launches": 4991}).startswith("# 69.7 % of the time, 4,991 launches\n")


def tokens_of(*rows: dict[str, object]) -> list[str]:
    taken = of(*rows)
    whole = totals(taken.launches, taken.run)
    main = per_token(taken.launches, taken.run)
    none = main.clear()
    said = tokens.document(taken, whole, tokens.Tables(main=main, by="role", steps=none, layers=none))
    return [*said.answer, *said.footer]


def test_flops_of_tokens_are_a_lower_bound_where_those_of_the_summary_are() -> None:
    whole, part = {**EVERY_SCALAR, **EVERY_TENSOR}, {**EVERY_SCALAR, SASS.format("ffma"): 5e5}
    assert " 0 FLOP executed" in tokens_of(launch(m=whole))[0]
    assert " at least 1 MFLOP executed" in tokens_of(launch(m=part))[0]
    assert "FLOP executed" not in tokens_of(launch(m=whole), launch())[0]  # at least nothing says nothing


def test_bytes_that_other_launches_of_the_file_have_are_not_called_unmeasured() -> None:
    taken = of(launch(), launch(m={"dram__bytes.sum": 5.0}))
    first = totals(taken.launches.head(1), taken.run)
    assert words_tokens.moved(taken, first) == "DRAM bytes were not measured for these launches"
    assert "DRAM bytes were not measured," in tokens_of(launch())[0]


def test_misses_of_the_l2_are_not_called_bytes_of_dram() -> None:
    gb10 = Device(name="NVIDIA GB10", compute_capability="12.1", sms=48)
    misses = launches(launch(m={"lts__t_sectors_lookup_miss.sum": 100.0}))
    taken = study(Capture(launches=misses, device=gb10, name="x.ncu-rep"))
    assert words_tokens.moved(taken, totals(taken.launches, taken.run)) == "3.2 kB missed in L2"


def test_launches_of_an_unknown_step_are_not_called_decode() -> None:
    assert tokens_of(launch(), launch("norm"))[-1].startswith("From x.ncu-rep, 2 launches: neither steps nor tokens")


def test_a_note_begins_with_a_capital_unless_a_name_begins_it() -> None:
    assert doctest.testmod(grammar) == (0, 4)
    gpu = replace(gpus.find("gb10"), doubts=("tensor figures are doubtful", "gb10 was taken as GB10"))
    assert gpu.told() == ("GB10: tensor figures are doubtful", "gb10 was taken as GB10")
    stated = study(Capture(launches=launches(launch()), device=Device(), name="x.csv"), Choices(gpu="gb10"))
    assert "GB10: tensor figures are doubtful." in [words(f)[0] for f in health(stated)]


def test_the_spread_of_many_steps_leaves_a_tenth_at_each_end_aside() -> None:
    assert doctest.testmod(step) == (0, 1)


def test_a_table_that_is_cut_says_so() -> None:
    taken = of(launch())
    layers = per_token(taken.launches.with_columns(layer=pl.lit(0)), taken.run, "layer")
    many = pl.concat([layers.with_columns(layer=pl.lit(n, pl.Int64), launches=pl.lit(n, pl.UInt32)) for n in range(52)])
    shown = tokens.Tables(main=layers, by="role", steps=layers.clear(), layers=many)
    titles = [t.title for t in tokens.shown_tables(taken, totals(taken.launches, taken.run), shown)]
    assert "By layer, the first 40 of 52" in titles


def test_a_kernel_that_is_named_kernel_goes_by_what_its_template_tells() -> None:
    gemv = launch("kernel") | {"name": "std::enable_if<!T7, void>::type internal::gemvx::kernel<int, float>(T1)"}
    taken = of(gemv, launch("norm"))
    rows = per_token(taken.launches, taken.run, "kernel")
    assert tokens.named(taken, rows)["kernel"].to_list() == ["gemvx::kernel", "norm"]


def summary_of(*rows: dict[str, object]) -> Document:
    taken = of(*rows)
    return summary.document(taken, overview(taken), group(taken.launches), ())


def test_rows_of_one_kernel_show_their_grid_and_only_they_do() -> None:
    alone, pair = launch("norm"), [launch("gemm", grid=[n, 1, 1]) for n in (8, 64)]
    assert "grid" not in summary_of(alone, pair[0]).tables[1].columns
    assert summary_of(alone, *pair).tables[1].columns[:2] == ("kernel", "grid")
    for rows, spared in (([alone, pair[0]], True), ([alone, *pair], False)):
        taken = of(*rows)
        (table,) = kernels.document(taken, group(taken.launches), 3, (), grouped=True).tables
        assert ("grid" in table.spare) is spared


def test_a_launch_without_time_is_not_in_the_time_and_its_family_is_named() -> None:
    said = " ".join(summary_of(launch("rms_norm_kernel"), launch("flash_fwd_kernel", seconds=None)).answer)
    assert "100 µs (known for 1 launch)" in said
    assert "attention not measured" in said


def test_flops_of_some_launches_are_at_least_so_many() -> None:
    whole = {**EVERY_SCALAR, **EVERY_TENSOR, SASS.format("ffma"): 5e5}
    assert "at least 1 MFLOP executed" in summary_of(launch(m=whole), launch("norm")).answer[0]
    assert "at least" not in summary_of(launch(m=whole)).answer[0]


def test_titles_fit_a_screen_of_80_columns() -> None:
    title = summary_of(*(launch(f"k{n}", grid=[n + 1, 1, 1]) for n in range(1200))).tables[1].title
    assert title.endswith("(1,190 more: kernels --by kernel)") and len(title) <= 80


def test_a_kernel_has_the_role_of_most_of_its_launches() -> None:
    rows = pl.concat([of(launch()).launches] * 3).with_columns(role=pl.Series(["fc", None, "fc"], dtype=enum(ROLES)))
    assert group(rows)["role"].to_list() == ["fc"]


def test_advice_is_given_once_and_to_collect_what_is_not_there() -> None:
    part = {**EVERY_SCALAR, SASS.format("ffma"): 5e5}
    both, alone = found(launch(m=part), launch()), found(launch(m=part))
    assert ("recipe" in words(both["missing_flops"])[1], words(both["partial_flops"])[1]) == (True, "")
    assert "recipe" in words(alone["partial_flops"])[1]


def test_where_the_batch_alone_would_give_no_tokens_it_is_not_asked_for() -> None:
    taken = of(launch())
    assert "--batch" not in headline(taken, totals(taken.launches, taken.run))
