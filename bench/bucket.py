"""2,000 captures through the command into a bucket whose road breaks: `python -m bench.bucket [CAPTURES] [--save]`.

moto's S3 on loopback; of seven requests one gets a 503, and one is done and its answer lost. Two commands ingest the same captures
at once and one of them is killed (kill -9) in the middle; then `ingest` again, `compact`, `history` and a question. The captures are
synthetic reports of a decode step, one a commit, whose attention reads 5 % more from the middle on; what each reads is known from how it
was made. `--save` writes the result into bench/bucket.txt.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path
from typing import Any

from bench.readers import machine
from tests.readers.fleet import buckets
from tests.synthetic.frame import decode_run
from tests.synthetic.models import Plan
from tests.synthetic.report import write_report

BUCKET, ARCHIVE = "fleet-bucket", "s3://fleet-bucket/archive"
BEGIN = datetime(2026, 1, 1, tzinfo=timezone.utc)
BEFORE = Plan(batch=8, context=2048, noise=0.01, layers=4)
AFTER = replace(BEFORE, context=2150)
"""Attention reads the cache: 5 % more of it."""
READ = "m:dram__bytes_read.sum"
PAGE = Path(__file__).with_suffix(".txt")

KNOWN = f"""
import json
from ncu_roofline.readers.fleet import tables
from ncu_roofline.readers.fleet.store import at
runs = tables.scanned(at({ARCHIVE!r}), tables.named(at({ARCHIVE!r}), "runs/").every, tables.runs_schema()).collect()
moved = tables.launches(at({ARCHIVE!r}), ["dram__bytes_read.sum"]).collect()
of = runs.group_by("id").agg(read="read_bytes").select("id", "read").to_dicts()
print(json.dumps({{"rows": runs.height, "twice": runs.select("id", "role").is_duplicated().sum(),
  "read": {{row["id"]: sum(row["read"]) for row in of}}, "launches": moved.height,
  "launches twice": moved.select("id", "index").is_duplicated().sum(), "in launches": moved["{READ}"].sum()}}))
"""
"""What stands in the archive, every object of it, each row as often as it is there."""


QUESTION = f"""
import polars as pl
scan = pl.scan_parquet("{ARCHIVE}/runs/*.parquet", missing_columns="insert", storage_options={{"aws_allow_http": "true"}})
by_commit = scan.group_by("commit").agg((pl.col("bytes") / pl.col("divisor")).sum()).collect()
print(by_commit.filter(pl.col("bytes") > 0).height)
"""


def made(folder: Path, number: int) -> dict[str, float]:
    """So many captures with their commits; by the name of the content, the bytes that each reads."""
    truth = {}
    for commit in range(number):
        plan = replace(BEFORE if commit < number // 2 else AFTER, seed=commit)
        path = write_report(folder / f"night-{commit:05d}.ncu-repz", plan)
        when = BEGIN + timedelta(hours=commit)
        told = f'commit = "c{commit:05d}"\ncommit_time = "{when.isoformat()}"\nbranch = "main"\nmodel = "llama-3.1-8b"\n'
        path.with_suffix(".run.toml").write_text(told)
        truth[sha256(path.read_bytes()).hexdigest()[:32]] = float(decode_run(plan)[READ].sum())
    return truth


@contextmanager
def bucket() -> Iterator[int]:
    """The emulator with an empty bucket."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with buckets.emulator() as port:
        import boto3

        told = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "us-east-1"}
        boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}", **told).create_bucket(Bucket=BUCKET)
        yield port


def started(port: int, *words: str) -> subprocess.Popen[str]:
    """The command, or a program, in a process of its own."""
    environment = {**os.environ, **buckets.KEYS, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "PYTHONPATH": str(Path.cwd())}
    line = [sys.executable, *words] if words[0] == "-c" else [sys.executable, "-m", "ncu_roofline", *words]
    return subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def done(port: int, *words: str) -> tuple[str, str]:
    """What it wrote and said, and how long it took; raises where it failed."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    process = started(port, *words)
    out, said = process.communicate()
    if process.returncode:
        raise SystemExit(f"{words[:2]} failed with {process.returncode}: {said}")
    used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    return (
        out,
        f"{said.strip().splitlines()[-1] if said.strip() else ''} ({time.perf_counter() - began:.0f} s, {used:.0f} s of CPU)",
    )


def ingested(road: int, folder: Path, number: int) -> Iterator[str]:
    """Two writers at once, of which one is killed in the middle; then all again."""
    words = ("ingest", str(folder), "--to", ARCHIVE, "--workers", "1")
    killed, other = started(road, *words), started(road, *words)
    time.sleep(0.03 * number)
    alive = killed.poll() is None
    killed.kill()
    killed.communicate()
    _, said = other.communicate()
    yield f"two at once   one was {'killed in the middle' if alive else 'done already'}; the other: {said.strip().splitlines()[-1]}"
    yield f"again         {done(road, *words)[1]}"


def checked(port: int, truth: dict[str, float]) -> dict[str, Any]:
    """The archive beside what was made; raises where one is lost, there twice, or reads another amount."""
    found: dict[str, Any] = json.loads(done(port, "-c", KNOWN)[0])
    assert found["read"].keys() == truth.keys(), (len(found["read"]), len(truth))
    assert all(abs(found["read"][one] - bytes_) < 1 for one, bytes_ in truth.items())
    assert found["twice"] == found["launches twice"] == 0, found
    assert abs(found["in launches"] - sum(truth.values())) < 1e-9 * found["in launches"]
    return found


def asked(road: int, number: int) -> Iterator[str]:
    """`history` and a question on `runs` over the road that breaks."""
    out, took = done(road, "history", ARCHIVE, "--format", "json")
    (series,) = json.loads(out)["series"]
    changes = series["changes"]
    assert {(c["commit"], c["role"]) for c in changes} == {(f"c{number // 2:05d}", "attention")}, changes
    said = ", ".join(f"{c['role']} {c['metric']} {100 * c['relative']:+.1f} % at {c['commit']}" for c in changes)
    yield f"history       {len(series['points']):,} points; {said}{took}"
    out, took = done(road, "-c", QUESTION)
    yield f"polars        {out.strip()} commits with their bytes per token{took}"


def main() -> None:
    """Makes the captures, breaks the road, and prints what became of them."""
    words = [w for w in sys.argv[1:] if not w.startswith("--")]
    number = int(words[0]) if words else 2_000
    lines: list[str] = []
    with tempfile.TemporaryDirectory() as name, bucket() as port, buckets.broken_road(port) as (road, counts):
        truth = made(Path(name), number)
        lines += ingested(road, Path(name), number)
        found = checked(port, truth)
        lines.append(
            f"checked       {len(truth):,} captures, each once, {found['launches']:,} launches, every byte that was made"
        )
        lines.append(f"compact       {done(road, 'compact', ARCHIVE)[1]}")
        assert checked(port, truth) == found
        lines += asked(road, number)
        lines.append(
            f"the road      {counts['passed']:,} passed, {counts['busy']:,} got a 503, of {counts['lost']:,} the answer was lost"
        )
    told = f"{number:,} captures on {machine()}\n\n" + "\n".join(lines) + "\n"
    print(told)
    if "--save" in sys.argv:
        PAGE.write_text(told, encoding="utf-8")


if __name__ == "__main__":
    main()
