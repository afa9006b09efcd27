"""Options that state facts about a run; what is stated wins over the sidecar file and over inference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from ncu_roofline.cli import complete
from ncu_roofline.cli.options import RUN

Tokens = Annotated[
    int | None, typer.Option("--tokens", metavar="N", help="Tokens generated in the capture.", rich_help_panel=RUN)
]
Batch = Annotated[int | None, typer.Option("--batch", metavar="N", help="Sequences per step.", rich_help_panel=RUN)]
Steps = Annotated[int | None, typer.Option("--steps", metavar="N", help="Decode steps in the capture.", rich_help_panel=RUN)]
Context = Annotated[
    int | None, typer.Option("--context", metavar="TOKENS", help="Cached tokens per sequence.", rich_help_panel=RUN)
]
Accepted = Annotated[
    float | None,
    typer.Option("--accepted", metavar="X", help="Mean tokens per sequence and step, if speculative.", rich_help_panel=RUN),
]
ModelName = Annotated[
    str | None,
    typer.Option(
        "--model", metavar="CONFIG", help="A config.json or a known name.", rich_help_panel=RUN, autocompletion=complete.models
    ),
]
Weights = Annotated[str | None, typer.Option("--weights", metavar="DTYPE", help="Weight type.", rich_help_panel=RUN)]
Head = Annotated[
    str | None,
    typer.Option("--head", metavar="DTYPE", help="Type of the LM head, if not that of the weights.", rich_help_panel=RUN),
]
Kv = Annotated[str | None, typer.Option("--kv", metavar="DTYPE", help="KV cache type.", rich_help_panel=RUN)]
Tp = Annotated[int | None, typer.Option("--tp", metavar="N", help="GPUs that share every matrix.", rich_help_panel=RUN)]
Ep = Annotated[int | None, typer.Option("--ep", metavar="N", help="GPUs that share whole experts.", rich_help_panel=RUN)]
LayersCaptured = Annotated[
    str | None, typer.Option("--layers-captured", metavar="A/B", help="Layers in the capture, of all.", rich_help_panel=RUN)
]
StepTime = Annotated[
    str | None,
    typer.Option("--step-time", metavar="TIME", help="Time of one step without a profiler, as in 8.0ms.", rich_help_panel=RUN),
]
Tpot = Annotated[
    str | None,
    typer.Option(
        "--tpot", metavar="TIME", help="The same as an engine reports it: time per token of a sequence.", rich_help_panel=RUN
    ),
]


def stated(options: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of a run among a command's options."""
    from ncu_roofline.readers.facts import CHECKS

    return {name: options[name] for name in CHECKS if name in options}
