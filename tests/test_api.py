"""What a notebook imports: light, typed, documented by examples that run, and safe to show."""

import doctest
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

import ncu_roofline as nr
from ncu_roofline import api
from ncu_roofline.capture.capture import Capture
from ncu_roofline.capture.schema import LAUNCHES
from ncu_roofline.present.charts.theme import PALETTES

ROOT = Path(__file__).parent.parent
DEMO = ROOT / "fixtures" / "synthetic" / "demo.ncu-rep"
FUNCTIONS = sorted(name for name in nr.__all__ if getattr(getattr(nr, name), "__module__", "") == api.__name__)

CHARTS = sorted(n for n, it in vars(nr.charts).items() if getattr(it, "__module__", "") == nr.charts.__name__ and n[0] != "_")


def test_importing_the_package_imports_no_library() -> None:
    code = "import sys, ncu_roofline; print([m for m in ('polars', 'altair', 'typer', 'ncu_report') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_every_public_name_is_there_and_listed() -> None:
    assert [name for name in nr.__all__ if getattr(nr, name, None) is None] == []
    assert set(dir(nr)) == {*nr.__all__, "__version__"}


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'rooflines'"):
        nr.rooflines  # noqa: B018


@pytest.mark.parametrize("name", FUNCTIONS + CHARTS)
def test_every_function_has_an_example_that_runs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    (found,) = doctest.DocTestFinder(recurse=False).find(getattr(nr, name, None) or getattr(nr.charts, name), name)

    assert found.examples
    assert doctest.DocTestRunner().run(found).failed == 0


def test_a_chart_that_altair_shows_by_itself_has_our_colours() -> None:
    shown = nr.charts.roofline(DEMO).to_dict()["config"]

    assert shown["range"]["category"] == PALETTES["light"]["families"]
    assert "halo" in shown["style"]


def test_charts_stand_side_by_side_and_over_each_other() -> None:
    a, b = nr.charts.roofline(DEMO), nr.charts.bytes_by_role(DEMO)

    assert len((a | b).to_dict()["hconcat"]) == 2
    assert len((a & b).to_dict()["vconcat"]) == 2


def test_functions_take_a_file_a_capture_or_a_study_alike() -> None:
    capture = nr.read(DEMO)

    by_file, by_capture, by_study = (nr.place(source) for source in (DEMO, capture, nr.study(capture)))

    assert by_file.equals(by_capture)
    assert by_file.equals(by_study)


def test_facts_that_are_impossible_are_refused() -> None:
    with pytest.raises(nr.UnusableInput, match="`batch=` 0 is impossible"):
        nr.read(DEMO, batch=0)


def test_saving_never_overwrites(tmp_path: Path) -> None:
    target = tmp_path / "kept.parquet"
    target.write_text("somebody's")

    with pytest.raises(nr.UnusableInput, match="exists already"):
        nr.save(nr.read(DEMO), target)
    assert target.read_text() == "somebody's"


def hostile(name: str) -> Capture:
    columns = {c.name: pl.Series([None], dtype=c.dtype) for c in LAUNCHES}
    frame = pl.DataFrame(columns).with_columns(
        pl.lit(0, pl.Int64).alias("index"), kernel=pl.lit(name), name=pl.lit(name), seconds=pl.lit(2e-6)
    )
    return Capture(launches=frame, name=name, notes=(name,))


def test_a_notebook_shows_names_as_text_and_never_as_html() -> None:
    shown = hostile("<img src=x onerror=alert(1)>\x1b[31m\u202e&")._repr_html_()

    assert "<img" not in shown
    assert shown.count("&lt;img src=x onerror=alert(1)&gt; [31m &amp;") == 3
    assert "2 µs" in shown


def test_a_capture_without_times_or_launches_shows_itself() -> None:
    capture = hostile("k")
    untimed = Capture(launches=capture.launches.with_columns(seconds=pl.lit(None, pl.Float64)))

    assert "1 launch of 1 kernel, –" in untimed._repr_html_()
    assert "0 launches of 0 kernels" in Capture(launches=capture.launches.clear())._repr_html_()


def test_a_comparison_in_a_notebook_has_units_and_no_powers_of_ten() -> None:
    shown = nr.compare(DEMO, DEMO)._repr_html_()

    assert re.search(r"<td>bytes per token</td><td>[\d.]+ [MG]B</td><td>[\d.]+ [MG]B</td><td>\+0\.0 %</td>", shown)
    assert "e+" not in shown


def test_a_synthetic_capture_says_so_in_a_notebook() -> None:
    assert "synthetic, not measured" in nr.read(DEMO)._repr_html_()


def test_errors_speak_python_and_name_the_nearest_fact() -> None:
    with pytest.raises(nr.UnusableInput, match="'bach' is not a fact of a run; nearest: batch"):
        nr.read(DEMO, bach=8)
    with pytest.raises(nr.UnusableInput, match="`along=` temperature: captures do not tell it; state it with `values=`"):
        nr.sweep([DEMO], along="temperature")
