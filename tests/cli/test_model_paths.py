"""Where the config of a model lies is nobody else's business: outputs, baselines and archives have the model's name at most."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest

from ncu_roofline.knowledge.models import models
from ncu_roofline.knowledge.models.models import portable
from tests.command import run

CAPTURE = Path(__file__).parents[2] / "fixtures" / "measured" / "h100-dense-b8.ncu-repz"
PERSON = "home-of-somebody"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A folder with a model's config, below one that names a person."""
    folder = tmp_path / PERSON / "mine"
    folder.mkdir(parents=True)
    (folder / "config.json").write_bytes((models.CONFIGS / "llama-3.1-8b.json").read_bytes())
    return folder


@pytest.mark.parametrize(
    "words",
    [["tokens"], ["tokens", "--format", "json"], ["summary", "--format", "json"], ["kernels", "--format", "json"]],
    ids=" ".join,
)
@pytest.mark.parametrize("file", ["", "config.json"], ids=["folder", "file"])
def test_an_answer_names_the_model_and_no_folder(
    capsys: pytest.CaptureFixture[str], config: Path, words: list[str], file: str
) -> None:
    answer = run(capsys, words[0], str(CAPTURE), *words[1:], "--model", str(config / file))
    assert answer.code == 0, answer.err
    assert PERSON not in answer.out + answer.err
    assert "mine" in answer.out or words[0] == "kernels"


def test_an_archive_holds_no_folder(capsys: pytest.CaptureFixture[str], config: Path, tmp_path: Path) -> None:
    fleet = tmp_path / "fleet"
    assert run(capsys, "ingest", str(CAPTURE), "--to", str(fleet), "--workers", "1", "--meta", f"model={config}").code == 0
    rows = pl.read_parquet(next((fleet / "runs").glob("*.parquet")))
    assert PERSON not in str(rows.to_dicts()) and rows["model"].unique().to_list() == ["mine"]


def test_a_baseline_is_compared_where_the_config_is_not(
    capsys: pytest.CaptureFixture[str], config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(CAPTURE, "x.ncu-repz")
    Path("x.run.toml").write_text(f'model = "{config.as_posix()}"\n')
    assert run(capsys, "baseline", "save", "main", "x.ncu-repz").code == 0
    file = next(tmp_path.rglob("1.parquet"))
    assert PERSON not in str(pl.read_parquet_metadata(file))

    shutil.rmtree(config)
    answer = run(capsys, "compare", "--baseline", "main", str(CAPTURE))
    assert answer.code == 0, answer.err


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("llama-3.1-8b", "llama-3.1-8b"),
        ("meta-llama/Llama-3.1-8B", "llama-3.1-8b"),
        ("our-model", "our-model"),
        ("/home/somebody/our-model", None),
        ("C:\\Users\\somebody\\our-model", None),
    ],
)
def test_a_saved_file_keeps_a_name_that_is_known_everywhere_and_no_path(source: str, name: str | None) -> None:
    assert portable(source) == name
