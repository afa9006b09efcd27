"""Every public capture against itself: nothing changed, or it cannot be told where nothing was measured."""

import pytest

import ncu_roofline as nr
from ncu_roofline.errors import RooflineError
from tests.corpus import CORPUS, files, needs_corpus


@needs_corpus
@pytest.mark.slow
def test_a_public_capture_against_itself_changes_nothing() -> None:
    seen: dict[str, str] = {}
    for name in files("rep", "csv-raw", "csv-details", "csv-metrics"):
        try:
            study = nr.study(CORPUS / name)
        except RooflineError:
            continue  # refused: other tests say why
        found = nr.compare(study, study)
        seen[name] = found.verdict
        rows = study.launches.height
        moved, timed = (study.launches[c].count() for c in ("dram_bytes", "seconds"))
        allowed = {"no_change"} if moved and timed else {"same_bytes"} if moved else {"cannot_tell"}
        # where more than a small part of a number is unknown its sum is
        allowed |= ({"same_bytes"} if timed < rows else set()) | ({"cannot_tell"} if moved < rows else set())
        assert found.verdict in allowed, name
    assert len(seen) > 50
