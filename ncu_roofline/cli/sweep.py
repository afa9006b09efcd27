"""`sweep`: many captures along batch, context or any label."""

from __future__ import annotations

from typing import Annotated

import typer

from ncu_roofline.cli import facts
from ncu_roofline.cli.app import app
from ncu_roofline.cli.options import As, Captures, Chart, Force, GpuName, Output, PhaseKind, ReaderKind, RidgeKind, RolesFile

Along = Annotated[
    str, typer.Option("--along", metavar="FACT", help="What changes: batch, context, width, or any word with --values.")
]
Values = Annotated[
    str | None, typer.Option("--values", metavar="A,B,C", help="Where each capture stands, in their order.", show_default=False)
]


@app.command()
def sweep(
    captures: Captures,
    along: Along = "batch",
    values: Values = None,
    model: facts.ModelName = None,
    weights: facts.Weights = None,
    head: facts.Head = None,
    kv: facts.Kv = None,
    tp: facts.Tp = None,
    context: facts.Context = None,
    steps: facts.Steps = None,
    gpu: GpuName = None,
    ridge: RidgeKind = "profiled",
    reader: ReaderKind = "auto",
    roles: RolesFile = None,
    phase: PhaseKind = None,
    chart: Chart = None,
    form: As = "table",
    output: Output = None,
    force: Force = False,
) -> None:
    """Follow FC and attention over many captures: FC climbs with the batch, attention stays.

    Example: ncu-roofline sweep 'decode-b*.ncu-rep' --along batch --model llama-3.1-8b
    """
    from ncu_roofline.analysis.sweep.sweep import sweep as swept
    from ncu_roofline.cli.load import load
    from ncu_roofline.cli.output import refuse_overwrite, write, write_file
    from ncu_roofline.cli.sides import files_in
    from ncu_roofline.present.documents.sweep import document

    if chart is not None:
        refuse_overwrite(chart, force=force)
    stated = {"model": model, "weights": weights, "head": head, "kv": kv, "tp": tp, "context": context, "steps": steps}
    each = [
        load([str(file)], gpu=gpu, ridge=ridge, reader=reader, roles=roles, facts=stated, phase=phase)
        for file in files_in(captures)
    ]
    found = swept(each, along, values.split(",") if values is not None else None)
    if chart is not None:
        from ncu_roofline.present.charts.export import form_of, written
        from ncu_roofline.present.charts.laws import of

        write_file(written(of(found), form_of(chart)), chart, force=force)
    write(document(found), form, output, force)
