"""A recipe as a shell script whose comments answer, or as data; the command runs as printed."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import asdict

import polars as pl

from ncu_roofline.capture.units import counted
from ncu_roofline.knowledge.recipe import OUTPUT, STEP, Reason, Recipe, table
from ncu_roofline.present.forms.document import Document, Table

WIDTH = 100
PURPOSES = {"decode": "One decode step", "prefill": "One prefill pass", "bytes": "Bytes and time only"}


def answer(recipe: Recipe) -> tuple[str, ...]:
    """What the command captures, where, and what it costs."""
    types = f", {', '.join(recipe.dtypes)} tensor work" if recipe.dtypes else ", no FLOPs"
    return (
        f"{PURPOSES[recipe.purpose]} of {recipe.engine} on {recipe.gpu} ({recipe.architecture}, "
        f"compute capability {recipe.compute_capability}){types}: {len(recipe.metrics)} metrics, {passes(recipe)}.",
        recipe.cost,
    )


def passes(recipe: Recipe) -> str:
    """The promise on replay passes and how it is known."""
    if recipe.passes is None:
        return "replay passes not computed"
    most = "" if recipe.passes_exact else "at most "
    count = f"{most}{counted(recipe.passes, 'replay pass')}"
    if recipe.measured:
        taken, version = recipe.measured
        return f"{taken} replay passes, as measured with Nsight Compute {version} (NVIDIA's scheduler promises {recipe.passes})"
    return f"{count} by NVIDIA's scheduler (ncu itself may add one or two)"


def script(recipe: Recipe) -> str:
    """A POSIX shell script: answer, commands, then the reasons as comments."""
    parts = [*comments(answer(recipe)), "", *first(recipe), command(recipe), ""]
    parts += ["# Why each option stands there:", *reasons(recipe.options)]
    parts += ["#", "# What each metric is for:", *reasons(recipe.metrics), "#", "# How to get one clean step:"]
    parts += [*comments(recipe.notes[:1], "- "), *(f"#       {line}" for line in recipe.snippet.splitlines())]
    parts += comments(recipe.notes[1:], "- ")
    if recipe.doubts:
        parts += ["#", "# What cannot be promised:", *comments(recipe.doubts, "- ")]
    reports = ((STEP,) if recipe.whole else ()) + (OUTPUT,)
    slim = f"slim {' '.join(reports)} -o {'slim' if recipe.whole else 'slim.ncu-repz'}"
    then = [*(f"summary {name}" for name in reports), slim]
    return "\n".join([*parts, "#", "# Then:", *(f"#   ncu-roofline {what}" for what in then)]) + "\n"


def first(recipe: Recipe) -> list[str]:
    """The whole step before its kernels, and what each is for; nothing where only the kernels can be had."""
    if not recipe.whole:
        return []
    rules = table()["whole"]
    said = comments([f"1. {rules['why']}", rules["needs"]])
    return [
        *said,
        folded(recipe.whole),
        "",
        *comments(["2. A few layers kernel by kernel: where the bytes go, FLOPs, and time."]),
    ]


def command(recipe: Recipe) -> str:
    """The command that captures kernel by kernel."""
    return folded(recipe.words)


def folded(command: Sequence[str]) -> str:
    """A command, an option or a metric per line; a line that ends in a backslash joins the next."""
    words = list(command)
    at = words.index("--metrics")
    before = [word for word in words[:at] if "=" in word and not word.startswith("-")]
    metrics = words[at + 1].replace(",", ",\\\n")
    options = [f"  {option} \\" for option in paired(words[words.index("ncu") + 1 : at])]
    head = " ".join([*before, "ncu", "\\"])
    return "\n".join([head, *options, "  --metrics \\", f"{metrics} \\", f"  {' '.join(words[at + 2 :])}"])


def paired(words: Sequence[str]) -> list[str]:
    """Options with their values."""
    found: list[str] = []
    for word in words:
        if word.startswith("--"):
            found.append(word)
        else:
            found[-1] += f" {word}"
    return found


def comments(sentences: Iterable[str], mark: str = "") -> list[str]:
    """Sentences as wrapped comment lines."""
    return [line for sentence in sentences for line in wrapped(sentence, f"# {mark}", len(mark))]


def wrapped(text: str, begin: str, indent: int) -> list[str]:
    """A text as comment lines, those after the first so far in."""
    hanging = "# " + " " * indent
    return textwrap.wrap(
        text, WIDTH, initial_indent=begin, subsequent_indent=hanging, break_long_words=False, break_on_hyphens=False
    )


def reasons(rows: tuple[Reason, ...]) -> list[str]:
    """What and why in two columns, the longest names hanging over."""
    room = min(max(len(row.part) for row in rows), 60)
    return [line for row in rows for line in wrapped(f"{row.part:<{room}}  {row.why}", "#   ", room + 4)]


def document(recipe: Recipe) -> Document:
    """The recipe for programs: the rows are the metrics."""
    metrics = pl.DataFrame([asdict(row) for row in recipe.metrics]).rename({"part": "metric"})
    options = pl.DataFrame([asdict(row) for row in recipe.options]).rename({"part": "option"})
    return Document(
        answer=answer(recipe),
        tables=(Table("", metrics, ("metric", "why")), Table("Options", options, ("option", "why"))),
        doubts=recipe.doubts,
        data={
            "command": recipe.command,
            "whole_step_command": " ".join(recipe.whole) or None,
            "gpu": recipe.gpu,
            "compute_capability": recipe.compute_capability,
            "architecture": recipe.architecture,
            "dtypes": recipe.dtypes,
            "purpose": recipe.purpose,
            "engine": recipe.engine,
            "environment": dict(recipe.environment),
            "passes": recipe.passes,
            "passes_exact": recipe.passes_exact,
            "passes_measured": recipe.measured[0] if recipe.measured else None,
            "rows": metrics,
            "options": options,
            "notes": recipe.notes,
            "snippet": recipe.snippet,
            "cost": recipe.cost,
            "doubts": recipe.doubts,
        },
    )


def markdown(recipe: Recipe) -> str:
    """The script in a code fence, ready for a pull request or an issue."""
    return f"```sh\n{script(recipe)}```\n"
