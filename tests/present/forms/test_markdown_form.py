"""Text from strangers in Markdown: nothing of it is markup, and nothing of it becomes a link."""

from __future__ import annotations

import pytest
from markdown_it import MarkdownIt

from ncu_roofline.present.forms.markdown import escape


@pytest.mark.parametrize("text", ["www.example.org", "WWW.example.org/x", "see https://example.org", "a @user #12", "[a](b)"])
def test_no_address_mention_or_number_becomes_a_link(text: str) -> None:
    made = escape(text)

    assert made.replace("\u2060", "").replace("\\", "") == text  # what is seen stays what it was
    assert "www." not in made.lower()
    assert "://" not in made
    assert "<a" not in MarkdownIt("commonmark").render(made)
