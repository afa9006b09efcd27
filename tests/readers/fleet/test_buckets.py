"""An archive in a bucket: moto's S3 on loopback, with answers that are lost and 503s in between. Slow: processes start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.readers.fleet import buckets

pytest.importorskip("moto", reason="moto is not installed (extra `dev`)")
pytest.importorskip("obstore", reason="obstore is not installed (extra `cloud`)")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

FIXTURES = Path("fixtures").resolve()
CAPTURES = sorted((FIXTURES / "measured").glob("h100-*.ncu-repz"))


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with buckets.emulator() as port:
        import boto3

        store = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{port}",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
            region_name="us-east-1",
        )
        store.create_bucket(Bucket="fleet-bucket")
        store.create_bucket(Bucket="fleet")  # moto takes the hyphen of the other one amiss where it comes as %2D
        yield port


def reached(port: int) -> dict[str, str]:
    """An environment in which every bucket is behind this port."""
    at = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "GOOGLE_SERVICE_ACCOUNT_KEY": buckets.GOOGLE.format(port)}
    return {**os.environ, **buckets.KEYS, **at, "PYTHONPATH": str(FIXTURES.parent)}


def command(port: int, *words: str, folder: Path = FIXTURES.parent) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own: nothing of its store is kept from test to test."""
    environment = reached(port)
    return subprocess.run(
        [sys.executable, "-m", "ncu_roofline", *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )


def rows(port: int, archive: str, *more: str) -> list[tuple[object, ...]]:
    series = json.loads(command(port, "history", archive, "--format", "json", *more).stdout)["series"]
    return sorted((s["workload"]["batch"], p["commit"], round(p["bytes_per_token"])) for s in series for p in s["points"])


def test_a_bucket_holds_what_a_folder_holds_and_writes_no_folder_of_its_name(port: int, tmp_path: Path) -> None:
    for target in ("s3://fleet-bucket/one", str(tmp_path / "one")):
        done = command(
            port, "ingest", *map(str, CAPTURES), "--to", target, "--meta", "commit=abc", "--workers", "1", folder=tmp_path
        )
        assert (done.returncode, "Ingested 7, 0 were there already, 0 could not be read" in done.stderr) == (0, True), (
            done.stderr
        )
    again = command(port, "ingest", str(CAPTURES[0]), "--to", "s3://fleet-bucket/one", "--workers", "1")
    saved = command(port, "save", str(CAPTURES[0]), "-o", "s3://fleet-bucket/saved", "--workers", "1", folder=tmp_path)
    before = rows(port, "s3://fleet-bucket/one")
    merged = command(port, "compact", "s3://fleet-bucket/one")

    assert "Ingested 0, 1 were there already" in again.stderr
    assert saved.returncode == 0 and [p.name for p in tmp_path.iterdir()] == ["one"]
    assert "runs: 7 objects are 1" in merged.stderr
    assert before == rows(port, "s3://fleet-bucket/one") == rows(port, str(tmp_path / "one"))
    assert rows(port, "s3://fleet-bucket/one", "--by", "kernel") == before
    assert command(port, "summary", "s3://fleet-bucket/one").stdout.startswith("23.2 GB in the whole capture")


def test_captures_are_read_from_a_bucket_with_what_stands_beside_them(port: int, tmp_path: Path) -> None:
    dense = next(c for c in CAPTURES if c.name == "h100-dense-b8.ncu-repz")
    code = (
        "import sys; from pathlib import Path; from ncu_roofline.readers.fleet.store import at; s = at('s3://fleet-bucket/night'); "
        "s.put('a/h100-dense-b8.ncu-repz', Path(sys.argv[1]).read_bytes()); s.put('a/h100-dense-b8.run.toml', b'commit = \"x1\"')"
    )
    subprocess.run([sys.executable, "-c", code, str(dense)], env=reached(port), check=True)
    target = str(tmp_path / "archive")
    done = command(port, "ingest", "s3://fleet-bucket/night/*/*.ncu-repz", "--to", target, "--workers", "1")

    assert done.returncode == 0, done.stderr
    assert rows(port, target) == [(8, "x1", round((3_072_763_648 + 100_990_464) / 8))]
    assert "batch 8" in command(port, "history", target).stdout
    assert command(port, "summary", "s3://fleet-bucket/night/a/h100-dense-b8.ncu-repz").stdout.startswith("397 MB per token")


def test_nothing_is_lost_and_nothing_twice_where_the_road_breaks(port: int, tmp_path: Path) -> None:
    with buckets.broken_road(port) as (road, counts):
        archive = "s3://fleet-bucket/broken"
        words = ("ingest", *map(str, CAPTURES), "--to", archive, "--meta", "commit=abc", "--workers", "1")
        with ThreadPoolExecutor(2) as two:  # two writers at once, too
            done = list(two.map(lambda _: command(road, *words), range(2)))
        merged = command(road, "compact", archive)
        told = rows(road, archive)

    assert [d.returncode for d in done] == [0, 0], [d.stderr for d in done]
    assert merged.returncode == 0, merged.stderr
    assert counts["busy"] > 5 and counts["lost"] > 5
    assert command(port, *words[:-6], "--to", str(tmp_path / "here"), "--meta", "commit=abc", "--workers", "1").returncode == 0
    assert told == rows(port, archive) == rows(port, str(tmp_path / "here"))


def test_a_bucket_of_google_holds_the_same_though_the_road_to_it_breaks(port: int, tmp_path: Path) -> None:
    two, archive = [str(c) for c in CAPTURES[:2]], "gs://fleet/google"
    with buckets.broken_road(port) as (road, counts):
        done = [command(road, "ingest", *two, "--to", archive, "--meta", "commit=abc", "--workers", "1") for _ in range(2)]
        single, merged, told = rows(road, archive), command(road, "compact", archive), rows(road, archive, "--by", "kernel")
    here = str(tmp_path / "here")
    assert command(port, "ingest", *two, "--to", here, "--meta", "commit=abc", "--workers", "1").returncode == 0

    assert [d.stderr.split(" could")[0] for d in done] == [f"Ingested {n}, {2 - n} were there already, 0" for n in (2, 0)]
    assert "runs: 2 objects are 1" in merged.stderr and counts["busy"] + counts["lost"] > 3
    assert single == told == rows(port, here)


def test_every_capture_is_there_once_whatever_ends_on_the_way() -> None:
    words = [sys.executable, "-m", "bench.bucket", "24"]
    done = subprocess.run(words, cwd=FIXTURES.parent, env=reached(1), capture_output=True, text=True, timeout=600)

    assert done.returncode == 0, done.stderr[-2000:]
    assert "24 captures, each once, 1,152 launches, every byte that was made" in done.stdout
    assert "24 points; attention bytes_per_token +" in done.stdout and "at c00012" in done.stdout


def test_a_store_that_does_not_answer_or_has_no_such_bucket_is_said(port: int) -> None:
    nobody = command(1, "history", "s3://fleet-bucket/one")
    none = command(port, "history", "s3://no-such-bucket/one")

    assert (nobody.returncode, "cannot be reached (it does not answer)" in nobody.stderr) == (3, True), nobody.stderr
    assert (none.returncode, "cannot be reached (there is no such bucket)" in none.stderr) == (3, True), none.stderr
