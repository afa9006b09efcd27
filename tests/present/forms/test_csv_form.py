"""A document as CSV: nothing in a cell moves a cursor or runs in a spreadsheet."""

from __future__ import annotations

import polars as pl

from ncu_roofline.present.forms import csv
from ncu_roofline.present.forms.document import Document


def test_ranges_are_as_harmless_as_names() -> None:
    rows = pl.DataFrame({"kernel": ["=1+1"], "nvtx": [["=HYPERLINK(1)", "a\x1b[31mb"]]})
    assert csv.render(Document(answer=(), data={"rows": rows})) == "kernel,nvtx\n'=1+1,'=HYPERLINK(1) > a [31mb\n"
