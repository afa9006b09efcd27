"""Roles of a capture, the reason of one role, and rules to fill in -> a document."""

from __future__ import annotations

import json
from collections.abc import Sequence

import polars as pl

from ncu_roofline.capture.units import counted, text
from ncu_roofline.knowledge.kernels.roles import Rule
from ncu_roofline.present.forms.columns import percent
from ncu_roofline.present.forms.document import Document, Table
from ncu_roofline.present.forms.text import clean

BY_ROLE = ("role", "kernels", "launches", "seconds", "time_share", "dram_bytes", "bytes_share")
BY_RULE = ("role", "role_rule", "role_source", "kernels", "launches", "time_share")
BEHAVIOUR = {
    "matrix-bytes": "it reads the bytes of one of the model's matrices, in the order of a layer, in layer after layer",
    "cache-bytes": "between the QKV and the output projection it alone reads much: it reads the cache",
}
"""Why a role stands on behaviour (analysis/roles/behaviour.py)."""
PATTERNS = ("function", "scope", "arguments", "name", "nvtx", "unless")


def document(roles: pl.DataFrame, rules: pl.DataFrame, notes: Sequence[str] = ()) -> Document:
    """How time and bytes split into FC, attention and the rest, and which rule decided."""
    bytes_known = roles["dram_bytes"].count() > 0
    shown = BY_ROLE if bytes_known else tuple(c for c in BY_ROLE if c not in ("dram_bytes", "bytes_share"))
    return Document(
        answer=(*answer(roles, bytes_known), *likely(rules)),
        tables=(
            Table("By role", roles, shown, spare=("kernels",)),
            Table("Which rule decided", rules, BY_RULE, spare=("kernels",)),
        ),
        doubts=tuple(notes),
        data={"rows": roles, "rules": rules},
    )


def answer(roles: pl.DataFrame, bytes_known: bool) -> list[str]:
    """Shares of the two families, then what no rule knows."""
    said = [f"{words(roles, family, label, bytes_known)}." for family, label in (("fc", "FC"), ("attention", "Attention"))]
    lost = roles.filter(pl.col("role").is_null())
    if lost.is_empty():
        return [*said, "Every kernel has a role."]
    count = int(lost["kernels"].sum())
    noun = "1 kernel is" if count == 1 else f"{count:,} kernels are"
    shares = part(lost, bytes_known)
    return [*said, f"{noun} unclassified: {shares}; `--unknown` lists what is not recognised."]


def likely(rules: pl.DataFrame) -> list[str]:
    """What stands on a word that does not prove the role, by its share of the time; nothing where all is proven."""
    rows = rules.filter(pl.col("role_source") == "likely")
    if rows.is_empty():
        return []
    count = int(rows["kernels"].sum())
    noun = "1 kernel has" if count == 1 else f"{count:,} kernels have"
    return [f"{noun} a role that the name makes likely and does not prove: {part(rows, bytes_known=False)}."]


def words(roles: pl.DataFrame, role: str, label: str, bytes_known: bool) -> str:
    """One family's share in words."""
    rows = roles.filter(pl.col("role") == role)
    if rows.is_empty():
        return f"{label}: none in this capture"
    beside = roles.filter(pl.col("role") == "kv-cache") if role == "attention" else rows.clear()
    tail = f", the KV cache beside it {part(beside, bytes_known)}" if beside.height else ""
    return f"{label} takes {part(rows, bytes_known)}{tail}"


def part(rows: pl.DataFrame, bytes_known: bool) -> str:
    """12.3 % of the time and 45.6 % of the bytes; launches where no time is known."""
    if rows["time_share"].count() == 0:
        return f"{counted(int(rows['launches'].sum()), 'launch')} of unknown time"
    time = f"{percent(rows['time_share'].sum())} of the time"
    return f"{time} and {percent(rows['bytes_share'].sum())} of the bytes" if bytes_known else time


def explained(
    name: str, matches: Sequence[Rule], in_capture: pl.DataFrame | None = None, *, doubtful: bool = False
) -> Document:
    """The rule that names this kernel and those it beat; with a capture, what its launches were taken for."""
    shown = clean(name)
    rows = pl.DataFrame(
        {
            "order": range(1, len(matches) + 1),
            "role": [m.role for m in matches],
            "rule": [m.id for m in matches],
            "pattern": [patterns(m) for m in matches],
            "why": [m.why for m in matches],
        },
        schema={"order": pl.Int64, "role": pl.String, "rule": pl.String, "pattern": pl.String, "why": pl.String},
    )
    if not matches:
        said = [f"No rule matches {shown}: it is unclassified unless a range or its neighbours tell."]
    else:
        said = [f"{shown} is {matches[0].role} by rule {matches[0].id}: {matches[0].why}."]
        if doubtful:
            said.append("Its name makes that likely and does not prove it.")
        left_open = matches[0].open not in (None, "experts", "metadata")
        if left_open:
            said.append(f"Its name leaves that open ({matches[0].open}): the neighbours may say otherwise.")
    tables = [Table("Rules that match, the first decides", rows, ("order", "role", "rule", "why"))] if matches else []
    if in_capture is not None:
        said += behaved(in_capture)
        columns = ("kernel", "role", "role_source", "role_rule", "launches", "time_share")
        tables.append(Table("In this capture", in_capture, columns))
    return Document(answer=tuple(said), tables=tuple(tables), data={"name": name, "rows": rows, "capture": in_capture})


def behaved(rows: pl.DataFrame) -> list[str]:
    """What was read by the launches whose role stands on that, one sentence per reason."""
    shown = rows.filter(pl.col("role_source") == "behaviour").group_by("role", "role_rule", maintain_order=True)
    sums = shown.agg(pl.col("launches").sum(), each=pl.col("dram_bytes").sum() / pl.col("launches").sum())
    return [
        f"By behaviour {counted(row['launches'], 'launch')} of it in this capture {'is' if row['launches'] == 1 else 'are'} "
        f"{row['role']}: {BEHAVIOUR[row['role_rule']]} ({text(row['each'], 'byte')} a launch)."
        for row in sums.iter_rows(named=True)
    ]


def patterns(rule: Rule) -> str:
    """The patterns of a rule, each with the text that it looks at."""
    return "; ".join(f"{key} {text}" for key in PATTERNS if (text := getattr(rule, key)) is not None)


def unrecognised(kernels: pl.DataFrame) -> Document:
    """Kernels without a role as tables and data."""
    noun = "1 kernel is" if kernels.height == 1 else f"{kernels.height:,} kernels are"
    said = f"{noun} not recognised." if kernels.height else "Every kernel is recognised."
    shown = Table("", kernels, ("kernel", "launches", "seconds", "time_share", "dram_bytes", "bytes_share"))
    return Document(answer=(said,), tables=(shown,) if kernels.height else (), data={"rows": kernels})


def rules_to_fill_in(kernels: pl.DataFrame) -> str:
    """A rules file that knows these kernels once its roles are filled in; their roles stand as `other`."""
    head = ["# Kernels without a role. Write the right role into each rule, then pass this file with --roles."]
    if kernels.is_empty():
        return "# Every kernel is recognised: no rule is needed.\n"
    distinct = kernels.unique("kernel", maintain_order=True)
    return "\n\n".join([*head, *map(rule, distinct.iter_rows(named=True))]) + "\n"


def rule(row: dict[str, object]) -> str:
    """One rule on the kernel's own name, with what it weighs as a comment."""
    share = row["time_share"]
    weight = f"{percent(share)} of the time, " if isinstance(share, float) else ""
    kernel = clean(str(row["kernel"])) or " "
    literal = "".join(c if c.isalnum() or c in "_ " else f"\\x{{{ord(c):x}}}" for c in kernel)
    ends = [r"\b" if sign.isalnum() or sign == "_" else "" for sign in (kernel[0], kernel[-1])]
    pattern = json.dumps(ends[0] + literal + ends[1], ensure_ascii=False)
    return f'# {weight}{counted(int(str(row["launches"])), "launch")}\n[[rule]]\nrole = "other"\nname = {pattern}'


def named(rows: pl.DataFrame) -> Document:
    """Bare names with their role, its certainty and rule."""
    known, sure = rows["role"].count(), rows.filter(pl.col("certainty") == "certain").height
    return Document(
        answer=(f"{known} of {rows.height} names have a role, {sure} of them a certain one.",),
        tables=(Table("", rows, ("name", "role", "certainty", "rule")),) if rows.height else (),
        data={"rows": rows},
    )
