"""Mixed steps, which work on a piece of a prompt beside sequences that decode: what can be told apart, and what cannot.

Weights are read once for the rows of both, so no byte of them belongs to either. Attention can be told apart where an
engine launches one kernel for the rows that decode and another for the prompt.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from ncu_roofline.analysis.run.cuts.anchors import MIXERS
from ncu_roofline.analysis.run.cuts.ranges import ranges
from ncu_roofline.analysis.run.ranks import gpus
from ncu_roofline.analysis.run.rows import phase_kinds
from ncu_roofline.analysis.run.speculation import per_sequence
from ncu_roofline.capture.capture import Run

STEP = ("process", "device", "step")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixed:
    """The whole mixed steps of a capture, all GPUs added up; None where nothing tells."""

    steps: int
    """Of one GPU."""
    sequences: int | None
    """That decode, over these steps."""
    prompt_tokens: int | None
    tokens: float | None
    """That the sequences which decode yield."""
    dram_bytes: float | None
    decode_bytes: float | None
    """Of attention that runs for rows that decode alone, where that of prompts is a kernel of its own."""
    prompt_bytes: float | None
    """Of attention that runs for prompts alone."""

    @property
    def shared_bytes(self) -> float | None:
        """What serves both, or what nothing tells apart."""
        if self.dram_bytes is None:
            return None
        return self.dram_bytes - (self.decode_bytes or 0.0) - (self.prompt_bytes or 0.0)

    @property
    def low(self) -> float | None:
        """Bytes per token of decode, if the prompt had to read everything anyway: its own attention."""
        return self._per_token(self.decode_bytes)

    @property
    def high(self) -> float | None:
        """Bytes per token of decode, if it had to read everything anyway: all but the prompt's attention."""
        return None if self.dram_bytes is None else self._per_token(self.dram_bytes - (self.prompt_bytes or 0.0))

    def _per_token(self, moved: float | None) -> float | None:
        return None if moved is None or not self.tokens else moved / self.tokens


def mixed(launches: pl.DataFrame, run: Run) -> Mixed | None:
    """What the whole mixed steps move, and for whom; None where there are none."""
    phase = pl.col("phase").cast(pl.String)
    whole = launches.filter(phase == "mixed", pl.col("step_whole").fill_null(False), pl.col("step").is_not_null())
    if whole.is_empty():
        return None
    held = gpus(whole)
    steps, told = whole.select(STEP).unique(), counted(whole)
    sequences, prompts = (summed(told, name, steps.height, held) for name in ("nvtx_batch", "nvtx_prompt"))
    each = per_sequence(run)
    apart = [moved(of_phase(whole, name)) for name in ("decode", "prefill")]
    decode, prompt = apart if None not in apart else (None, None)
    return Mixed(
        steps=round(steps.height / held),
        sequences=sequences,
        prompt_tokens=prompts,
        tokens=None if sequences is None or each is None else sequences * each,
        dram_bytes=moved(whole),
        decode_bytes=decode,
        prompt_bytes=prompt,
    )


def counted(whole: pl.DataFrame) -> pl.DataFrame:
    """Per step the sequences that decode and the tokens of prompts, as its ranges agree."""
    at = whole.select("index", *STEP).join(ranges(whole), on="index")
    names = ("nvtx_batch", "nvtx_prompt")
    agreed = [pl.when(pl.col(n).drop_nulls().n_unique() == 1).then(pl.col(n).drop_nulls().first()) for n in names]
    return at.group_by(STEP).agg(one.alias(name) for one, name in zip(agreed, names, strict=True))


def summed(told: pl.DataFrame, name: str, steps: int, held: int) -> int | None:
    """The sum over the steps of one GPU; None where one of them does not tell."""
    known = told[name].drop_nulls()
    return round(known.sum() / held) if known.len() == steps else None


def of_phase(whole: pl.DataFrame, phase: str) -> pl.DataFrame:
    """Attention by kernels that run in this phase alone."""
    kinds = phase_kinds(whole).filter(pl.col("phase") == phase)["index"]
    return whole.filter(pl.col("role").cast(pl.String).is_in(MIXERS), pl.col("index").is_in(kinds.implode()))


def moved(launches: pl.DataFrame) -> float | None:
    """DRAM bytes of these launches; None where there are none, or one was not measured."""
    known = launches["dram_bytes"]
    return float(known.sum()) if launches.height and not known.null_count() else None
