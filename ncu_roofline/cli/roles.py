"""`roles` says what every kernel of a capture is for, and why; it also classifies bare names."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ncu_roofline.cli import facts
from ncu_roofline.cli.app import app
from ncu_roofline.cli.options import OUTPUT, As, Force, GpuName, Output, PhaseKind, ReaderKind, RolesFile
from ncu_roofline.errors import UnusableInput

if TYPE_CHECKING:
    from ncu_roofline.present.forms.document import Document

Taken = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[CAPTURE...]", help="Reports, CSV exports of ncu, saved .parquet, or globs of them.", show_default=False
    ),
]
Explain = Annotated[
    str | None,
    typer.Option(
        "--explain", metavar="NAME", help="The rule that names this kernel, and what it beat.", rich_help_panel=OUTPUT
    ),
]
Unknown = Annotated[
    bool,
    typer.Option("--unknown", help="List what is not recognised, ready to paste into a rules file.", rich_help_panel=OUTPUT),
]
Names = Annotated[
    str | None,
    typer.Option("--names", metavar="FILE", help="Classify bare names, one a line; - for stdin.", rich_help_panel=OUTPUT),
]


@app.command()
def roles(
    captures: Taken = None,
    explain: Explain = None,
    unknown: Unknown = False,
    names: Names = None,
    rules: RolesFile = None,
    model: facts.ModelName = None,
    weights: facts.Weights = None,
    head: facts.Head = None,
    tp: facts.Tp = None,
    phase: PhaseKind = None,
    gpu: GpuName = None,
    reader: ReaderKind = "auto",
    form: As = "table",
    output: Output = None,
    force: Force = False,
) -> None:
    """Say what each kernel is for: FC, attention or another role, and which rule decided.

    Example: ncu-roofline roles decode.ncu-rep
    """
    stated = facts.stated(locals())
    from ncu_roofline.cli.output import write, write_text

    one_question(captures, explain, unknown, names)
    if names is not None:
        return write(of_names(names, rules), form, output, force)
    if not captures:
        return write(of_name(str(explain), rules), form, output, force)
    document, text = of_capture(
        captures, explain, unknown, {"roles": rules, "gpu": gpu, "reader": reader, "facts": stated, "phase": phase}
    )
    if text and form == "table":
        return write_text(text, output, force=force)
    return write(document, form, output, force)


def one_question(captures: list[str] | None, explain: str | None, unknown: bool, names: str | None) -> None:
    """Refuses questions that exclude each other, and none at all."""
    if names is not None and (captures or explain is not None or unknown):
        raise UnusableInput("--names stands alone: leave out the capture, --explain and --unknown")
    if explain is not None and unknown:
        raise UnusableInput("--explain and --unknown exclude each other: choose one")
    if not captures and names is None and explain is None:
        raise UnusableInput("no capture was named; give one, or --names FILE, or --explain NAME")


def of_capture(captures: list[str], explain: str | None, unknown: bool, chosen: dict[str, Any]) -> tuple[Document, str]:
    """The answer about a capture, and its text where that is no table."""
    from ncu_roofline.analysis.roles import tables as role_tables
    from ncu_roofline.cli.load import load
    from ncu_roofline.knowledge.kernels.roles import load_rules, matching, only_likely
    from ncu_roofline.present.documents import roles as words
    from ncu_roofline.present.documents.grammar import invented

    study = load(captures, **chosen)
    # a role is asked of every kernel, unless the user names a phase
    launches = study.launches if chosen["phase"] else study.every
    if unknown:
        kernels = role_tables.unknown(launches)
        return words.unrecognised(kernels), words.rules_to_fill_in(kernels)
    if explain is not None:
        rows = role_tables.of_name(launches, explain)
        full, rules = role_tables.full_name(rows, explain), load_rules(chosen["roles"])
        return words.explained(explain, matching(full, rules), rows, doubtful=only_likely(full, rules)), ""
    notes = (*invented([study.run]), *study.capture.notes)
    return words.document(role_tables.totals(launches, "role"), role_tables.totals(launches, "rule"), notes), ""


def of_name(name: str, rules: Path | None) -> Document:
    """The reason for the role of one bare name."""
    from ncu_roofline.knowledge.kernels.roles import load_rules, matching, only_likely
    from ncu_roofline.present.documents import roles as words

    known = load_rules(rules)
    return words.explained(name, matching(name, known), doubtful=only_likely(name, known))


def of_names(source: str, rules: Path | None) -> Document:
    """Role and rule of every line of a file, and whether the name proves the role."""
    import polars as pl

    from ncu_roofline.knowledge.kernels.roles import classify_names, load_rules
    from ncu_roofline.present.documents import roles as words

    given = pl.Series("name", lines(source), dtype=pl.String)
    said = pl.when("likely").then(pl.lit("likely")).when(~pl.col("likely")).then(pl.lit("certain"))
    known = classify_names(given, load_rules(rules)).select("name", "role", "rule", certainty=said)
    return words.named(given.to_frame().join(known, on="name", how="left", maintain_order="left"))


def lines(source: str) -> list[str]:
    """The lines of a file or of standard input that are not empty; bytes outside UTF-8 become a mark."""
    try:
        content = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    except OSError as error:
        raise UnusableInput(f"{source}: cannot be read ({error.strerror}); give a text file with one name a line") from error
    split = content.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace").split("\n")
    return [line.removesuffix("\r") for line in split if line.strip()]
