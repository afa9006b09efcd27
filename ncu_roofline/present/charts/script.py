"""The Vega libraries as one script, so that a page needs no network."""

from __future__ import annotations

import subprocess
import sys
from functools import lru_cache

BUNDLE = "import sys, vl_convert; sys.stdout.buffer.write(vl_convert.javascript_bundle(None).encode())"


@lru_cache(maxsize=1)
def begin() -> subprocess.Popen[bytes]:
    """Bundles them in a process of its own: it takes over a second, in which a capture can be read."""
    return subprocess.Popen([sys.executable, "-I", "-c", BUNDLE], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


@lru_cache(maxsize=1)
def library() -> str:
    """The script, from the installed package; made here where no other process can."""
    made, _ = begin().communicate()
    return (made.decode() or bundled()).replace("</script", "<\\/script")


def bundled() -> str:
    """The script, in this process."""
    import vl_convert

    bundle: str = vl_convert.javascript_bundle(None)  # type: ignore[arg-type]  # its stub forgets the default
    return bundle
