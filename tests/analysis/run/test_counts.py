"""What counts steps and layers beside the order of launches: each sign by itself, and what becomes of the fact."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from ncu_roofline.analysis.run.counts import (
    ORDER,
    at_most,
    cache_writes,
    numbered_layers,
    numbered_steps,
    prompt_kernels,
    with_signs,
)
from ncu_roofline.capture.capture import Fact, Witness
from ncu_roofline.capture.schema import PHASES, ROLES, enum
from tests.analysis.run.test_cases import kernel, layer, step, studied


def frame(*roles: str, steps: list[int] | None = None, ranges: list[list[str]] | None = None) -> pl.DataFrame:
    """Launches of whole decode steps by their roles."""
    count = len(roles)
    return pl.DataFrame(
        {
            "index": range(count),
            "kernel": [f"{role}_kernel" for role in roles],
            "role": pl.Series(roles, dtype=enum(ROLES)),
            "phase": pl.Series(["decode"] * count, dtype=enum(PHASES)),
            "step": steps or [0] * count,
            "step_whole": [True] * count,
            "nvtx": pl.Series(ranges or [None] * count, dtype=pl.List(pl.String)),
        }
    )


STEP = ("embedding", "attention", "kv-cache", "attention", "kv-cache", "sampling", "sampling")


def test_steps_are_at_most_as_many_as_their_embeddings_and_draws() -> None:
    on = frame(*STEP, *STEP)
    assert [(w.low, w.high, w.rank) for role in ("embedding", "sampling") if (w := at_most(role, role, on))] == [
        (None, 2, "bound")
    ] * 2
    assert at_most("embedding", "embeddings", frame("attention")) is None


def test_steps_are_at_most_as_many_as_the_ranges_that_number_them() -> None:
    told = numbered_steps(frame(*["attention"] * 5, ranges=[["decode", f"step.{n}"] for n in (3, 3, 4, 4, 5)]))
    assert told == Witness(says="numbered step ranges", low=None, high=3, rank="bound")
    assert numbered_steps(frame("attention")) is None


def layered(*numbers: int | None) -> list[list[str]]:
    return [[] if n is None else ["step.0", f"layer.{n}", "attention"] for n in numbers]


@pytest.mark.parametrize(
    ("ranges", "told"),
    [
        (layered(0, 1, 2, 0, 1, 2), 3),
        (layered(0, 1, 2, 0, 1, None), None),  # attention outside of every range: they do not number all layers
        (layered(0, 1, 2, 0, 1, 1), None),  # steps that differ
        ([[f"model.layers.{n}.self_attn"] for n in (0, 1, 2, 0, 1, 2)], 3),
        ([[f"player{n}"] for n in range(6)], None),
    ],
)
def test_layers_are_as_many_as_ranges_number_in_every_step(ranges: list[list[str]], told: int | None) -> None:
    found = numbered_layers(frame(*["attention"] * 6, steps=[0, 0, 0, 1, 1, 1], ranges=ranges))
    assert (None if found is None else (found.low, found.high, found.rank)) == (None if told is None else (told, told, "nvtx"))


def test_cache_writes_are_a_weak_sign_of_layers_where_all_steps_have_as_many() -> None:
    found = cache_writes(frame(*STEP, *STEP, steps=[0] * 7 + [1] * 7))
    assert found == Witness(says="cache writes", low=2, high=2, rank="weak")
    assert cache_writes(frame("kv-cache", "kv-cache", "kv-cache", steps=[0, 0, 1])) is None


def test_passes_of_kernels_of_prefill_are_the_least_that_prompts_can_be() -> None:
    table = pl.DataFrame({"only_prefill": [True, True, False, None], "mixers": [4, 0, 4, 4]})
    assert prompt_kernels(table) == Witness(says="kernels or ranges of prefill", low=1, high=None)
    assert prompt_kernels(table.tail(2)) is None


def says(low: float | None, high: float | None, rank: str) -> Any:
    return (lambda _: Witness(says="sign", low=low, high=high, rank=rank),)


def test_a_fact_keeps_its_sentence_and_names_who_speaks_for_and_against_it() -> None:
    order, on = Fact(4, "inferred", "4 attention kernels"), frame("attention")
    found = with_signs(order, on, says(8, 8, "weak"))
    assert (found.value, found.evidence) == (4, "4 attention kernels")
    assert [(w.says, w.agrees) for w in found.witnesses] == [(ORDER, True), ("sign", False)]
    assert with_signs(order, on, says(3, 3, "nvtx")).value == 3
    unknown = with_signs(order, on, says(None, 3, "nvtx"))
    assert (unknown.value, unknown.evidence) == (None, f"{ORDER} say 4; sign say at most 3")
    assert with_signs(Fact(), on, ()) == Fact()


def test_numbered_ranges_part_steps_that_nothing_else_does() -> None:
    # nothing looks tokens up or draws them: only the ranges tell where a step ends
    def ranged(number: int) -> list[dict[str, Any]]:
        return [one | {"nvtx": ["decode", f"step.{number}"]} for one in [*layer(8), *layer(8)]]

    found = studied(ranged(0), ranged(1), ranged(2), ranged(3))
    # the last may go on behind the window
    assert (found.run.steps.value, found.run.layers.value) == (3, 2)


def test_what_follows_the_draw_inside_a_numbered_step_is_its_own() -> None:
    def ranged(number: int) -> list[dict[str, Any]]:
        return [one | {"nvtx": ["decode", f"step.{number}"]} for one in [*step(8), kernel("copy_of_tokens", 1)]]

    found = studied(ranged(0), ranged(1))
    sizes = found.every.group_by("step", maintain_order=True).len()["len"].to_list()
    # embedding, 4 layers of 9, norm, LM head, sampling and the copy: 41
    assert (found.run.steps.value, sizes) == (2, [41, 41])
