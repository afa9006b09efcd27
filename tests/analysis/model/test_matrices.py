"""Kernels beside the weight matrices of a model: which one each streams."""

from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from ncu_roofline.analysis.model import matrices
from ncu_roofline.analysis.model.alignment import Matrix
from ncu_roofline.analysis.model.footprint import Setting
from ncu_roofline.analysis.model.matrices import (
    Streams,
    best,
    described,
    described_matrix,
    layer_kinds,
    match,
    mixer_places,
    with_patterns,
)
from ncu_roofline.capture.capture import Run
from ncu_roofline.capture.schema import PHASES, ROLES, enum
from ncu_roofline.knowledge.models.model import Model, Weight
from tests.kernels import full, launch, launches
from tests.small_model import small
from tests.stating import stating

QKV = {"role": "fc", "kind": "full", "layers": (0, 1), "fused": "qkv_proj"}
PLAIN = {"role": "fc", "kind": "full", "layers": (0, 1)}
WEIGHTS = (
    Weight(name="norm", n=1000, kind="full", layers=(0, 1)),
    Weight(name="q_proj", n=100, k=1000, **QKV),  # type: ignore[arg-type]
    Weight(name="k_proj", n=20, k=1000, **QKV),  # type: ignore[arg-type]
    Weight(name="o_proj", n=1000, k=100, **PLAIN),  # type: ignore[arg-type]
    Weight(name="up_proj", n=400, k=1000, **PLAIN),  # type: ignore[arg-type]
    Weight(name="lm_head", n=5000, k=1000, role="fc"),
)
MODEL = small(layer_kinds=("full", "full"), weights=WEIGHTS)


def streams(model: Model = MODEL, rows: int | None = 4, dtype: str | None = None, **setting: Any) -> Streams:
    return Streams(model, Setting(**setting), rows, dtype)


def test_a_matrix_is_as_large_as_its_type_and_its_share_of_the_gpus() -> None:
    up = WEIGHTS[4]
    plain = streams().matrix(up, 3, 2, True)
    assert (plain.n, plain.k, plain.bytes, plain.activations) == (400, 1000, 400 * 1000 * 2, 2 * 4 * 1000)
    assert (plain.first, plain.parts, plain.after, plain.experts, plain.per_token) == (3, 2, True, 1, 1)
    assert streams(tp=2).matrix(up, 0, 1).bytes == 400 * 1000 * 2 / 2
    assert streams(rows=None).matrix(up, 0, 1).activations == 2 * 1000


@pytest.mark.parametrize(
    ("dtype", "stated", "native", "width"),
    [
        ("fp8", None, "bf16", 1),
        ("fp8", "bf16", "bf16", 2),  # what the user says stands
        (None, "fp8", "bf16", 1),
        ("bf16", None, "fp8", 1),  # the model's own narrow type stands
        (None, None, "bf16", 2),
    ],
)
def test_names_tell_the_type_where_nobody_says_another(dtype: str | None, stated: str | None, native: str, width: int) -> None:
    told = streams(replace(MODEL, native=native), dtype=dtype, weights=stated)
    assert told.matrix(WEIGHTS[4], 0, 1).bytes == 400 * 1000 * width


def test_a_token_goes_through_some_experts_and_through_other_matrices_once() -> None:
    model = replace(MODEL, experts=8, experts_per_token=2)
    expert = replace(WEIGHTS[4], copies=8, read="experts")
    assert (streams(model).matrix(expert, 0, 1).per_token, streams(model).matrix(expert, 0, 1).experts) == (2, 8)
    assert streams(model).matrix(replace(expert, copies=2), 0, 1).per_token == 2
    assert streams(model).matrix(WEIGHTS[4], 0, 1).per_token == 1


def test_the_matrices_of_a_layer_are_separate_and_fused_and_on_a_side_of_attention() -> None:
    found = [(m.name, m.n, m.first, m.parts, m.after) for m in streams().of_kind("full")]
    assert found == [
        ("q_proj", 100, 0, 1, False),
        ("k_proj", 20, 1, 1, False),
        ("o_proj", 1000, 2, 1, True),
        ("up_proj", 400, 3, 1, True),
        ("qkv_proj", 120, 0, 2, False),
    ]


def test_without_a_known_output_projection_no_side_is_known() -> None:
    latent = replace(MODEL, weights=tuple(replace(w, kind="mla") for w in WEIGHTS if w.layers))
    assert {m.after for m in streams(latent).of_kind("mla")} == {None}
    bare = replace(MODEL, weights=tuple(w for w in WEIGHTS if w.name != "o_proj"))
    assert {m.after for m in streams(bare).of_kind("full")} == {None}


def test_every_group_of_fused_neighbours_is_one_matrix() -> None:
    gate = [replace(WEIGHTS[4], name=n, fused="gate_up") for n in ("gate_proj", "up_proj")]
    model = replace(MODEL, weights=(*WEIGHTS[:4], *gate))
    assert [(m.name, m.n, m.first, m.parts) for m in streams(model).of_kind("full") if m.parts > 1] == [
        ("qkv_proj", 120, 0, 2),
        ("gate_up", 800, 3, 2),
    ]


def outputs(name: str, grid: tuple[int, int, int], n: int = 256, rows: float = 100.0) -> float:
    frame = pl.DataFrame(
        {"name": [name], "grid": [list(grid)], "matrix_n": [n], "matrix_rows": [rows]},
        schema_overrides={"grid": pl.Array(pl.Int64, 3)},
    )
    return float(frame.select(matrices.output_bytes()).item())


def test_outputs_are_rows_of_16_bits_or_32_bit_sums_per_split() -> None:
    assert outputs("gemm_64x32_tn", (4, 4, 3)) == 256 * 100 * 2
    # 256 / 64 = 4 tiles across, 100 / 32 = 4 along: 48 blocks are 3 splits
    assert outputs("gemm_64x32_splitK", (4, 4, 3)) == 256 * 100 * 4 * 3
    assert outputs("gemm_64x32_split_k", (4, 4, 3)) == 256 * 100 * 4 * 3
    # 5 tiles of 60 hold 256, 4 of 32 hold 100
    assert outputs("gemm_60x32_splitK", (5, 4, 2)) == 256 * 100 * 4 * 2
    assert outputs("gemm_64x32_splitK", (1, 1, 1)) == 256 * 100 * 4
    # a name without tiles tells no splits
    assert outputs("gemm_splitK", (4, 4, 3)) == 256 * 100 * 2


def test_the_setting_is_as_stated_and_the_type_as_most_names_tell() -> None:
    run = stating(batch=8, tp=2, weights="int4")
    assert described(full(pl.DataFrame({"index": [1]})), run, MODEL) == Streams(
        MODEL, Setting(batch=8, weights="int4", tp=2), 8, None
    )
    told = full(pl.DataFrame({"weight_dtype": ["fp8", "fp8", "bf16", None, None, None], "family": ["fc"] * 6}))
    assert described(told, Run(), MODEL) == Streams(MODEL, Setting(tp=1), None, "fp8")
    odd = full(pl.DataFrame({"weight_dtype": ["odd"], "family": ["fc"]}))
    assert described(odd, Run(), MODEL).dtype is None


def placed(*given: dict[str, Any]) -> pl.DataFrame:
    """Launches with their places; `read` bytes each."""
    usual = {
        "role": "fc",
        "phase": "decode",
        "step": 0,
        "layer": 0,
        "position": 0,
        "layer_whole": True,
        "read": None,
        "bytes": None,
    }
    rows = [{**usual, **each} for each in given]
    frame = launches(*(launch(r.get("name", "gemm"), grid=r.get("grid", [1, 1, 1]), process=1, device=0) for r in rows))
    columns = {c: [r[c] for r in rows] for c in usual}
    return frame.with_columns(
        role=pl.Series(columns["role"], dtype=enum(ROLES)),
        phase=pl.Series(columns["phase"], dtype=enum(PHASES)),
        step=pl.Series(columns["step"], dtype=pl.Int64),
        layer=pl.Series(columns["layer"], dtype=pl.Int64),
        position=pl.Series(columns["position"], dtype=pl.Int64),
        layer_whole=pl.Series(columns["layer_whole"], dtype=pl.Boolean),
        dram_read_bytes=pl.Series(columns["read"], dtype=pl.Float64),
        dram_bytes=pl.Series(columns["bytes"], dtype=pl.Float64),
    )


def test_the_attention_of_a_layer_is_the_first_one_by_position() -> None:
    found = mixer_places(
        placed(
            {"role": "attention", "position": 5},
            {"role": "attention", "position": 3},
            {"role": "ssm", "position": 2, "layer": 1},
            {"role": "norm", "position": 0},
            {"role": "attention", "position": 1, "layer": None},
        )
    ).sort("layer")
    assert found.select("layer", "mixer").rows() == [(0, 3), (1, 2)]


def patterned(*given: dict[str, Any]) -> pl.DataFrame:
    frame = placed(*given)
    mixers = pl.Series([g.get("mixer", 2) for g in given], dtype=pl.Int64)
    return with_patterns(frame.with_columns(mixer=mixers))


def test_layers_of_equal_products_have_one_pattern_and_products_their_order() -> None:
    one: list[dict[str, Any]] = [{"position": 0}, {"position": 3, "name": "other"}]
    found = patterned(*one, *({**p, "layer": 1} for p in one), {"layer": 2}, {"layer": 2, "name": "other", "grid": [2, 1, 1]})
    patterns = found["pattern"].to_list()
    assert patterns[0] == patterns[1] == patterns[2] == patterns[3] != patterns[4]
    assert found["order"].to_list() == [0, 1, 0, 1, 0, 1]
    assert found["after"].to_list() == [False, True, False, True, False, False]


def test_a_cut_layer_lacks_its_head_unless_it_is_the_last() -> None:
    found = patterned(
        {"layer_whole": False}, {"layer": 1}, {"layer": 2, "layer_whole": False}, {"step": 1, "layer_whole": False}
    )
    assert found["cut"].to_list() == ["head", "", "tail", "tail"]
    assert found["pattern"].n_unique() == 3


def test_grids_of_every_side_tell_patterns_apart() -> None:
    found = patterned(*({"layer": n, "grid": g} for n, g in enumerate(([1, 1, 1], [2, 1, 1], [1, 2, 1], [1, 1, 2]))))
    assert found["pattern"].n_unique() == 4


def test_what_is_told_of_a_matrix() -> None:
    matrix = Matrix(name="up", n=3, k=5, bytes=30.0, experts=8, per_token=2)
    assert described_matrix(matrix, 4) == ("up", 3, 5, 30.0, 8.0, 8)
    assert described_matrix(matrix, None)[4] is None


def test_kinds_of_layers_have_their_numbers() -> None:
    assert layer_kinds(replace(MODEL, layer_kinds=("a", "b", "a"))) == {"a": {0, 2}, "b": {1}}


def test_of_equally_good_kinds_the_one_with_the_layers_number_is_chosen() -> None:
    twins = replace(
        MODEL,
        layer_kinds=("full", "twin"),
        weights=tuple(replace(w, kind=kind, name=f"{kind}.{w.name}") for kind in ("full", "twin") for w in WEIGHTS[4:5]),
    )
    for layers, kind in (([0], "full"), ([1], "twin"), ([0, 1], "full")):
        layer = pl.DataFrame(
            {"read": [808_000.0], "of_experts": [False], "after": [None], "cut": [""], "layers": [layers]},
            schema_overrides={"after": pl.Boolean},
        )
        chosen = best(layer, streams(twins), layer_kinds(twins))
        assert [m and m.name for m in chosen] == [f"{kind}.up_proj"]


STEP: tuple[dict[str, Any], ...] = (
    {"position": 1, "read": 248e3},  # fused qkv: 120 x 1000 x 2, and 4 rows of 1000 x 2 bytes
    {"position": 2, "role": "attention", "name": "attention"},
    {"position": 3, "read": 201e3},  # o: 1000 x 100 x 2
    {"position": 4, "role": "norm", "name": "norm"},
    {"position": 5, "read": 808e3},  # up: 400 x 1000 x 2
)
HEAD: dict[str, Any] = {"layer": None, "position": None, "layer_whole": None, "read": 10_008e3}
"""5000 x 1000 x 2 bytes."""


def test_each_product_of_a_step_has_its_matrix_and_what_it_read_over_it() -> None:
    found = match(placed(*STEP, *({**p, "layer": 1} for p in STEP), HEAD), stating(batch=4), MODEL)
    one = ["qkv_proj", None, "o_proj", None, "up_proj"]
    assert found["projection"].to_list() == [*one, *one, "lm_head"]
    first = found.select(
        "matrix_n", "matrix_k", "matrix_bytes", "matrix_rows", "read_amplification", "activation_bytes", "output_bytes"
    )
    assert first.row(0) == (120, 1000, 240e3, 4.0, 248 / 240, 2 * 4 * 1000, 2 * 4 * 120)
    assert first.row(10) == (5000, 1000, 10e6, 4.0, 10_008 / 10_000, 2 * 4 * 1000, 2 * 4 * 5000)
    assert found["experts_read"].null_count() == 11


def test_a_product_that_fits_nothing_has_no_matrix_and_the_others_theirs() -> None:
    odd: list[dict[str, Any]] = [*STEP, {"position": 6, "read": 5e3}]
    assert match(placed(*odd), stating(batch=4), MODEL)["projection"].to_list()[::2] == ["qkv_proj", "o_proj", "up_proj"]
    assert match(placed(*odd), stating(batch=4), MODEL)["projection"][5] is None


def test_where_only_half_of_a_layer_fits_nothing_is_matched() -> None:
    half: list[dict[str, Any]] = [STEP[4], {"position": 6, "read": 5e3, "name": "other"}]
    assert match(placed(*half), stating(batch=4), MODEL)["projection"].null_count() == 2


def test_a_loop_over_experts_needs_no_name_that_says_so() -> None:
    expert = replace(WEIGHTS[4], copies=8, read="experts")
    model = replace(MODEL, experts=8, experts_per_token=2, weights=(expert,))
    assert match(placed({"read": 808e3}), stating(batch=4), model)["projection"].to_list() == ["up_proj"]


def test_the_head_reads_its_rows_too() -> None:
    # 2000 rows of 1000 x 2 bytes beside 10 MB
    assert match(placed({**HEAD, "read": 14e6}), stating(batch=2000), MODEL)["projection"].to_list() == ["lm_head"]


def test_a_wrong_read_of_one_layer_is_outvoted_by_the_others() -> None:
    odd: list[dict[str, Any]] = [{**STEP[0], "read": 900e3}, *STEP[1:]]
    found = match(placed(*odd, *({**p, "layer": 1} for p in STEP), *({**p, "step": 1} for p in STEP)), stating(batch=4), MODEL)
    assert found["projection"][0] == "qkv_proj"
    assert found["read_amplification"][0] == 900 / 240


def test_prefill_products_and_other_roles_stream_nothing() -> None:
    found = match(placed(*({**p, "phase": "prefill"} for p in STEP)), stating(batch=4), MODEL)
    assert found["projection"].null_count() == 5


def test_products_of_unknown_phase_are_matched_and_of_bytes_where_reads_are_unknown() -> None:
    told = [{**p, "phase": None, "read": None, "bytes": p.get("read")} for p in STEP]
    assert match(placed(*told), stating(batch=4), MODEL)["projection"].to_list()[::2] == ["qkv_proj", "o_proj", "up_proj"]


def test_without_a_model_or_launches_there_are_empty_columns() -> None:
    assert match(placed(*STEP), Run(), None)["projection"].null_count() == 5
    assert set(matrices.COLUMNS) <= set(match(placed(*STEP).clear(), Run(), MODEL).columns)


def headed(*given: dict[str, Any]) -> list[str | None]:
    return match(placed(*given), stating(batch=4), MODEL)["projection"].to_list()


def test_the_head_is_known_by_its_bytes() -> None:
    assert headed(HEAD, {**HEAD, "read": 1e6}) == ["lm_head", None]
    assert headed({**HEAD, "read": 7.2e6}, {**HEAD, "read": 6.8e6}) == ["lm_head", None]  # within a factor of e^0.35
    assert headed({**HEAD, "read": 14e6}, {**HEAD, "read": 15e6}) == ["lm_head", None]


def test_or_by_its_place_where_none_are_measured() -> None:
    bare = {**HEAD, "read": None}
    assert headed(bare, bare) == [None, "lm_head"]
    assert headed(bare, {**bare, "step": 1}) == ["lm_head", "lm_head"]
    assert headed({**bare, "step": None}) == [None]
    assert headed(bare, {**HEAD, "read": 1e6}) == [None, None]


def test_a_model_without_a_head_has_none() -> None:
    headless = replace(MODEL, weights=WEIGHTS[:-1])
    assert match(placed(HEAD), stating(batch=4), headless)["projection"].to_list() == [None]


def test_experts_tell_how_many_of_them_were_read() -> None:
    expert = replace(WEIGHTS[4], copies=8, read="experts")
    model = replace(MODEL, experts=8, experts_per_token=2, weights=(expert,))
    read = 3 * 800e3 + 2 * 4 * 1000
    found = match(placed({"name": "fused_moe_kernel", "read": read}), stating(batch=4), model)
    assert found.select("projection", "matrix_rows", "read_amplification").row(0) == ("up_proj", 8.0, None)
    assert found["experts_read"][0] == 3  # what is read beside them is their inputs
