"""Passes: which are whole, which step they are, which only draft."""

from collections.abc import Mapping, Sequence

import polars as pl

from ncu_roofline.analysis.run.cuts.passes import anchored, empty_passes, pass_table, spans, steps

KINDS = {"m": "mixer", "e": "embedding", "s": "sampling", "f": None, "n": None, "E": None, "v": None, ".": None}


def rows(*passes: str, lanes: tuple[int, ...] | None = None) -> pl.DataFrame:
    """Launches by letter: m attention, e embedding, s sampling, f product, n norm, E norm with the embedding, v verification."""
    letters = [(number, letter) for number, text in enumerate(passes) for letter in text]
    lane = [(lanes or (0,) * len(passes))[number] for number, _ in letters]
    return (
        pl.DataFrame({"pass": [n for n, _ in letters], "letter": [letter for _, letter in letters], "lane": lane})
        .with_row_index("row")
        .with_columns(
            pl.col("row").cast(pl.Int64),
            index=pl.col("row").cast(pl.Int64) + 100,
            process=pl.col("lane") + 7,
            device=pl.lit(3),
            kind=pl.col("letter").replace_strict(KINDS, return_dtype=pl.String),
            fused=pl.col("letter") == "E",
            verifies=pl.col("letter") == "v",
            server=pl.lit(False),
            numbered=pl.lit(None, pl.Int64),
            fc=pl.col("letter") == "f",
            norm=pl.col("letter").is_in(["n", "E"]),
        )
        .with_columns(
            fcs=pl.col("fc").cast(pl.Int64).cum_sum().over("lane"), norms=pl.col("norm").cast(pl.Int64).cum_sum().over("lane")
        )
    )


def anchors(of: pl.DataFrame) -> pl.DataFrame:
    """Every launch that is an anchor, as a cluster of its own."""
    return of.filter(pl.col("kind").is_not_null()).select("lane", "kind", start="row", end="row")


def whole(*passes: str, lanes: tuple[int, ...] | None = None) -> list[bool]:
    """Of passes that sample, but for the last one of a lane, which may be cut."""
    of_lane = lanes or (0,) * len(passes)
    cut = {max(n for n, other in enumerate(of_lane) if other == lane) for lane in of_lane}
    ended = [text if n in cut or "s" in text else f"{text}s" for n, text in enumerate(passes)]
    of = rows(*ended, lanes=lanes)
    return pass_table(of, anchors(of))["whole"].to_list()


def test_where_only_rows_tell_passes_apart_none_is_known_to_be_whole() -> None:
    of = rows("nfm", "nfmfm", "nfm", "enfms", lanes=(0, 0, 0, 1))
    assert pass_table(of, anchors(of))["whole"].to_list() == [False, False, False, True]


def test_where_something_drafts_the_last_of_the_deepest_passes_ends_with_what_verifies() -> None:
    drafted, cut, closed = "enfms", "enfmfms", "enfmfmsv"
    for last, expected in ((cut, False), (closed, True)):
        of = rows(drafted, closed, drafted, last)
        assert pass_table(of, anchors(of), drafting=True)["whole"].to_list() == [True, True, True, expected]
        assert pass_table(of, anchors(of))["whole"].to_list() == [True] * 4
    # drafts behind it do not lack it
    of = rows(closed, drafted)
    assert pass_table(of, anchors(of), drafting=True)["whole"].to_list() == [True, True]


def test_what_looks_like_a_draw_before_the_attention_of_a_torn_pass_is_none() -> None:
    # a softmax whose products the window cuts off, in the first pass
    of = rows("sfnfms", "enfmfms", "enfmfms")
    assert pass_table(of, anchors(of))["whole"].to_list() == [False, True, True]


def test_a_first_pass_without_the_embedding_of_the_others_is_cut() -> None:
    assert whole("nfm", "enfm", "enfms") == [False, True, True]


def test_a_first_pass_whose_norm_looks_up_the_tokens_is_whole() -> None:
    assert whole("Efmfs") == [True]
    assert whole("nfmfs") == [False]


def test_a_last_pass_with_fewer_draws_than_the_others_of_its_depth_is_cut() -> None:
    assert whole("enfmss", "enfms") == [True, False]
    assert whole("enfmss", "enfmss") == [True, True]
    # a draft of fewer layers draws by itself
    assert whole("enfmfmss", "enfms") == [True, True]


def test_a_pass_spans_its_launches_and_tells_the_work_before_it() -> None:
    found = spans(rows("nfm", "fns", "fm"))
    assert found["launches"].to_list() == [3, 3, 2]
    assert found["begin"].to_list() == [100, 103, 106]
    # products and norms before each first launch, the launch itself left out
    assert found["done"].to_list() == [0, 2, 4]
    assert found.select("lane", "process", "device").row(0) == (0, 7, 3)


def test_a_pass_knows_its_attention_its_embedding_and_its_sampling() -> None:
    of = rows("enfmfms", "sme", "nfm", "es")
    found = anchored(of, anchors(of)).sort("pass")
    assert found["mixers"].to_list() == [2, 1, 1, 0]
    # one norm and one product before the first attention; 1 + 2 before those of the next passes, then 2 more
    assert found["first"].to_list() == [2, 3, 5, None]
    assert found["embedded"].to_list() == [True, False, None, None]
    assert found["sampled"].to_list() == [True, False, None, None]


def test_passes_inside_a_window_are_whole_and_its_ends_are_not() -> None:
    assert whole("fm", "nfmfm", "nfmfm", "nfm") == [False, True, True, False]


def test_a_first_pass_that_embeds_and_a_last_one_that_samples_are_whole() -> None:
    assert whole("enfm", "nfm", "nfms") == [True, True, True]
    assert whole("nm", "nfm", "nfm") == [False, True, False]
    assert whole("enfms") == [True]
    assert whole("nfms") == [False]


def test_a_pass_inside_is_whole_though_it_is_like_no_other() -> None:
    assert whole("fm", "nfmfm", "nfmfmfm", "nfm") == [False, True, True, False]


def test_the_first_pass_is_no_measure_of_itself() -> None:
    # the others have a lead of 3 and 4, the first one 3
    assert whole("nnfmfm", "nnfmfm", "nnnfmfm") == [False, True, False]


def test_a_first_pass_with_the_lead_and_the_attention_of_the_others_is_whole() -> None:
    assert whole("nfmfm", "nfmfm", "nfmfm", "nfmfms") == [True, True, True, True]
    assert whole("nnfmfm", "nfmfm", "nfmfm") == [True, True, False]
    assert whole("fmfm", "nfmfm", "nfmfm") == [False, True, False]
    assert whole("nfmfmfm", "nfmfm", "nfmfm") == [False, True, False]


def test_a_pass_without_attention_is_not_whole_and_has_none() -> None:
    of = rows("enfm", "nf", "nfm")
    found = pass_table(of, anchors(of))
    assert found["whole"].to_list() == [True, False, False]
    assert found["mixers"].to_list() == [1, 0, 1]


def test_passes_without_attention_say_nothing_of_the_usual_lead() -> None:
    # of the inner passes only "nfmfm" counts, not "s": 2 attention kernels, lead 2
    assert whole("nfmfm", "s", "nfmfm", "s", "nfmfm", "nfm") == [True, False, True, False, True, False]


def test_each_lane_has_its_own_ends_and_its_own_usual_pass() -> None:
    lanes = (1, 1, 1, 2, 2, 2)
    assert whole("fm", "fm", "fm", "nfmfm", "nfmfm", "nfmfms", lanes=lanes) == [True, True, False, True, True, True]
    assert whole("fm", "fm", "fm", "fm", "nfmfm", "nfmfms", lanes=lanes) == [True, True, False, False, True, True]


TOLD = ("sampled_rows", "sequences", "nvtx_batch", "nvtx_rows")


def numbered(
    mixers: list[int],
    phase: list[str | None],
    *,
    whole: list[bool] | None = None,
    lane: list[int] | None = None,
    rows: list[int] | None = None,
    told: Mapping[str, Sequence[int | None]] | None = None,
    drafting: bool = False,
) -> pl.DataFrame:
    count = len(mixers)
    return steps(
        pl.DataFrame(
            {
                "pass": list(range(count)),
                "mixers": mixers,
                "rows": rows or [8] * count,
                "sampled": [True] * count,
                "phase": phase,
                "whole": whole or [True] * count,
                "lane": lane or [0] * count,
                "process": lane or [0] * count,
                "device": [0] * count,
                "begin": [10 * n for n in range(count)],
            }
            | {name: (told or {}).get(name, [None] * count) for name in TOLD},
            schema_overrides={"phase": pl.String} | dict.fromkeys(TOLD, pl.Int64),
        ),
        drafting=drafting,
    )


def test_rows_of_as_many_sequences_verify_no_drafts() -> None:
    # 16 = (1 + 1) x 8, but the largest pass works on 16 sequences
    found = numbered([4, 9], ["decode"] * 2, rows=[8, 16], told={"sequences": [None, 16]})
    assert (found["draft"].to_list(), found["mixed"].to_list()) == ([False, False], [True, True])


def test_where_the_engines_range_tells_of_drafts_a_pass_with_fewer_rows_is_one() -> None:
    range_ = {"nvtx_batch": [8, 8], "nvtx_rows": [32, 32]}
    assert numbered([4, 4], ["decode"] * 2, rows=[32, 8], told=range_)["draft"].to_list() == [False, True]
    # the first draft runs over all that was verified and samples one row a sequence
    first = range_ | {"sampled_rows": [32, 8]}
    assert numbered([4, 4], ["decode"] * 2, rows=[32, 32], told=first)["draft"].to_list() == [False, True]


def test_the_pass_behind_a_verification_over_all_its_rows_drafts() -> None:
    # 8 sequences of 4 rows are verified; the first draft runs over the 32 rows and samples one of each sequence
    told: dict[str, Sequence[int | None]] = {"sequences": [8, None], "sampled_rows": [32, 8]}
    found = numbered([9, 3], ["decode", None], rows=[32, 32], told=told)
    assert (found["phase"].to_list(), found["draft"].to_list()) == (["decode"] * 2, [False, True])
    # a prompt of 32 rows of which one is sampled is no draft of 8 sequences
    prompt = numbered([9, 3], ["decode", None], rows=[32, 32], told={"sequences": [8, None], "sampled_rows": [32, 1]})
    assert prompt["phase"].to_list() == ["decode", None]


def test_a_last_step_with_fewer_drafts_than_others_is_cut() -> None:
    found = numbered([9, 3, 3, 9, 3], ["decode"] * 5, rows=[24, 8, 8, 24, 8])
    assert found["step"].to_list() == [0, 0, 0, 1, 1]
    assert found["whole"].to_list() == [True, True, True, False, False]


def test_steps_are_counted_from_0_per_phase_and_only_with_attention() -> None:
    phase: list[str | None] = ["prefill", "decode", "decode", "prefill", "decode", "decode"]
    found = numbered([1, 0, 1, 1, 0, 1], phase, whole=[True, False, True, True, False, True])
    assert found["step"].to_list() == [0, None, 0, 1, None, 1]


def test_steps_of_two_gpus_are_counted_apart() -> None:
    assert numbered([2, 2, 2], ["decode"] * 3, lane=[0, 1, 0])["step"].to_list() == [0, 0, 1]


def test_a_decode_pass_with_a_third_of_the_attention_drafts_for_the_step_before() -> None:
    found = numbered([9, 3, 9, 3], ["decode"] * 4, rows=[16, 8, 16, 8])
    assert found["draft"].to_list() == [False, True, False, True]
    assert found["step"].to_list() == [0, 0, 1, 1]
    assert found["deeper"].to_list() == [None, 9, None, 9]


def test_a_deeper_draft_is_told_by_the_rows_that_the_largest_pass_verifies() -> None:
    found = numbered([4, 4, 9], ["decode"] * 3, rows=[8, 8, 24])
    assert (found["draft"].to_list(), found["step"].to_list()) == ([True, True, False], [0, 0, 0])
    assert found["whole"].to_list() == [True] * 3


def test_passes_of_two_depths_with_equal_rows_are_of_two_models_and_none_is_a_whole_step() -> None:
    found = numbered([9, 4, 9], ["decode"] * 3)
    assert (found["mixed"].to_list(), found["whole"].to_list()) == ([True] * 3, [False] * 3)


def test_cut_passes_and_prefills_do_not_draft() -> None:
    assert numbered([9, 3], ["decode", "decode"], whole=[True, False])["draft"].to_list() == [False, False]
    assert numbered([9, 3], ["decode", "prefill"])["draft"].to_list() == [False, False]
    assert numbered([9, 3], ["decode", None])["draft"].to_list() == [False, False]


def test_only_whole_decode_passes_are_drafted_for() -> None:
    assert numbered([9, 3, 3], ["prefill", "decode", "decode"])["draft"].to_list() == [False] * 3
    assert numbered([9, 3, 3], ["decode"] * 3, whole=[False, True, True])["draft"].to_list() == [False] * 3


def test_drafts_before_every_step_belong_to_the_step_that_follows() -> None:
    assert numbered([3, 9, 3, 9], ["decode"] * 4, rows=[8, 16, 8, 16])["step"].to_list() == [0, 0, 1, 1]
    assert numbered([3, 9, 3], ["decode"] * 3, rows=[8, 24, 8])["step"].to_list() == [0, 0, None]


def test_behind_the_rest_of_a_step_drafts_serve_the_step_that_follows() -> None:
    whole = [False, True, True, True, True]
    found = numbered([9, 3, 9, 3, 9], ["decode"] * 5, rows=[16, 8, 16, 8, 16], whole=whole)
    assert found["step"].to_list() == [0, 1, 1, 2, 2]
    assert found["whole"].to_list() == whole


def test_drafts_that_begin_over_all_verified_rows_extend_their_step_though_others_open_the_window() -> None:
    # a draft of a step before the window, then two steps: verification of 4 rows of one sequence, the draft over them, one more
    told: dict[str, Sequence[int | None]] = {
        "sequences": [None, 1, None, None, 1, None, None],
        "sampled_rows": [1, 4, 1, 1, 4, 1, 1],
    }
    phase = ["decode", "decode", None, "decode", "decode", None, "decode"]
    found = numbered([3, 9, 3, 3, 9, 3, 3], phase, rows=[1, 4, 4, 1, 4, 4, 1], told=told, drafting=True)
    assert found["step"].to_list() == [None, 0, 0, 0, 1, 1, 1]
    assert found["whole"].to_list()[1:] == [True] * 6


def test_drafts_are_those_of_their_own_lane() -> None:
    assert numbered([9, 3], ["decode"] * 2, lane=[0, 1])["draft"].to_list() == [False, False]


def test_steps_follow_the_order_of_the_capture_and_the_table_that_of_passes() -> None:
    table = (
        numbered([2, 2, 2], ["decode"] * 3).drop("draft", "mixed", "step", "deeper").with_columns(begin=pl.Series([20, 0, 10]))
    )
    found = steps(table)
    assert found["pass"].to_list() == [0, 1, 2]
    assert found["step"].to_list() == [2, 0, 1]


def test_a_step_before_a_cut_pass_that_may_be_one_more_of_its_drafts_is_not_whole() -> None:
    cut = [True, True, True, False]
    rows = [32, 8, 8, 8]
    decode: list[str | None] = ["decode"] * 4
    assert numbered([6, 3, 3, 2], decode, whole=cut, rows=rows, drafting=True)["whole"].to_list() == [False] * 4
    # on as many rows as the model verifies it is the next verification
    rest = numbered([6, 3, 3, 2], decode, whole=cut, rows=[32, 8, 8, 32], drafting=True)
    assert rest["whole"].to_list() == [True, True, True, False]
    # drafts before a verification are of the step that follows
    ahead = numbered([3, 3, 6, 2], decode, whole=cut, rows=[8, 8, 32, 8], drafting=True)
    assert ahead["whole"].to_list() == [True, True, True, False]


def test_whole_passes_beside_a_cut_one_of_more_rows_may_all_be_drafts_where_something_drafts() -> None:
    cut, rows = [False, True, True], [96, 32, 32]
    decode: list[str | None] = ["decode"] * 3
    assert numbered([3, 4, 4], decode, whole=cut, rows=rows, drafting=True)["whole"].to_list() == [False] * 3
    assert numbered([3, 4, 4], decode, whole=cut, rows=rows)["whole"].to_list() == cut
    assert numbered([3, 4, 4], ["prefill", *decode[1:]], whole=cut, rows=rows, drafting=True)["whole"].to_list() == cut


def test_an_empty_capture_has_the_columns_of_a_pass() -> None:
    parts = {"opens", "closes", "opened", "served", "verified", "rows", "planned"}
    assert parts | {"lane", "phase", "step", "whole", "mixers", "launches", "draft", "mixed"} == set(empty_passes().columns)
    assert empty_passes().is_empty()
