"""A sign of life on standard error for anything that takes over a second, on a terminal only."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ncu_roofline.cli.notes import quiet

PATIENCE = 1.0
WIDTH = 20


@contextmanager
def progress(what: str) -> Iterator[None]:
    """Draws a moving bar after a second, and removes it when the work is done."""
    if quiet.get() or not sys.stderr.isatty():
        yield
        return
    from ncu_roofline.present.forms.text import clean, shorten

    done = threading.Event()
    drawer = threading.Thread(target=draw, args=(shorten(clean(what), 50), done), daemon=True)
    drawer.start()
    try:
        yield
    finally:
        done.set()
        drawer.join()


def draw(what: str, done: threading.Event) -> None:
    """The bar itself: a block that wanders, because the length of the work is not known."""
    beat = 0
    while not done.wait(PATIENCE if beat == 0 else 0.1):
        place = beat % WIDTH
        sys.stderr.write(f"\r[{' ' * place}={' ' * (WIDTH - place - 1)}] {what}")
        sys.stderr.flush()
        beat += 1
    if beat:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()
