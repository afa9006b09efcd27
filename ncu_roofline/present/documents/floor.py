"""Words and tables of a floor: what a step must cost at least, and which limit a batch meets first."""

from __future__ import annotations

from typing import Any

import polars as pl

from ncu_roofline.analysis.model.floor import Floor
from ncu_roofline.capture.units import percent, text, three
from ncu_roofline.knowledge.devices.gpu import Gpu
from ncu_roofline.knowledge.models.model import Model
from ncu_roofline.present.documents import words_typical as typical
from ncu_roofline.present.documents.grammar import options, sentence
from ncu_roofline.present.documents.words_notes import note
from ncu_roofline.present.forms.columns import filled
from ncu_roofline.present.forms.document import Document, Table

COLUMNS = (
    "batch",
    "weight_bytes",
    "kv_bytes",
    "bytes_per_token",
    "step_seconds",
    "typical_seconds",
    "tokens_per_second",
    "useful_intensity",
    "bound",
    "experts_read",
    "fits",
)
MATRICES = (
    "name",
    "layer_kind",
    "N",
    "K",
    "count",
    "weight_dtype",
    "weight_bytes",
    "typical_seconds",
    "halved_speedup",
    "useful_intensity",
)


def document(
    model: Model, gpu: Gpu, least: Floor, sizes: pl.DataFrame, matrices: pl.DataFrame, taken: float | None = None
) -> Document:
    """The floor of one batch in sentences, a real step of so many seconds beside it; over batches; matrix by matrix."""
    title = f"Weight matrices of one step at batch {least.setting.batch}"
    return Document(
        answer=(*(_beside(least, taken) if taken is not None else ()), *_answer(model, gpu, least, matrices)),
        tables=(
            Table("", sizes, filled(sizes, COLUMNS), spare=("useful_intensity", "bytes_per_token")),
            Table(title, matrices, filled(matrices, MATRICES), spare=("layer_kind", "useful_intensity", "halved_speedup")),
        ),
        doubts=(*(sentence(options(note(d))) for d in least.doubts), *typical.doubts(least, gpu)),
        data={**_data(model, gpu, least, sizes, matrices), "step": _step(least, taken)},
    )


def _answer(model: Model, gpu: Gpu, least: Floor, matrices: pl.DataFrame) -> list[str]:
    setting = least.setting
    where = gpu.name if setting.tp == 1 else f"{setting.tp} x {gpu.name}"
    where += f", experts among {setting.ep}" if setting.ep > 1 else ""
    cache, context = "", ""
    if setting.context is not None:
        cache = f" and {three(least.kv_bytes, 'byte')} of KV cache"
        context = f", context {setting.context:,}"
    said = [
        f"At least {three(least.bytes_per_token, 'byte')} per token and {three(least.step_seconds, 's')} per step, "
        f"so at most {three(least.tokens_per_second, 'token/s')}: {model.name} on {where}, "
        f"batch {setting.batch}{context}.",
        f"A step reads {three(least.weight_bytes, 'byte')} of weights{cache}. That takes {three(least.memory_seconds, 's')} "
        f"at {three(gpu.bandwidth, 'byte/s')}, its arithmetic {three(least.compute_seconds, 's')} at the "
        f"{least.fc_precision} peak: the step is {least.bound}-bound.",
    ]
    said += [*typical.sentences(least, gpu), *typical.halving(matrices)]
    if model.experts:
        said.append(f"Each MoE layer is expected to read {text(least.experts_read)} of its {model.experts} experts.")
    return [*said, *_limits(least)]


def _beside(least: Floor, taken: float) -> list[str]:
    times, share = least.slowdown(taken), least.bandwidth_share(taken)
    rate = three(least.setting.batch / taken, "token/s")
    said = (
        f"A step takes {text(taken, 's')} as stated, {times:.2f} times its floor: {rate}, the least bytes at {percent(share)} "
    )
    said += "of the DRAM peak."
    if times >= 1:
        return [said]
    return [said, "No run can be below its floor: the weights or the cache are narrower, or the batch or context smaller."]


def _step(least: Floor, taken: float | None) -> dict[str, float] | None:
    if taken is None:
        return None
    return {"stated_seconds": taken, "over_floor": least.slowdown(taken), "bandwidth_share": least.bandwidth_share(taken)}


def _limits(least: Floor) -> list[str]:
    cross = least.crossover_batch
    if cross is None:
        return []
    turn = f"The FC kernels reach the ridge at batch {text(round(cross))}"
    if least.memory_batch is None:
        return [turn + "."]
    if least.memory_batch == 0:
        return [turn + "; the weights alone exceed the memory, so no sequence fits."]
    room = f"memory allows {text(least.memory_batch)} sequences at this context"
    if least.first == "memory":
        return [f"{turn}, but {room}: memory is full first, so decode stays memory-bound."]
    return [f"{turn}; {room}: the crossover comes first."]


def _data(model: Model, gpu: Gpu, least: Floor, sizes: pl.DataFrame, matrices: pl.DataFrame) -> dict[str, Any]:
    return {
        "rows": sizes,
        "matrices": matrices,
        "model": {
            "name": model.name,
            "architecture": model.architecture,
            "layers": model.layers,
            "parameters": model.parameters,
            "active_parameters": model.active_parameters,
        },
        "gpu": {"name": gpu.name, "bandwidth": gpu.bandwidth, "ridge_spec": gpu.ridges()},
        "setting": least.setting,
        "crossover_batch": least.crossover_batch,
        "memory_batch": least.memory_batch,
        "first": least.first,
        "resident_bytes": least.resident_bytes,
        "notes": [*(options(note(d)) for d in least.doubts), *typical.doubts(least, gpu)],
    }
