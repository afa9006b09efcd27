"""`floor`: what a model must move at least per step and token on a device, over batches."""

from __future__ import annotations

from typing import Annotated

import typer

from ncu_roofline.cli.app import app
from ncu_roofline.cli.options import As, CeilingRate, Force, Output
from ncu_roofline.errors import UnusableInput

ModelName = Annotated[
    str, typer.Option("--model", metavar="CONFIG", help="A config.json, its folder, or a known name.", show_default=False)
]
Device = Annotated[str, typer.Option("--gpu", metavar="NAME", help="Device, as `gpus` lists it.", show_default=False)]
Batch = Annotated[
    str | None, typer.Option("--batch", metavar="N[,N...]", help="Sequences per step; the sentences speak of the first.")
]
Context = Annotated[int | None, typer.Option("--context", metavar="TOKENS", help="Cached tokens per sequence.")]
Weights = Annotated[str | None, typer.Option("--weights", metavar="DTYPE", help="Weight type; as published without it.")]
Head = Annotated[str | None, typer.Option("--head", metavar="DTYPE", help="Type of LM head and router, if another.")]
Kv = Annotated[str | None, typer.Option("--kv", metavar="DTYPE", help="KV cache type; 16 bits without it.")]
Tp = Annotated[int, typer.Option("--tp", metavar="N", help="GPUs that share every matrix.")]
Ep = Annotated[int, typer.Option("--ep", metavar="N", help="GPUs that share whole experts; else experts go by --tp.")]
StepTime = Annotated[
    str | None,
    typer.Option(
        "--step-time", "--tpot", metavar="TIME", help="Time of the first batch's step without a profiler, as in 8.0ms."
    ),
]


@app.command()
def floor(
    model: ModelName,
    gpu: Device,
    batch: Batch = None,
    context: Context = None,
    weights: Weights = None,
    head: Head = None,
    kv: Kv = None,
    tp: Tp = 1,
    ep: Ep = 1,
    step_time: StepTime = None,
    ceiling: CeilingRate = None,
    form: As = "table",
    output: Output = None,
    force: Force = False,
) -> None:
    """Say what a decode step of a model must cost at least on a GPU.

    Example: ncu-roofline floor --model llama-3.1-8b --gpu h100 --context 4096
    """
    from dataclasses import replace

    from ncu_roofline.analysis.model import floor as floors
    from ncu_roofline.analysis.model.floor_parts import matrix_floors
    from ncu_roofline.analysis.model.footprint import Setting
    from ncu_roofline.analysis.roofline.ceilings import with_ceiling
    from ncu_roofline.cli.output import write
    from ncu_roofline.knowledge.devices import gpus
    from ncu_roofline.knowledge.models import models
    from ncu_roofline.present.documents import floor as words
    from ncu_roofline.readers.facts import byte_rate, duration

    known, device = models.load(model), gpus.found(gpu)
    if ceiling is not None:
        device = with_ceiling(device, byte_rate("`ceiling=`", ceiling))
    setting = Setting(context=context, weights=weights, head=head, kv=kv, tp=tp, ep=ep)
    sizes = whole_numbers(batch) if batch is not None else floors.batches(known, device, setting)
    first = replace(setting, batch=sizes[0])
    table = floors.over_batches(known, device, setting, sizes)
    least = floors.floor(known, device, first)
    taken = duration("`step_time=`", step_time) if step_time is not None else None
    write(words.document(known, device, least, table, matrix_floors(known, first, device), taken), form, output, force)


def whole_numbers(listed: str) -> list[int]:
    """`1,8,32` -> its numbers, each once, in the order given."""
    parts = [part.strip() for part in listed.split(",")]
    if not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
        raise UnusableInput(f"--batch {listed!r} is impossible; give whole numbers from 1 on, as in 1,8,32")
    return list(dict.fromkeys(int(part) for part in parts))
