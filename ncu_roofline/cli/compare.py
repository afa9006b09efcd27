"""`compare`, with its gate, and `baseline`: captures stored under a name."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ncu_roofline.cli import compare_options as its
from ncu_roofline.cli import facts
from ncu_roofline.cli.app import app
from ncu_roofline.cli.command import App
from ncu_roofline.cli.options import CeilingRate, Force, GpuName, Output, PhaseKind, ReaderKind, RidgeKind, RolesFile, Told


@app.command(cls=its.Repeats)
def compare(
    captures: its.Pair = None,
    base: its.Base = None,
    head: its.Head = None,
    baseline: its.Baseline = None,
    folder: its.Folder = its.HOME,
    tokens: facts.Tokens = None,
    batch: facts.Batch = None,
    steps: facts.Steps = None,
    context: facts.Context = None,
    accepted: facts.Accepted = None,
    model: facts.ModelName = None,
    weights: facts.Weights = None,
    kv: facts.Kv = None,
    tp: facts.Tp = None,
    layers_captured: facts.LayersCaptured = None,
    phase: PhaseKind = None,
    step_time: its.StepTime = None,
    tpot: its.Tpot = None,
    base_run: its.BaseRun = None,
    head_run: its.HeadRun = None,
    base_trace: its.BaseTrace = None,
    head_trace: its.HeadTrace = None,
    vary: its.Vary = None,
    anyway: its.Anyway = False,
    fail_if: its.FailIf = None,
    allow_cannot_tell: its.AllowCannotTell = False,
    gpu: GpuName = None,
    ceiling: CeilingRate = None,
    ridge: RidgeKind = "profiled",
    reader: ReaderKind = "auto",
    roles: RolesFile = None,
    by: its.Rows = "role",
    form: Told = "table",
    output: Output = None,
    comment: its.CommentFile = None,
    force: Force = False,
) -> None:
    """Judge a change by two captures: fewer bytes per token, or a FLOP mirage.

    Example: ncu-roofline compare before.ncu-rep after.ncu-rep --fail-if 'bytes_per_token > +2%'
    """
    both = facts.stated({name: value for name, value in locals().items() if name != "head"})  # here the captures after
    stated = {name: both.pop(name) for name in ("step_time", "tpot")}
    from ncu_roofline.analysis.compare import gate
    from ncu_roofline.analysis.compare.comparability import vary_of
    from ncu_roofline.analysis.compare.compare import compare as compared
    from ncu_roofline.cli.load import load
    from ncu_roofline.cli.output import write
    from ncu_roofline.cli.sides import chosen, clocks_of, facts_of, refuse
    from ncu_roofline.present.documents.compare import document

    rules = gate.rules(fail_if or []) if fail_if is not None or allow_cannot_tell else ()
    wanted = vary_of(vary or [])
    before, after = chosen(captures or [], base or [], head or [], baseline, folder)
    choices: dict[str, Any] = {"gpu": gpu, "ceiling": ceiling, "ridge": ridge, "reader": reader, "roles": roles, "phase": phase}
    clocks = clocks_of(stated)
    its_base, its_head = {**both, **clocks[0], **facts_of(base_run)}, {**both, **clocks[1], **facts_of(head_run)}
    one = [load([capture], facts=its_base, **choices) for capture in before]
    other = [load([capture], facts=its_head, **choices) for capture in after]
    traced = None
    if base_trace is not None or head_trace is not None:
        from ncu_roofline.cli.timelines import clocks_of_traces

        traced = clocks_of_traces((base_trace, head_trace), (one[0], other[0]), (its_base, its_head), gpu=gpu, roles=roles)
    comparison = compared(one, other, vary=wanted, anyway=anyway, clocks=traced)
    outcomes = tuple(gate.outcome(comparison, rule, allowed=allow_cannot_tell) for rule in rules)
    said = document(comparison, by, outcomes)
    write(said, form, output, force)
    if comment is not None:
        write(said, "markdown", comment, force)
    refuse(comparison, outcomes)


baselines = App(help="Store captures under a name, to compare later ones with.", no_args_is_help=True)
app.add_typer(baselines, name="baseline")


@baselines.command("save")
def save_baseline(
    name: Annotated[str, typer.Argument(help="Name of the baseline.")],
    captures: its.Repeated,
    folder: its.Folder = its.HOME,
    run: its.BothRuns = None,
    reader: ReaderKind = "auto",
    force: Force = False,
) -> None:
    """Store one or more captures of a run as a baseline.

    Example: ncu-roofline baseline save main decode.ncu-rep
    """
    from ncu_roofline.cli.sides import facts_of, save

    save(name, captures, folder, reader=reader, facts=facts_of(run), force=force)


@baselines.command("list")
def list_baselines(folder: its.Folder = its.HOME) -> None:
    """List the stored baselines.

    Example: ncu-roofline baseline list
    """
    from ncu_roofline.cli.notes import note
    from ncu_roofline.cli.sides import stored
    from ncu_roofline.present.forms.text import clean

    found = list(stored(folder))
    if not found:
        note(f"No baseline in {folder}; store one with `ncu-roofline baseline save NAME CAPTURE`.")
    for name, count in found:
        typer.echo(f"{clean(name)}  {count} capture{'s' if count > 1 else ''}")
