"""Runs with facts stated, as a test wants them."""

from dataclasses import replace

from ncu_roofline.capture.capture import Fact, Run

UNTOLD = Run()


def stating(run: Run = UNTOLD, /, **values: object) -> Run:
    """The run with these facts stated by the user; None leaves a fact as it is."""
    stated = {k: Fact(v, "given", "stated by the user") for k, v in values.items() if v is not None}
    return replace(run, **stated)  # type: ignore[arg-type]
