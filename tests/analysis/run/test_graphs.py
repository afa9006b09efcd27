"""Ids of CUDA graphs, where single kernels of them were profiled: synthetic runs, whole steps and steps cut at attention."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import ncu_roofline as nr
from ncu_roofline.analysis.run.cuts.graphs import replays
from ncu_roofline.analysis.study import study
from ncu_roofline.capture.capture import Fact, Witness
from tests.analysis.run.test_cases import Kernels, head, kernel, layer, step, studied
from tests.generator import plans
from tests.generator.engines import ENGINES
from tests.generator.plans import decoding, graphs_for, plan
from tests.generator.runs import generated, run
from tests.generator.shapes import LLAMA
from tests.synthetic.frame import decode_run
from tests.synthetic.models import Plan
from tests.synthetic.report import write_report

EXECUTED, SOURCE = "m:launch__graph_exec_cuda_id", "m:launch__graph_src_cuda_id"


def graph(number: float | None, *kernels: dict[str, Any]) -> Kernels:
    """These launches as nodes of one graph, or of none."""
    return [one | {EXECUTED: None if number is None else 100 + number, SOURCE: number} for one in kernels]


def whole(rows: int, number: float) -> Kernels:
    """A step of four layers in one graph, its logits outside."""
    inner, outer = step(rows)[:-3], head(rows)
    return [*graph(number, *inner), *graph(None, *outer)]


def pieces(rows: int, first: int, depth: int = 4) -> Kernels:
    """The same, cut at attention: as many pieces as layers, and one."""
    made, piece = graph(first, kernel("vectorized_gather_kernel", rows)), first
    for _ in range(depth):
        for one in layer(rows):
            mixes = one["kernel"] == "some_attention_kernel"
            made += graph(None if mixes else piece, one)
            piece += mixes
    return [*made, *graph(None, *head(rows))]


def told(found: Any, fact: str) -> Iterator[tuple[str, float | None, float | None, str, bool | None]]:
    witnesses: tuple[Witness, ...] = getattr(found.run, fact).witnesses
    return ((w.says, w.low, w.high, w.rank, w.agrees) for w in witnesses if "CUDA graphs" in w.says)


def test_whole_steps_as_graphs_are_at_most_as_many_as_their_replays() -> None:
    found = studied(whole(8, 1), whole(8, 1), whole(16, 2))

    assert (found.run.steps.value, found.run.layers.value) == (3, 4)
    assert list(told(found, "steps")) == [("replays of CUDA graphs", None, 3, "bound", True)]
    assert list(told(found, "layers")) == []


def test_pieces_of_a_graph_tell_layers_and_say_nothing_of_steps() -> None:
    found = studied(pieces(8, 1), pieces(8, 1), pieces(16, 21))

    assert (found.run.steps.value, found.run.layers.value) == (3, 4)
    # five pieces a step, attention between them
    assert list(told(found, "layers")) == [("pieces of CUDA graphs", 4, 4, "weak", True)]
    assert list(told(found, "steps")) == []


def test_a_graph_of_one_layer_is_no_step() -> None:
    layers = [one for n in range(4) for one in graph(n + 1, *layer(8))]
    found = studied([*graph(None, kernel("vectorized_gather_kernel", 8)), *layers, *graph(None, *head(8))] * 2)

    # eight replays of two steps: a bound, and no more
    assert (found.run.steps.value, found.run.layers.value) == (2, 4)
    assert list(told(found, "steps")) == [("replays of CUDA graphs", None, 8, "bound", True)]


def test_replays_back_to_back_are_not_told_apart() -> None:
    found = studied(graph(1, *step(8), *step(8), *step(8)))

    assert found.run.steps.value == 3
    assert list(told(found, "steps")) == []


def test_a_step_beside_the_graphs_silences_their_number() -> None:
    found = studied(whole(8, 1), graph(None, *step(300)), whole(8, 1))

    assert found.run.steps.value == 3
    assert list(told(found, "steps")) == []


def test_without_steps_the_replays_still_bound_them() -> None:
    # one layer and a half of a graph: no step is whole
    found = studied(graph(1, *layer(8), *layer(8)[:5]))

    assert found.run.steps.value is None
    assert list(told(found, "steps")) == [("replays of CUDA graphs", None, 1, "bound", None)]


def test_no_id_and_an_id_of_zero_are_no_graph() -> None:
    bare = pl.DataFrame(
        {"index": [0, 1], "role": ["attention", "attention"], "step": [0, 0]}, schema_overrides={"step": pl.Int64}
    )

    assert replays(bare).is_empty()
    assert replays(bare.with_columns(pl.lit(0.0).alias(SOURCE))).is_empty()
    # the executable's id comes first, the source's where there is no other
    both = bare.with_columns(pl.Series(EXECUTED, [7.0, None]), pl.Series(SOURCE, [3.0, 3.0]))
    assert replays(both)["graph"].to_list() == [7.0, 3.0]


def test_a_report_keeps_the_ids_of_graphs(tmp_path: Path) -> None:
    made = Plan()
    frame = decode_run(made)
    ids = pl.Series(SOURCE, [float(n % 3 + 1) if n % 2 else None for n in range(frame.height)])
    path = write_report(tmp_path / "synthetic.ncu-rep", made, frame=frame.with_columns(ids))

    read = nr.read(path).launches
    assert read[SOURCE].to_list() == ids.to_list()
    pytest.importorskip("ncu_report", reason="NVIDIA's reader has no wheel here")
    assert nr.read(path, reader="vendor").launches[SOURCE].to_list() == ids.to_list()


def test_the_generator_gives_ids_to_some_runs_of_servers_and_changes_no_other_draw() -> None:
    kinds = {graphs_for(seed, "constant batch", plan(seed, "constant batch").engine) for seed in range(60)}
    assert kinds == {("", ""), ("whole", ""), ("whole", "all"), ("pieces", ""), ("pieces", "rows")}
    made = next(one for seed in range(60) if (one := run(seed, "constant batch")).plan.graphs == "pieces")
    counted = made.capture.launches.filter(pl.col(SOURCE).is_not_null())
    assert 0 < counted[SOURCE].n_unique() <= sum(one.shape.layers + 1 for one in made.plan.passes)
    assert not counted["kernel"].str.contains("(?i)attn|attention|fmha|kernel_mha").any()


def padded(window: str, filled: str) -> Fact[int]:
    """The batch of five sequences in graphs for eight rows."""
    passes = tuple(replace(one, filled=filled) for one in decoding(replace(LLAMA, layers=4), (1000,) * 5, 3))
    graphs = "whole" if filled == "all" else "pieces"
    made = plans.Plan(
        seed=1, kind="constant batch", engine=ENGINES["vllm"], passes=passes, window=window, counters="full", graphs=graphs
    )
    return study(generated(made).capture).run.batch


def test_rows_of_a_padded_graph_leave_the_batch_open_and_the_draw_outside_of_it_tells() -> None:
    assert padded("whole", "all").value == 5
    layers = padded("layers", "all")
    assert (layers.value, *layers.span) == (None, 5, 8)
    assert layers.evidence.endswith("grids of a CUDA graph, which may pad them")


def test_attention_outside_of_the_graphs_of_a_layers_pieces_counts_its_sequences() -> None:
    assert padded("torn", "rows").value == 5
