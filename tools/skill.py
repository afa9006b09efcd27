"""Ten questions that SKILL.md must make answerable: `python -m tools.skill` scores the briefs against the truth.

Five captures of ours with known truth (fixtures/measured/known.tsv). A question is won where the command that SKILL.md
names gives the answer, and its brief holds no forbidden conclusion.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ncu_roofline.cli import main as program

ROOT = Path(__file__).parent.parent
MEASURED = ROOT / "fixtures" / "measured"
DENSE, FP8, MOE, H200 = "h100-dense-b8", "h100-fp8-b8", "h100-moe-b8", "h200-dense-b8"
LARGE = "h100-dense-b128"
SKILL = ROOT / "SKILL.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question: the command that SKILL.md names for it, what must be in the brief, what must not be said."""

    text: str
    command: str
    captures: tuple[str, ...]
    more: tuple[str, ...] = ()
    right: Callable[[dict[str, Any]], bool]
    forbidden: tuple[str, ...] = ("compute-bound", "Arithmetic limits it")


def near(value: float | None, truth: float, part: float = 0.01) -> bool:
    """Whether a figure is within a part of the truth."""
    return value is not None and abs(value / truth - 1) <= part


def moved(truth: float) -> Callable[[dict[str, Any]], bool]:
    """Bytes of a token, read and written."""
    return lambda brief: near(brief["per_token"]["dram_bytes"]["value"], truth)


QUESTIONS = (
    # known.tsv: reads and writes of the step over its tokens
    Question(
        text="bytes per token, dense batch 8", command="summary", captures=(DENSE,), right=moved((3072763648 + 100990464) / 8)
    ),
    Question(
        text="bytes per token, dense batch 128",
        command="tokens",
        captures=(LARGE,),
        right=moved((5100710656 + 212361472) / 128),
    ),
    Question(
        text="bytes per token, mixture of experts", command="summary", captures=(MOE,), right=moved((2856195840 + 64102144) / 8)
    ),
    Question(text="what limits it", command="summary", captures=(DENSE,), right=lambda b: b["verdict"] == "memory"),
    Question(text="what limits FP8 decode", command="summary", captures=(FP8,), right=lambda b: b["verdict"] == "memory"),
    Question(
        text="what to fix first",
        command="summary",
        captures=(MOE,),
        right=lambda b: b["fix_first"][0]["why"] == "glue" and b["fix_first"][1]["role"] == "fc",
        forbidden=("fewer FLOPs make",),
    ),
    Question(
        text="which role moves most",
        command="tokens",
        captures=(H200,),
        right=lambda b: max(b["roles"], key=lambda r: r["bytes_share"] or 0)["role"] == "fc",
    ),
    Question(
        text="does FP8 cut bytes per token",
        command="compare",
        captures=(DENSE, FP8),
        more=("--vary", "weights"),
        right=lambda b: near(b["per_token"]["dram_bytes"]["value"], (2200312064 + 62418944) / 8) and "cut" in b["verdict"],
        forbidden=("FLOP mirage",),
    ),
    Question(
        text="may two devices be compared unasked",
        command="compare",
        captures=(DENSE, H200),
        right=lambda b: b["verdict"] == "not_comparable" and "--vary" in b["next"],
        forbidden=("faster",),
    ),
    Question(text="may the capture be trusted", command="check", captures=(DENSE,), right=lambda b: b["verdict"] == "good"),
)


def asked(question: Question) -> dict[str, Any]:
    """The brief that the command gives."""
    files = [str(MEASURED / f"{name}.ncu-repz") for name in question.captures]
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()), contextlib.suppress(SystemExit):
        program([question.command, *files, *question.more, "--format", "brief"])
    told: dict[str, Any] = json.loads(said.getvalue())
    return told


def won(question: Question) -> bool:
    """Whether SKILL.md names the command, the brief holds the answer and says nothing that it must not."""
    brief = asked(question)
    spoken = " ".join(brief["answer"])
    named = f"ncu-roofline {question.command} " in SKILL.read_text(encoding="utf-8")
    return named and question.right(brief) and not any(word in spoken for word in question.forbidden)


def score() -> dict[str, bool]:
    """Every question with whether it was won."""
    return {question.text: won(question) for question in QUESTIONS}


def main() -> None:
    """Prints the score, a question a line."""
    found = score()
    for text, good in found.items():
        print(f"{'right' if good else 'WRONG'}  {text}")
    print(f"{sum(found.values())} of {len(found)}")


if __name__ == "__main__":
    main()
