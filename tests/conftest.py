"""What all tests share: captures of the repository, and that a busy machine is no fault of a formula (no deadlines)."""

import pytest
from hypothesis import settings

from tests import kept

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
kept.keep()


def pytest_runtest_setup(item: pytest.Item) -> None:
    kept.anew[0] = not kept.sharing(item)
