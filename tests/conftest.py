"""What all tests share: captures of the repository, and that a busy machine is no fault of a formula (no deadlines)."""

import gc
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests import kept

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
kept.keep()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What is collected lives to the end: looking through it for garbage again and again takes a third of the collecting."""
    gc.disable()
    yield
    gc.freeze()
    gc.enable()


def pytest_runtest_setup(item: pytest.Item) -> None:
    kept.anew[0] = not kept.sharing(item)
