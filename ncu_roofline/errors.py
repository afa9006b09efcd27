"""Every way to fail, each with its exit code."""

EXIT_CODES = {
    0: "done",
    1: "a gate rule failed",
    2: "wrong usage: no such command or option, or a value that it does not take",
    3: "an input that cannot be used: a file, a name, a fact of the run, a rule",
    4: "two captures that cannot be compared",
    5: "a gate rule that cannot be told from what was measured",
    70: "a fault of this program: please report it",
    141: "whoever read the output stopped reading (a closed pipe)",
}
"""All exit codes there are; `2` is typer's own."""


class RooflineError(Exception):
    """Base of all errors shown to a user as one sentence."""

    exit_code = 3


class UnreadableCapture(RooflineError):
    """A capture that cannot be read: what it is, and what to do instead."""


class UnusableInput(RooflineError):
    """An option, rules file, model config, run fact or gate rule that cannot be used."""


class NotComparable(RooflineError):
    """Two captures measured so differently that their numbers must not be set side by side."""

    exit_code = 4


class GateUntold(RooflineError):
    """A `--fail-if` rule that the captures neither keep nor break."""

    exit_code = 5


class GateFailed(RooflineError):
    """A `--fail-if` rule that the comparison violates."""

    exit_code = 1
