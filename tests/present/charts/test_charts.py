"""The roofline chart: places in the specification and in pixels, and what it says where something is unknown."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from typing import Any

import altair as alt
import polars as pl
import pytest

from ncu_roofline.analysis.roofline import picture as pictures
from ncu_roofline.present.charts import export
from ncu_roofline.present.charts.bundle import roofline as written
from ncu_roofline.present.charts.roofline import draw
from ncu_roofline.present.documents import words_roofline as words
from ncu_roofline.present.forms.plane import GAP, plane
from tests.charted import BANDWIDTH, PEAK, launch, picture, study

SVG = "{http://www.w3.org/2000/svg}"


def specification(*rows: dict[str, Any], theory: bool = False, **how: Any) -> dict[str, Any]:
    chart = draw(picture(*rows, **how), theory=theory)
    chart.to_dict()  # raises where the specification is not valid Vega-Lite; what we write is not checked again
    return export.specifications(chart)["light"]


def marks(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of the layer whose marks can be pointed at."""
    named = next(layer for layer in spec["layer"] if str(layer.get("name", "")).startswith("marks_"))
    rows: list[dict[str, Any]] = spec["datasets"][named["data"]["name"]]
    return rows


def texts(spec: dict[str, Any]) -> list[str]:
    return [
        row["text"].replace("\u00a0", " ")
        for rows in spec["datasets"].values()
        for row in rows
        if set(row) >= {"text"} and "look" not in row
    ]


def circles(svg: bytes) -> list[tuple[float, float]]:
    """Where the marks stand, in pixels from the corner of the plotting area."""
    found = []
    for element in ElementTree.fromstring(svg).iter(f"{SVG}path"):
        if element.get("aria-roledescription") == "point" and "gemm" in (element.get("aria-label") or ""):
            place = re.match(r"translate\(([-\d.]+),([-\d.]+)\)", element.get("transform") or "")
            assert place
            found.append((float(place[1]), float(place[2])))
    return found


# flops = intensity x bytes; the rate is flops over 10 us
ON_RIDGE = launch(kernel="gemm_ridge", dram_bytes=1e7, flops=1e9, useful_flops=1e9, path="bf16")
AT_ONE = launch(kernel="gemm_one", dram_bytes=1e7, flops=1e7, useful_flops=1e7)
ON_ROOF = launch(kernel="gemm_roof", dram_bytes=1e6, flops=1e9, useful_flops=1e9)


def test_the_specification_holds_the_planted_places() -> None:
    found = {row["full"]: (row["x"], row["y"]) for row in marks(specification(ON_RIDGE, AT_ONE, ON_ROOF))}

    # 1e9 FLOP / 1e7 B = 100 and 1e9 / 1e-5 s = 1e14; 1e7 / 1e7 = 1 and 1e12; 1e9 / 1e6 = 1000 and 1e14
    assert found == {"gemm_ridge": (100, 1e14), "gemm_one": (1, 1e12), "gemm_roof": (1000, 1e14)}


def test_pixels_in_the_svg_are_where_the_log_axes_put_the_planted_places() -> None:
    shown = picture(ON_RIDGE, AT_ONE, ON_ROOF)
    on = plane(shown)

    drawn = sorted(set(circles(written(shown, "svg"))))

    wide = math.log10(on.x[1] / on.x[0])
    high = math.log10(on.y[1] / on.y[0])
    expected = [
        (on.width * math.log10(x / on.x[0]) / wide, on.height * math.log10(on.y[1] / y) / high)
        for x, y in [(1, 1e12), (100, 1e14), (1000, 1e14)]
    ]
    assert drawn == [pytest.approx(place, abs=0.01) for place in expected]


def test_a_kernel_on_the_ridge_stands_where_the_roofs_meet() -> None:
    spec = specification(ON_RIDGE, AT_ONE)
    spans = [row for rows in spec["datasets"].values() for row in rows if set(row) == {"x", "y", "x2", "y2"}]

    # the slope ends and the ceiling begins at 100 FLOP/byte and 100 TFLOP/s
    assert any(r["x2"] == pytest.approx(PEAK / BANDWIDTH) and r["y2"] == pytest.approx(PEAK) for r in spans)
    assert any(r["x"] == pytest.approx(PEAK / BANDWIDTH) and r["y"] == pytest.approx(PEAK) == r["y2"] for r in spans)
    assert "ridge 100 FLOP/byte" in texts(spec)


def test_padded_work_is_solid_at_the_useful_and_hollow_at_the_executed_intensity() -> None:
    spec = specification(launch(flops=128e6, tensor_flops=128e6, useful_flops=8e6))

    # 1 MB in 10 us: useful 8 FLOP/byte and 0.8 TFLOP/s, executed 128 and 12.8
    row = marks(spec)[0]
    assert (row["x"], row["y"], row["executed_x"], row["executed_y"]) == (8, 8e11, 128, 12.8e12)
    assert any("executed, padding included" in t for t in texts(spec))


def test_a_tensor_kernel_of_unknown_useful_work_is_marked_as_an_upper_bound() -> None:
    spec = specification(launch(flops=128e6, tensor_flops=128e6))

    row = marks(spec)[0]
    # the arrow points to less work: left and down by the same factor
    assert row["look"] == "upper"
    assert row["tip_x"] < row["x"]
    assert row["tip_x"] / row["x"] == pytest.approx(row["tip_y"] / row["y"], rel=1e-4)
    assert any("only executed work known" in t for t in texts(spec))


def test_attention_whose_cache_bounds_it_shows_the_range_of_its_useful_work() -> None:
    spec = specification(
        launch(
            kernel="flash",
            family="attention",
            role="attention",
            flops=131e6,
            tensor_flops=131e6,
            useful_intensity_low=1.0,
            useful_intensity_high=16.0,
        )
    )

    row = marks(spec)[0]
    # 1 MB in 10 us is 1e11 B/s: 16 FLOP/byte are 1.6 TFLOP/s
    assert (row["tip_x"], row["low_x"], row["tip_y"]) == (16, 1, 1.6e12)
    assert "attention moves 100 % of the bytes at 1 to 16 useful FLOP/byte" in subtitle(spec).replace("\u00a0", " ").replace(
        "Att", "att"
    )


def subtitle(spec: dict[str, Any]) -> str:
    return " ".join(spec["title"]["subtitle"])


def test_a_scalar_kernel_whose_work_was_all_counted_is_no_upper_bound() -> None:
    row = marks(specification(launch(kernel="norm", family="other", role="norm", tensor_flops=0.0, path="fp32")))[0]

    assert (row["look"], row["basis"]) == ("solid", "all work counted")


def test_nothing_vanishes_a_kernel_without_flops_stands_in_the_band() -> None:
    spec = specification(launch(), launch(kernel="copy", family="other", role="copy", flops=0.0, tensor_flops=0.0, path=None))

    rows = {r["full"]: r for r in marks(spec)}
    shown = picture(launch(), launch(kernel="copy", flops=0.0, tensor_flops=0.0, path=None))
    assert rows["copy"]["x"] < plane(shown).left < rows["gemm"]["x"]
    assert "no FLOPs" in texts(spec)


def test_what_is_not_known_of_a_mark_is_told_as_a_dash_never_as_zero() -> None:
    # Vega writes a null number in a tooltip as 0
    row = marks(specification(launch(useful_flops=None, useful_intensity=None, seconds=1e-5)))[0]

    assert (row["useful_intensity"], row["seconds"]) == ("–", "10 µs")


def test_the_lines_at_the_foot_stay_lines_in_the_drawing() -> None:
    drawn = export.svg(specification(launch())).decode()

    assert "planted.ncu-rep · 1 launch in 10 µs · batch unknown: executed work only</tspan>" in drawn


def test_small_glue_is_one_quiet_cloud_with_its_part_of_the_time() -> None:
    glue = {"family": "other", "role": "norm", "dram_bytes": 1e3, "flops": 1e4, "tensor_flops": 0.0}
    glue |= {"limited_by": "latency", "bandwidth_share": 0.01, "compute_share": 0.01}
    # four kernels of 10 us beside one of 10 us: 80 % of the time
    spec = specification(launch(), *(launch(kernel=f"norm_{i}", **glue) for i in range(4)))

    assert "4 small kernels, 80.0 % of the time" in texts(spec)


def test_the_band_without_flops_stands_apart_from_the_axis_of_the_rate() -> None:
    spec = specification(launch(), launch(kernel="copy", family="other", role="copy", flops=0.0, tensor_flops=0.0, path=None))
    on = plane(picture(launch(), launch(kernel="copy", flops=0.0, tensor_flops=0.0, path=None)), gap=GAP)
    axes = [layer["encoding"]["y"]["axis"] for layer in spec["layer"] if "axis" in layer["encoding"].get("y", {})]

    assert on.px(on.left) - on.px(on.band_end) == pytest.approx(GAP)
    assert {a["offset"] for a in axes} == {-round(on.px(on.left))}


def test_a_mark_above_its_roof_is_ringed_and_the_key_says_why() -> None:
    spec = specification(launch(bandwidth_share=1.4, compute_share=0.1, suspect=True))

    assert marks(spec)[0]["suspect"] is True
    assert any("above its roof" in t for t in texts(spec))


def test_datasheet_and_capture_roofs_are_told_apart() -> None:
    spec = specification(launch(peak_at_clock=80e12, bandwidth_at_clock=0.9e12))

    styles = {layer["mark"].get("style") for layer in spec["layer"]}
    assert {"datasheet", "capture"} <= styles
    # 80 TFLOP/s over 0.9 TB/s = 88.9
    assert "ridge 88.9 FLOP/byte (datasheet 100)" in texts(spec)
    assert "BF16 80 TFLOP/s (datasheet 100)" in texts(spec)


@pytest.mark.parametrize("narrow", [False, True])
def test_a_peak_and_the_ridge_beside_it_are_of_one_kind(narrow: bool) -> None:
    shown = picture(
        launch(peak_at_clock=80e12, bandwidth_at_clock=0.9e12),
        launch(path="fp32", precision="fp32", dram_bytes=1e5, peak=60e12, peak_at_clock=45e12, bandwidth_at_clock=0.9e12),
    )
    said = texts(export.specifications(draw(shown, narrow=narrow))["light"])

    # at the capture's clocks 45 TFLOP/s over 0.9 TB/s = 50, by datasheet 60 over 1 = 60
    if narrow:
        assert {"FP32 vector 45 TFLOP/s", "BF16 80 TFLOP/s", "DRAM 900 GB/s", "ridge 88.9"} <= set(said)
    else:
        assert "FP32 vector 45 TFLOP/s, ridge 50" in said


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([launch(flops=None, tensor_flops=None, path=None, peak=None)], "No FLOPs were counted"),
        ([launch(dram_bytes=None)], "DRAM bytes were not counted"),
        ([launch(flops=None, tensor_flops=None, dram_bytes=None, path=None, peak=None)], "counts neither FLOPs nor DRAM bytes"),
        (
            [launch(limited_by="latency", bandwidth_share=0.01, compute_share=0.01)],
            "100 % of the time goes to kernels too small for either roof",
        ),
        ([launch(seconds=None)], "has no durations"),
        ([launch(family="attention", role="attention")], "Attention moves 100 % of the bytes"),
        ([launch(family="other", role="norm", tensor_flops=0.0)], "Everything else moves 100 % of the bytes"),
    ],
)
def test_what_cannot_be_placed_is_said_and_still_gives_a_chart(rows: list[dict[str, Any]], sentence: str) -> None:
    spec = specification(*rows)

    assert sentence in subtitle(spec).replace("\u00a0", " ")
    assert b"<svg" in export.svg(spec)


def test_an_empty_capture_still_gives_a_chart() -> None:
    spec = specification()

    assert subtitle(spec) == "The capture holds no launches."
    assert b"<svg" in export.svg(spec)


def test_where_nothing_has_a_place_the_time_of_each_kernel_is_shown() -> None:
    blank = {"flops": None, "tensor_flops": None, "dram_bytes": None, "path": None, "peak": None}
    spec = specification(launch(kernel="decode", seconds=3e-5, **blank), launch(kernel="merge", seconds=1e-5, **blank))

    # 30 us of 40 us
    assert "decode  75.0 % of the time" in texts(spec)


def test_an_unknown_device_has_no_roofs_and_says_how_to_name_it() -> None:
    unknown = {"peak": None, "bandwidth": None, "ridge": None, "ridge_spec": None}
    spec = specification(launch(**unknown), gpu=None)

    assert any("name it with --gpu" in t for t in texts(spec))
    assert not [t for t in texts(spec) if t.startswith("ridge")]


def test_theory_puts_fc_at_two_times_batch_over_bytes_per_weight() -> None:
    shown = picture(launch(), batch=32)

    # 2 x 32 / 2 B = 32 FLOP/byte
    assert [(t.family, t.intensity) for t in shown.theory] == [("fc", 32.0)]
    assert "theory, FC: 2 × batch 32 / 2 B (bf16)" in texts(specification(launch(), batch=32, theory=True))


def test_marks_are_sized_by_time_where_bytes_are_unknown_and_the_legend_says_so() -> None:
    assert picture(launch(dram_bytes=None)).size_by == "time"
    assert picture(launch()).size_by == "bytes"


def test_colours_and_shapes_of_the_families_all_differ() -> None:
    spec = specification(launch(), launch(kernel="flash", family="attention"), launch(kernel="norm", family="other"))

    ranges = spec["config"]["range"]
    assert len(set(ranges["category"])) == len(set(ranges["symbol"])) == 3


def hashes() -> list[str]:
    """Of every form of one picture."""
    shown = picture(launch(useful_flops=1e6), launch(kernel="flash", family="attention"))
    return [hashlib.sha256(written(shown, form)).hexdigest() for form in ("json", "svg", "png", "html")]


@pytest.mark.slow  # another process draws every form again
def test_the_same_capture_gives_the_same_bytes_in_another_process() -> None:
    code = f"from {__name__} import hashes; print(*hashes())"
    known = {**os.environ, "PYTHONHASHSEED": "7"}
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=known).stdout

    assert other.split() == hashes()


def test_two_rooflines_stand_side_by_side_in_one_chart() -> None:
    pair = alt.hconcat(draw(picture(launch())), draw(picture(launch(kernel="other", flops=9e6))))

    assert b"<svg" in export.svg(export.specifications(pair)["light"])


def test_the_specification_is_valid_vega_lite() -> None:
    spec = specification(launch(useful_flops=1e6), launch(kernel="flash", family="attention"))

    alt.Chart.from_dict(json.loads(export.text(spec)), validate=True)


def test_a_hostile_name_is_text_in_the_svg() -> None:
    svg = written(picture(launch(kernel="<img src=x onerror=alert(1)>")), "svg")

    assert b"<img" not in svg
    assert b"&lt;img" in svg


def test_a_label_ends_no_script_of_the_page_and_starts_none() -> None:
    page, plain = (written(picture(launch(kernel=name)), "html").decode() for name in ("<!--<script></script>", "plain"))

    assert "<!--" not in page
    assert (page.count("<script"), page.count("</script")) == (plain.count("<script"), plain.count("</script"))
    assert "default-src 'none'; script-src 'sha256-" in page


def test_five_thousand_groups_stay_a_small_specification() -> None:
    rows = [launch(kernel=f"kernel_{i}", dram_bytes=1e3 + i) for i in range(5000)]

    assert len(export.text(specification(*rows))) < 500_000


def test_the_finding_divides_sums_over_the_family() -> None:
    shown = picture(launch(useful_flops=1e6), launch(kernel="gemm2", useful_flops=3e6, dram_bytes=3e6))

    # (1 + 3) MFLOP over (1 + 3) MB = 1 FLOP/byte, 1 % of the ridge at 100
    assert words.where(shown) == ["FC moves 100 % of the bytes at 1 useful FLOP/byte, 1.0 % of the ridge: memory-bound."]


def test_a_family_whose_work_nobody_counted_is_named_beside_one_that_was() -> None:
    gemv = launch(dram_bytes=3e6, flops=None, tensor_flops=None, useful_flops=None)
    attention = launch(kernel="fmha", family="attention", role="attention", dram_bytes=1e6, flops=5e7, tensor_flops=5e7)
    shown = picture(gemv, attention)

    # 50 MFLOP over 1 MB: 50 FLOP/byte, half of the ridge at 100
    assert words.where(shown) == [
        "FC moves 75.0 % of the bytes, its FLOPs unknown; attention moves 25.0 % of the bytes at no more than 50 executed "
        "FLOP/byte, 50.0 % of the ridge: memory-bound."
    ]
    assert words.band(shown) == "FLOPs ?"


def test_useful_work_alone_gives_a_family_its_place() -> None:
    shown = picture(launch(flops=None, tensor_flops=None, useful_flops=1e6, dram_bytes=1e6))

    assert words.where(shown)[0].startswith("FC moves 100 % of the bytes at 1 useful FLOP/byte")


def test_by_layer_keeps_fc_and_attention_apart() -> None:
    shown = picture(launch(layer=0), launch(layer=0, family="attention", role="attention"), launch(layer=1), by="layer")

    assert shown.marks.select("layer", "family").sort("layer", "family").rows() == [(0, "fc"), (0, "attention"), (1, "fc")]


def test_every_mark_of_the_chart_has_a_row_in_the_table_of_marks() -> None:
    shown = picture(launch(), launch(kernel="norm", family="other"))
    spec = export.specifications(draw(shown))["light"]

    assert {r["full"] for r in marks(spec)} == set(shown.marks.filter(pl.col("place") != "nowhere")["name"])


def test_the_l2_level_puts_a_cross_where_the_same_work_stands_over_the_l2_bytes() -> None:
    shown = pictures.picture(study(launch(useful_flops=8e6, l2_bytes=4e6)), levels=("dram", "l2"))
    spec = export.specifications(draw(shown))["light"]

    # 8 MFLOP over 1 MB of DRAM are 8 FLOP/byte, over 4 MB of L2 they are 2
    assert (marks(spec)[0]["x"], marks(spec)[0]["l2_x"]) == (8, 2)
    assert any("L2 roof not captured" in t for t in texts(spec))
