"""The short form of the long fuzz: damage to every kind of input, and an independent count of what is lost."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from ncu_roofline.errors import UnreadableCapture
from ncu_roofline.readers import archive, read
from tests import fuzz_inputs
from tests.report_bytes import report
from tests.report_bytes import saved as stored


def test_no_damage_raises_hangs_or_loses_launches_in_silence() -> None:
    counted = fuzz_inputs.count(160, seed=3)
    assert [said for said in counted if fuzz_inputs.bad(said)] == []
    assert counted.total() == 160


def test_the_count_sees_a_silent_loss(tmp_path: Path) -> None:
    path = stored(tmp_path, report(*fuzz_inputs.parts()))
    assert fuzz_inputs.outcome(path, read, fuzz_inputs.LAUNCHES) == "read"
    assert fuzz_inputs.outcome(path, read, fuzz_inputs.LAUNCHES + 1) == "SILENT loss of 1"


@pytest.mark.parametrize("losses", [fuzz_inputs.report_losses, fuzz_inputs.table_losses])
def test_each_loss_leaves_fewer_bytes_or_others(losses: object) -> None:
    made = {losses(random.Random(seed))[0] for seed in range(12)}  # type: ignore[operator]
    assert len(made) > 6


def test_a_damaged_page_of_an_archive_is_one_sentence_with_the_file(tmp_path: Path) -> None:
    kinds = {Path(kind.name).name: kind for kind in fuzz_inputs.seeds(tmp_path)}
    folder = tmp_path / "archive" / "device=x" / "label=all"
    content = bytearray(kinds["part.parquet"].content)
    at = content.index(b"decode") if b"decode" in content else len(content) // 4
    content[at - 40 : at] = bytes(40)
    (folder / "part.parquet").write_bytes(content)
    with pytest.raises(UnreadableCapture, match=r"part\.parquet: a damaged Parquet file"):
        archive.read(tmp_path / "archive")
