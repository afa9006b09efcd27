"""Which GPUs a capture holds and how many share the model: ranks that run side by side, not runs one after the other."""

from __future__ import annotations

import polars as pl

from ncu_roofline.capture.capture import UNKNOWN, Fact
from ncu_roofline.knowledge.kernels.rows import rank_rules


def gpus(frame: pl.DataFrame) -> int:
    """Devices in the capture; processes, where several call theirs the same and exchange or take turns."""
    if frame.is_empty():
        return 1
    devices, processes = frame["device"].n_unique(), frame["process"].n_unique()
    if processes <= devices:
        return devices
    order = frame.sort("index")["process"].fill_null(-1)
    turns = 1 + int((order != order.shift(1)).sum())
    return processes if turns > processes or exchanging(frame) else devices


def exchanging(frame: pl.DataFrame) -> bool:
    """Whether every process runs collectives: then they are ranks of one run."""
    talk = frame.group_by("process").agg(any=(pl.col("role").cast(pl.String) == "comm").fill_null(False).any())
    return bool(talk["any"].all())


def sharing(launches: pl.DataFrame) -> Fact[int]:
    """GPUs that share the model where the user says nothing: by the collectives' names, else those of the capture."""
    told = {int(n) for rule in rank_rules() for n in launches["name"].unique().str.extract(str(rule.name), 1).drop_nulls()}
    if len(told) == 1:
        return Fact(told.pop(), "inferred", "the collectives' names tell how many take part")
    if told:
        return Fact(None, "unknown", f"collectives of {' and '.join(map(str, sorted(told)))} GPUs")
    held = gpus(launches)
    if held > 1:
        return Fact(held, "inferred", f"{held} GPUs of the capture, taken to share one model")
    if (launches["role"].cast(pl.String) == "comm").any():
        return Fact(None, "unknown", "one rank of several: it runs collectives, and nothing tells of how many")
    return UNKNOWN
