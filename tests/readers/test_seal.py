"""The checksum in a saved file: one bit turned anywhere, and the file is refused; before it, one in four gave other numbers."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import polars as pl
import pytest

from ncu_roofline.errors import RooflineError
from ncu_roofline.readers import footer, read, saved, seal
from ncu_roofline.readers.fleet import tables, whole
from ncu_roofline.readers.fleet.compact import compact
from ncu_roofline.readers.fleet.store import Folder

CAPTURE = Path(__file__).parents[2] / "fixtures" / "synthetic" / "demo.ncu-rep"


def turned(body: bytes, at: int) -> bytes:
    return body[:at] + bytes([body[at] ^ 1 << at % 8]) + body[at + 1 :]


def test_the_checksum_is_that_of_everything_else_in_the_file() -> None:
    body = saved.packed(read(CAPTURE))
    told = pl.read_parquet_metadata(body)[seal.KEY]
    assert sha256(body.replace(told.encode(), b"")).hexdigest() == told


def test_one_bit_turned_anywhere_is_refused_or_changes_nothing(tmp_path: Path) -> None:
    capture = read(CAPTURE)
    body, target = saved.packed(capture), tmp_path / "x.parquet"
    read_all_the_same = []
    for at in range(0, len(body), 61):
        target.write_bytes(turned(body, at))
        try:
            again = saved.read(target)
        except RooflineError:
            continue
        assert again.launches.equals(capture.launches) and again.run == capture.run and again.device == capture.device
        read_all_the_same.append(at)
    assert len(read_all_the_same) <= 1  # the name of the checksum itself, which is then missing


def test_a_file_of_an_earlier_version_has_no_checksum_and_is_read(tmp_path: Path) -> None:
    capture = read(CAPTURE)
    capture.launches.write_parquet(tmp_path / "x.parquet", metadata={saved.KEY: footer.written(capture)})
    assert saved.read(tmp_path / "x.parquet").launches.equals(capture.launches)


@pytest.mark.parametrize("table", ["runs", "launches"])
def test_an_object_of_an_archive_with_one_bit_turned_is_named_and_not_merged(tmp_path: Path, table: str) -> None:
    import ncu_roofline as nr

    store = Folder(str(tmp_path / "fleet"))
    for path in (CAPTURE, CAPTURE.with_name("dense-b8.ncu-repz")):
        rows = nr.ingest(path)
        assert rows.id
        tables.keep(store, rows.id, rows.runs, rows.launches, rows.partition)
    name = store.names(table)[0]
    body = store.get(name)
    Path(store.address(name)).write_bytes(turned(body, len(body) // 3))

    for reading in (whole.read, compact):
        with pytest.raises(RooflineError, match=f"fleet: {tables.stem(name)}.parquet is damaged; bring it back"):
            reading(store)
    assert len(store.names(table)) == 2
