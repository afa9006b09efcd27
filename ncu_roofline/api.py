"""What a notebook calls: each function takes a file, a capture or a study, and gives a polars frame."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from ncu_roofline import readers, whole
from ncu_roofline.analysis import study as studies
from ncu_roofline.analysis.model.footprint import Setting
from ncu_roofline.analysis.study import Study
from ncu_roofline.capture.capture import Capture
from ncu_roofline.errors import RooflineError, UnusableInput
from ncu_roofline.knowledge.devices import gpus as devices
from ncu_roofline.knowledge.models import models
from ncu_roofline.readers import facts as run_facts

if TYPE_CHECKING:
    from ncu_roofline.analysis.compare.compare import Comparison
    from ncu_roofline.analysis.fleet.rows import Ingested, Origin
    from ncu_roofline.analysis.project.project import Projection
    from ncu_roofline.analysis.sweep.sweep import Sweep
    from ncu_roofline.present.documents.notebook import Summary

File = str | os.PathLike[str]
Captured = File | Capture | Study


def read(source: File | Sequence[File], *, reader: str = "auto", metrics: Sequence[str] = (), **facts: Any) -> Capture:
    """The capture in a report, a CSV export of ncu, a saved Parquet file, or several of them.

    `metrics` keeps further counters by name or glob. Facts are what the command line takes too: `batch=8`,
    `tokens=64`, `model="llama-3.1-8b"`.

    >>> import ncu_roofline as nr
    >>> capture = nr.read("fixtures/synthetic/demo.ncu-rep", batch=8)
    >>> capture.launches.height, capture.run.batch.value, capture.run.batch.origin
    (51, 8, 'given')
    """
    capture = readers.read(source, reader=reader, metrics=metrics)
    paths = readers.expand([source] if isinstance(source, str | os.PathLike) else source)
    return replace(capture, run=run_facts.stated(capture.run, paths, facts))


def save(capture: Capture, path: File) -> None:
    """Writes the capture as one Parquet file, which `read` takes; refuses to overwrite a file.

    >>> import ncu_roofline as nr, tempfile, pathlib
    >>> target = pathlib.Path(tempfile.mkdtemp()) / "demo.parquet"
    >>> capture = nr.read("fixtures/synthetic/demo.ncu-rep")
    >>> nr.save(capture, target)
    >>> nr.read(target).launches.equals(capture.launches)
    True
    """
    from ncu_roofline.readers import saved

    target = Path(path)
    try:
        whole.write(saved.packed(capture), target, over=False)
    except FileExistsError as error:
        raise UnusableInput(f"{target.name} exists already; remove it or choose another name") from error
    except OSError as error:
        raise UnusableInput(f"{target.name} cannot be written ({error.strerror}); choose another name") from error


def study(
    source: Captured,
    *,
    gpu: str | None = None,
    roles: File | None = None,
    ridge: str = "profiled",
    phase: str | None = None,
    ceiling: str | float | None = None,
) -> Study:
    """A capture with all that is known of every launch: `.launches`, `.gpu`, `.run`, `.notes`.

    Every other function calls it; call it yourself to name the device, your own role rules, or the
    datasheet's ridge (`ridge="spec"`), the launches that count (`phase="decode"`, `"prefill"` or `"all"`), or the
    bandwidth that gains are measured against (`ceiling="2.98TB/s"`).

    >>> import ncu_roofline as nr
    >>> studied = nr.study("fixtures/synthetic/dense-b8.ncu-repz", ridge="spec")
    >>> studied.gpu.name, studied.run.batch.value, studied.run.layers.value
    ('H100 SXM', 8, 32)
    """
    from ncu_roofline.knowledge.kernels.roles import load_rules

    if isinstance(source, Study):
        return source
    capture = source if isinstance(source, Capture) else read(source)
    model = capture.run.model.value
    rules = load_rules(None if roles is None else Path(roles))
    known = models.load(model) if model else None
    if known:  # whatever is written from here on names the model, not the folder in which its config lies
        run = replace(capture.run, model=replace(capture.run.model, value=known.name))
        capture = replace(capture, run=run)
    best = None if ceiling is None else run_facts.byte_rate("`ceiling=`", ceiling)
    return studies.study(capture, studies.Choices(gpu=gpu, rules=rules, ridge=ridge, model=known, phase=phase, ceiling=best))


PLACE = (
    "index",
    "kernel",
    "grid",
    "role",
    "step",
    "layer",
    "seconds",
    "dram_bytes",
    "dram_read_bytes",
    "dram_write_bytes",
    "dram_bytes_source",
    "flops",
    "flops_source",
    "useful_flops",
    "precision",
    "intensity",
    "useful_intensity",
    "padding",
    "ridge",
    "bound",
    "bandwidth_share",
    "compute_share",
    "limited_by",
    "gain_seconds",
    "gain_reason",
)
"""The columns that people use."""


def place(source: Captured, *, raw: bool = False) -> pl.DataFrame:
    """One row per launch: role, work, bytes, intensity, side of the ridge, share of both roofs; `raw` for every column.

    >>> import ncu_roofline as nr
    >>> placed = nr.place("fixtures/synthetic/dense-b8.ncu-repz")
    >>> placed["bound"].unique().drop_nulls().to_list()
    ['memory']
    """
    launches = study(source).launches
    return launches if raw else launches.select(PLACE)


def summary(source: Captured) -> Summary:
    """What the `summary` command knows: `.answer`, `.per_token`, `.roles`, `.fix_first`, `.kernels`, `.doubts`, `.text`.

    >>> import ncu_roofline as nr
    >>> said = nr.summary("fixtures/measured/h100-dense-b8.ncu-repz")
    >>> print(said.answer[0])
    397 MB per token (384 MB read, 12.6 MB written): 91 % FC, 9 % attention.
    >>> round(said.per_token["dram_bytes"]["value"] / 1e6), said.roles["role"][0]
    (397, 'fc')
    """
    from ncu_roofline.present.documents.notebook import summed_up

    return summed_up(study(source))


def kernels(source: Captured, by: str = "kernel") -> pl.DataFrame:
    """One row per kernel (name, grid, block), role, family or layer: sums, and ratios of the sums.

    >>> import ncu_roofline as nr
    >>> families = nr.kernels("fixtures/synthetic/dense-b8.ncu-repz", by="family")
    >>> families["family"].to_list(), families["launches"].sum()
    (['fc', 'attention', 'other'], 356)
    """
    from ncu_roofline.analysis.roofline.groups import group

    return group(study(source).launches, by)


def per_token(source: Captured, by: str = "role") -> pl.DataFrame:
    """Bytes, FLOPs and seconds per token and per step, by role, layer, kernel or step; null where tokens are unknown.

    >>> import ncu_roofline as nr
    >>> nr.per_token("fixtures/synthetic/dense-b8.ncu-repz")["role"][0]
    'fc'
    """
    from ncu_roofline.analysis.run import tokens

    studied = study(source)
    launches = studied.every if by == "projection" else studied.launches  # a matrix is streamed in torn layers too
    return tokens.per_token(launches, studied.run, by, studied.phase)


def compare(
    base: Captured | Sequence[Captured], head: Captured | Sequence[Captured], *, vary: Iterable[str] = (), anyway: bool = False
) -> Comparison:
    """What changed from base to head and what it means; a list holds repeated captures of one side.

    >>> import ncu_roofline as nr
    >>> folder = "fixtures/synthetic"
    >>> found = nr.compare(f"{folder}/dense-b8.ncu-repz", f"{folder}/int4-b8.ncu-repz", vary=["weights"])
    >>> found.verdict, sorted(found.rows)
    ('cuts_bytes', ['kernel', 'layer', 'role'])
    """
    from ncu_roofline.analysis.compare.comparability import vary_of
    from ncu_roofline.analysis.compare.compare import compare as compared

    sides = [[study(one) for one in several(side)] for side in (base, head)]
    return compared(sides[0], sides[1], vary=vary_of(vary), anyway=anyway)


def sweep(sources: Sequence[Captured], along: str = "batch", values: Sequence[str] | None = None) -> Sweep:
    """Captures side by side along batch, context, width or a label of yours: `.rows`, one per capture, and fits.

    >>> import ncu_roofline as nr
    >>> found = nr.sweep([f"fixtures/synthetic/dense-b{batch}.ncu-repz" for batch in (1, 8, 32)])
    >>> found.rows["along"].to_list(), found.crossover.reached
    ([1, 8, 32], False)
    """
    from ncu_roofline.analysis.sweep.sweep import sweep as swept

    return swept([study(one) for one in sources], along, values)


def project(
    source: Captured,
    *,
    gpu: str | None = None,
    weights: str | None = None,
    head: str | None = None,
    kv: str | None = None,
    batch: int | None = None,
    tp: int | None = None,
    ep: int | None = None,
) -> Projection:
    """The capture on another GPU, at another width, batch, TP or EP: a range by role, never a measurement.

    >>> import ncu_roofline as nr
    >>> elsewhere = nr.project("fixtures/synthetic/dense-b8.ncu-repz", gpu="b200")
    >>> low, high = elsewhere.speedup
    >>> 1 < low <= high < 3
    True
    """
    from ncu_roofline.analysis.project.project import project as projected
    from ncu_roofline.analysis.project.scales import Target

    target = Target(gpu=devices.found(gpu) if gpu else None, weights=weights, head=head, kv=kv, batch=batch, tp=tp, ep=ep)
    return projected(study(source), target)


def several(side: Captured | Sequence[Captured]) -> Sequence[Captured]:
    """One capture as a list of one."""
    if isinstance(side, str | os.PathLike | Capture | Study):
        return [side]
    return side


def ingest(path: File, *, meta: Mapping[str, Any] | None = None, reader: str = "auto", metrics: Sequence[str] = ()) -> Ingested:
    """A capture, of this machine or at a URL, as rows of a fleet's tables: `.runs` and `.launches`; a bad file is a row too.

    It writes nothing and can be pickled: give it to the `map` of any `concurrent.futures.Executor`. `meta` says whence the
    capture is (`commit`, `commit_time`, `when`, `branch`, `label`, `engine`) and facts of its run (`batch`, `model`, ...).

    >>> import ncu_roofline as nr
    >>> rows = nr.ingest("fixtures/measured/h100-dense-b8.ncu-repz", meta={"commit": "1a2b3c4"})
    >>> rows.runs["role"][0], int(rows.runs["read_bytes"].sum()), rows.runs["tokens"][0]
    ('fc', 3072763648, 8.0)
    """
    from ncu_roofline.analysis.fleet.rows import Ingested, Origin, refused
    from ncu_roofline.readers.fleet import captures

    told, stated = captures.parted(meta or {})
    name = captures.name_of(os.fspath(path))
    origin = Origin(capture=name, **told)
    try:
        with captures.here(os.fspath(path)) as file:
            origin = replace(origin, **captures.whence(file, told))
            return _rows(file, origin, stated, reader=reader, metrics=metrics)
    except RooflineError as error:
        reason = str(error)
    except (Exception, pl.exceptions.PanicException) as error:  # one capture must not stop ten thousand
        reason = f"{name}: a fault of this program ({type(error).__name__}); please report it"
    return Ingested(id=origin.id, runs=refused(origin, reason), launches=None)


def _rows(file: Path, origin: Origin, stated: dict[str, Any], *, reader: str, metrics: Sequence[str]) -> Ingested:
    """The rows of a file that can be read."""
    from ncu_roofline.analysis.fleet import rows
    from ncu_roofline.readers import archive, footer, marked, read_one

    capture = marked(read_one(file, reader=reader, metrics=metrics))
    studied = study(replace(capture, run=run_facts.stated(capture.run, [file], stated)))
    archived = archive.archived(capture)
    whence = replace(rows.dated(origin, capture.taken), facts=footer.written(replace(archived, run=studied.capture.run)))
    kept = archived.launches
    return rows.Ingested(
        id=whence.id,
        runs=rows.runs(studied, whence),
        launches=kept.join(rows.joined(studied, whence.id), on="index", how="left", maintain_order="left", validate="1:1"),
        partition=(whence.day, capture.device.name or "unknown"),
    )


def check(source: Captured) -> pl.DataFrame:
    """What in a capture cannot be trusted: one row per finding, the worst first.

    >>> import ncu_roofline as nr
    >>> nr.check("fixtures/synthetic/dense-b8-basic.ncu-repz").columns
    ['code', 'severity', 'message', 'advice']
    """
    from ncu_roofline.analysis.health.health import health
    from ncu_roofline.present.documents.words_health import words

    rows = [(f.code, f.severity, *words(f)) for f in health(study(source))]
    columns = ("code", "severity", "message", "advice")
    return pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")


def floor(model: File, gpu: str, batch: int | Iterable[int] = 1, **setting: Any) -> pl.DataFrame:
    """What a decode step must cost at least, one row per batch.

    `model` is a Hugging Face config.json, its folder or a known name. `setting`: `context` in tokens per
    sequence, `weights`, `kv` and `head` (types), `tp`, `ep`.

    >>> import ncu_roofline as nr
    >>> least = nr.floor("llama-3.1-8b", "h100", batch=[1, 8], context=4096)
    >>> least["bound"].to_list(), round(1e3 * least["step_seconds"][0], 2)
    (['memory', 'memory'], 4.64)
    """
    from ncu_roofline.analysis.model.floor import over_batches

    sizes = [batch] if isinstance(batch, int) else list(batch)
    return over_batches(models.load(os.fspath(model)), devices.found(gpu), Setting(**setting), sizes)


def gpus(name: str | None = None) -> pl.DataFrame:
    """The known devices with bandwidth, peaks and ridges; one of them by name.

    >>> import ncu_roofline as nr
    >>> round(nr.gpus("h100")["ridge_spec"].struct.field("bf16")[0])
    295
    """
    from ncu_roofline.analysis.roofline.devices import devices as described

    return described(devices.table() if name is None else [devices.find(name)])
