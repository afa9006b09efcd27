"""Hooks of the site: pages that stand beside docs/ come along, and links to folders become links to their pages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
BESIDE = {
    "ARCHITECTURE.md": "architecture.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changes.md",
    "SECURITY.md": "security.md",
    "fixtures/README.md": "fixtures.md",
    "fixtures/measured/README.md": "measured-captures.md",
}
"""Pages outside of docs/ -> where the site has them."""
LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|mailto:|#)([^)#\s]+)(#[^)\s]*)?\)")


def on_files(files: Any, config: Any) -> Any:
    """The files of the site, with those that stand beside docs/."""
    from mkdocs.structure.files import File

    for source, target in BESIDE.items():
        files.append(File.generated(config, target, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """The page, each link leading to where the site has its target; plain words where the site does not have it."""
    uri = page.file.src_uri
    if uri == "README.md":  # without a table of its one heading, what the tool prints fits its lines
        page.meta["hide"] = ["toc"]
    here = next((source for source, target in BESIDE.items() if target == uri), f"docs/{uri}")

    def moved(hit: re.Match[str]) -> str:
        target = there((ROOT / here).parent / hit[3])
        if target is None:
            return hit[2]
        return f"{hit[1]}[{hit[2]}]({'../' * uri.count('/')}{target}{hit[4] or ''})"

    return LINK.sub(moved, markdown)


def there(path: Path) -> str | None:
    """Where the site has a file or folder of the repository; None where it has it not."""
    place = path.resolve().relative_to(ROOT).as_posix()
    if path.is_dir() and (path / "README.md").exists():
        place += "/README.md"
    if place in BESIDE:
        return BESIDE[place]
    return place.removeprefix("docs/") if place.startswith("docs/") and (ROOT / place).is_file() else None
