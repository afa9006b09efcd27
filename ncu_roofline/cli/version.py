"""What `--version` prints: the program, what it reads, what it writes."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

ABSENT = "not installed; the native reader serves"


def versions() -> str:
    """The program's version first, then readers and formats, one a line."""
    from ncu_roofline.present.forms.json import SCHEMA_VERSION as ANSWERS
    from ncu_roofline.readers.report.container import VERSION as REPORTS
    from ncu_roofline.readers.saved import SCHEMA_VERSION as SAVED

    lines = {
        "native reader": f".ncu-rep and .ncu-repz, format {REPORTS}",
        "NVIDIA's reader": f"ncu-report {installed('ncu-report') or ABSENT}",
        "saved captures": f"format {SAVED} (.parquet)",
        "JSON answers": f"schema {ANSWERS}",
        "Python": f"{platform.python_version()}, polars {installed('polars')}, altair {installed('altair')}",
    }
    width = max(map(len, lines))
    first = f"ncu-roofline {installed('ncu-roofline') or 'unknown'}"
    return "\n".join([first, *(f"  {name:<{width}}  {value}" for name, value in lines.items())])


def installed(package: str) -> str | None:
    """The version of a package; None where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
