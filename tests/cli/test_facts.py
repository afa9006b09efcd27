"""Every option that states a fact of the run reaches it: none is lost where a parameter is renamed."""

import inspect
from importlib import import_module
from typing import Annotated, get_args, get_origin, get_type_hints

import pytest

from ncu_roofline.cli import facts
from ncu_roofline.readers.facts import CHECKS

COMMANDS = ("tokens", "report", "compare", "plot", "summary", "sweep", "roles", "kernels")
OPTIONS = {id(get_args(each)[1]) for each in vars(facts).values() if get_origin(each) is Annotated}


def stating(command: str) -> list[str]:
    """Parameters of a command that are declared as a fact of the run."""
    function = getattr(import_module(f"ncu_roofline.cli.{command}"), command)
    hints = get_type_hints(function, include_extras=True)
    return [name for name in inspect.signature(function).parameters if id(get_args(hints[name])[-1]) in OPTIONS]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_fact_that_a_command_takes_is_one_that_a_run_has(command: str) -> None:
    found = stating(command)
    assert len(found) >= 3
    assert set(found) <= set(CHECKS)


def test_an_option_that_is_no_fact_states_nothing() -> None:
    assert facts.stated({"batch": 8, "gpu": "h100", "top": 3}) == {"batch": 8}
