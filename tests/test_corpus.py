"""Every public capture is read with as many launches as its manifest says, or refused with a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from ncu_roofline.errors import UnreadableCapture
from ncu_roofline.readers import read
from tests.corpus import CORPUS, actions, manifest, needs_corpus

pytestmark = needs_corpus
FILES = sorted(manifest()["file"])


@pytest.mark.parametrize("file", FILES or [pytest.param("", marks=pytest.mark.skip(reason="no corpus"))])
def test_every_public_capture_is_read_whole_or_refused(file: str) -> None:
    path = CORPUS / file
    if actions(file) == 0:
        with pytest.raises(UnreadableCapture, match=Path(file).name.replace("@", ".")[:20]):
            read(path)
    else:
        assert read(path).launches.height == actions(file)
