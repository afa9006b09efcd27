"""How roles by name fare against the public list of kernel names: `python -m bench.roles_report` writes docs/roles-confusion.md."""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl

from ncu_roofline.capture.schema import ROLES
from ncu_roofline.present.text import clean, shorten
from tests.corpus import PRESENT
from tests.role_list import MAIN, accuracy, judged

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "roles-confusion.md"
VERDICTS = Path(__file__).parent / "role_verdicts.tsv"
INTRODUCTION = """# Roles by name: how often they are right

*Written by `make roles-report` from the public list of kernel names; do not edit.*

Every name of the list is classified by the name alone, without NVTX ranges or neighbours. An answer is right when it
is the list's label or one of its alternatives (`alt:`). Rows marked *needs-context* are those that the list itself calls
undecidable by name; a capture settles them by ranges and neighbours.

## Names that the rules had not seen

The figures below are a fit, not an accuracy: the rules were written with the list open, and 2 to 4 labels in 100 of the
list are themselves wrong, which a perfect agreement follows. What the rules do on names they had not seen was measured
before looking, in this order. Sets A to F are names from the sources and binaries of engines, none of them in the list,
labelled by what the source does (`tests/data/unseen_names.tsv`); their first column counts names that a name can decide.

| names | right | needs-context right | FC and attention crossed |
| --- | ---: | ---: | ---: |
| half B of the list (by hash of the function name), rules written on half A only | 764 of 847, 90.2 % | | 0 of 283 |
| half of B, after the other half of B had been looked at | 420 of 456, 92.1 % | | 0 of 163 |
| sets A, B and C, by the rules as they were before any was collected | 447 of 583, 76.7 % | 67 of 153 | 1 of 145 |
| set D, after A to C had been looked at | 409 of 464, 88.1 % | 97 of 122 | 1 of 111 |
| set E, what is left of the same sources, after D had been looked at | 67 of 76, 88.2 % | 25 of 34 | 0 of 10 |
| set F, rarer kernels of PyTorch ATen, after E had been looked at | 33 of 44, 75.0 % | 33 of 42 | 0 of 1 |

Each set was then used to widen the rules, so today's figure for unknown names is higher, and unmeasured. Of set D, FC was
right in 55 of 58, norm in 32 of 32, rope in 15 of 15, sampling in 40 of 41, kv-cache in 38 of 40, attention in 42 of 53,
moe-routing in 40 of 48 and `other` (bookkeeping) in 39 of 52. By engine: vLLM 142 of 153, SGLang 66 of 72,
onnxruntime 64 of 79, LMDeploy 30 of 37, all others 107 of 123.
"""


def page() -> str:
    """The whole page as Markdown."""
    rows = judged()
    certain, open_rows = (rows.filter(pl.col("certainty") == kind) for kind in ("certain", "needs-context"))
    return "\n".join(
        [
            INTRODUCTION,
            "## Summary",
            "",
            *summary(certain, open_rows),
            "",
            "## By role and by engine",
            "",
            "Certain names, groups of 20 or more.",
            "",
            *shares(certain),
            "",
            "## Confusion",
            "",
            "Certain names: label of the list down, answer across; – is unclassified.",
            "",
            *confusion(certain),
            "",
            "## Every remaining disagreement",
            "",
            *disagreements(rows),
            "",
        ]
    )


def summary(certain: pl.DataFrame, open_rows: pl.DataFrame) -> list[str]:
    """Counts of right answers and of FC and attention taken for each other."""
    lines = ["| | rows | right | unclassified | FC and attention crossed |", "| --- | ---: | ---: | ---: | ---: |"]
    for title, rows in (("certain", certain), ("needs-context", open_rows)):
        main = rows.filter(pl.col("label").is_in(MAIN))
        right, silent = int(rows["right"].sum()), rows["said"].null_count()
        crossed = f"{int(main['crossed'].sum())} of {main.height}"
        lines.append(f"| {title} | {rows.height} | {right} ({right / rows.height:.1%}) | {silent} | {crossed} |")
    return lines


def shares(certain: pl.DataFrame) -> list[str]:
    """Share of right answers per role and per engine, the worst first."""
    lines = ["| | rows | right |", "| --- | ---: | ---: |"]
    for by in ("label", "engine"):
        lines += [f"| {name} | {count} | {right:.1%} |" for name, count, right in accuracy(certain, by).rows()]
    return lines


def confusion(certain: pl.DataFrame) -> list[str]:
    """Label by answer; an accepted alternative counts under its label."""
    judged_as = pl.when("right").then("label").otherwise(pl.col("said").fill_null("–"))
    counted = certain.group_by("label", judged_as.alias("answer")).len()
    told = {(label, answer): count for label, answer, count in counted.iter_rows()}
    across = [*ROLES, "–"]
    lines = ["| | " + " | ".join(across) + " |", "| --- |" + " ---: |" * len(across)]
    return lines + [f"| **{label}** | " + " | ".join(str(told.get((label, a), "")) for a in across) + " |" for label in ROLES]


def disagreements(rows: pl.DataFrame) -> list[str]:
    """Every name whose answer is not the label, with who is right; unclassified needs-context names agree by the list's rule."""
    wrong = rows.filter(~pl.col("right") & ((pl.col("certainty") == "certain") | pl.col("said").is_not_null()))
    verdicts = {line.split("\t")[0]: line.split("\t")[1:] for line in VERDICTS.read_text().splitlines()[1:]}
    lines = ["| name | list | answer | certainty | verdict | reason |", "| --- | --- | --- | --- | --- | --- |"]
    for row in wrong.unique("name", maintain_order=True).sort("certainty", "label", "name").iter_rows(named=True):
        name = shorten(clean(row["name"]), 60).replace("|", "\\|")
        verdict, reason = next((v for start, v in verdicts.items() if row["name"].startswith(start)), ("none yet", ""))
        lines.append(f"| `{name}` | {row['label']} | {row['said'] or '–'} | {row['certainty']} | {verdict} | {reason} |")
    return lines if len(lines) > 2 else ["None."]


def main() -> None:
    """Write the page."""
    if not PRESENT:
        sys.exit("roles_report: ../shared/reference/kernel_names.tsv is not on this machine")
    PAGE.write_text(page())
    print(f"Wrote {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
