"""How many GPUs a capture holds: ranks that run side by side, not runs one after the other."""

from __future__ import annotations

import polars as pl


def gpus(frame: pl.DataFrame) -> int:
    """Devices in the capture; processes, where several take turns on what each calls the same device."""
    if frame.is_empty():
        return 1
    devices, processes = frame["device"].n_unique(), frame["process"].n_unique()
    if processes <= devices:
        return devices
    order = frame.sort("index")["process"].fill_null(-1)
    turns = 1 + int((order != order.shift(1)).sum())
    return processes if turns > processes else devices
