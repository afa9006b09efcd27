"""`recipe` prints the ncu command for a capture that answers everything this tool asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ncu_roofline.cli.app import app
from ncu_roofline.cli.notes import note
from ncu_roofline.cli.options import As, Force, Format, Output

if TYPE_CHECKING:
    from ncu_roofline.knowledge.recipe import Recipe


Program = Annotated[list[str] | None, typer.Argument(metavar="[-- COMMAND]", help="What to profile, after two dashes.")]
Dtypes = Annotated[
    str | None, typer.Option("--dtypes", metavar="LIST", help="Types that are multiplied, as bf16,fp8; each may cost a pass.")
]


@app.command()
def recipe(
    program: Program = None,
    gpu: Annotated[str | None, typer.Option("--gpu", metavar="NAME", help="GPU that will run it; H100 if not told.")] = None,
    dtypes: Dtypes = None,
    engine: Annotated[
        Literal["torch", "vllm", "sglang", "llama.cpp", "trtllm"], typer.Option("--engine", help="What runs the model.")
    ] = "torch",
    purpose: Annotated[
        Literal["decode", "prefill", "bytes"], typer.Option("--for", help="What the capture is for.")
    ] = "decode",
    form: As = "table",
    output: Output = None,
    force: Force = False,
) -> None:
    """Print the ncu command that captures one step in the fewest passes, as a commented shell script.

    Example: ncu-roofline recipe --gpu h100 --dtypes bf16,fp8 -- python run.py
    """
    from ncu_roofline.cli.output import write_text
    from ncu_roofline.knowledge.recipe import recipe as made

    device = _device(gpu)
    wanted = [word.strip().lower() for word in (dtypes or "").split(",") if word.strip()]
    cooked = made(device, dtypes=wanted, engine=engine, purpose=purpose, program=program or ())
    write_text(text(cooked, form), output, force=force)


def _device(gpu: str | None) -> tuple[str, str]:
    """Name and compute capability of the GPU; what was assumed is said."""
    from ncu_roofline.knowledge.devices import gpus
    from ncu_roofline.knowledge.recipe import DEFAULT_GPU

    if gpu is None:
        note(f"No --gpu given: metric names and passes are those of {DEFAULT_GPU[0]}.")
        return DEFAULT_GPU
    found = gpus.find(gpu)
    return found.name, found.compute_capability or "unknown"


def text(cooked: Recipe, form: Format) -> str:
    """The recipe in its form; a terminal gets the script as it is, for a wrapped command would not run."""
    from ncu_roofline.cli.output import rendered
    from ncu_roofline.present.documents import recipe as words

    match form:
        case "table":
            return words.script(cooked)
        case "markdown":
            return words.markdown(cooked)
        case _:
            return rendered(words.document(cooked), form)
