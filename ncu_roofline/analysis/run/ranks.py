"""Which GPUs a capture holds and how many share the model: ranks that run side by side, not runs one after the other."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from ncu_roofline.analysis.run.witnesses import marked
from ncu_roofline.capture.capture import UNKNOWN, Fact, Witness
from ncu_roofline.knowledge.kernels.rows import NamedRule, rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranks:
    """What the GPUs of a capture move, each by itself, over the launches that count."""

    number: int
    low: float
    mean: float
    high: float

    @property
    def imbalance(self) -> float:
        """How far the busiest is above the mean, as a share: the others wait for it."""
        return self.high / self.mean - 1


def ranks(frame: pl.DataFrame) -> Ranks | None:
    """The bytes of every GPU; None of a single one, and where a launch was not measured."""
    number = gpus(frame)
    if number == 1 or frame["dram_bytes"].null_count():
        return None
    key = "device" if frame["device"].n_unique() == number else "process"
    each = frame.group_by(key).agg(pl.col("dram_bytes").sum())["dram_bytes"]
    low, mean, high = (float(value) for value in (each.min(), each.mean(), each.max()))  # type: ignore[arg-type]
    return Ranks(number=number, low=low, mean=mean, high=high) if mean > 0 else None


def gpus(frame: pl.DataFrame) -> int:
    """Devices in the capture; processes, where several call theirs the same and exchange or take turns."""
    if frame.is_empty():
        return 1
    devices, processes = frame["device"].n_unique(), frame["process"].n_unique()
    if processes <= devices:
        return devices
    order = frame.select(pl.col("process").sort_by("index").fill_null(-1))["process"]
    turns = 1 + int((order != order.shift(1)).sum())
    return processes if turns > processes or exchanging(frame) else devices


def exchanging(frame: pl.DataFrame) -> bool:
    """Whether every process runs collectives: then they are ranks of one run."""
    talk = frame.group_by("process").agg(any=(pl.col("role").cast(pl.String) == "comm").fill_null(False).any())
    return bool(talk["any"].all())


def sharing(launches: pl.DataFrame) -> Fact[int]:
    """GPUs that share the model where the user says nothing: by the collectives' names, else those of the capture."""
    names, by_name = launches["name"].unique(), rules(NamedRule, "ranks")
    told = {int(n) for rule in by_name for n in names.str.extract(str(rule.name), 1).drop_nulls()}
    held = gpus(launches)
    spoke = [Witness(says="names of collectives", low=n, high=n) for n in sorted(told)]
    if held > 1:
        spoke.append(Witness(says="GPUs of the capture", low=held, high=None, rank="bound"))
    if len(told) == 1:
        number = told.pop()
        return Fact(number, "inferred", "the collectives' names tell how many take part", witnesses=marked(spoke, number))
    if told:
        named = " and ".join(map(str, sorted(told)))
        return Fact(None, "unknown", f"collectives of {named} GPUs", witnesses=tuple(spoke))
    if held > 1:
        how = f"{held} GPUs of the capture, taken to share one model"
        return Fact(held, "inferred", how, witnesses=marked(spoke, held))
    if (launches["role"].cast(pl.String) == "comm").any():
        return Fact(None, "unknown", "one rank of several: it runs collectives, and nothing tells of how many")
    return UNKNOWN
