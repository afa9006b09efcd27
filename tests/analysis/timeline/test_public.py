"""Steps of the public traces, as far as their authors tell them; nothing is a step that is none."""

import pytest

from ncu_roofline.analysis.timeline.gaps import gaps
from ncu_roofline.analysis.timeline.steps import Stepped, stepped
from ncu_roofline.errors import UnreadableCapture
from ncu_roofline.readers.timeline.timeline import read
from tools.traces import TRACES, decode_steps, manifest

needs_traces = pytest.mark.skipif(not TRACES.is_dir(), reason="the public traces (../shared/corpus/traces) are not here")


def steps_of(file: str) -> Stepped | None:
    """What a trace says; None where it is refused."""
    try:
        return stepped(read(TRACES / file))
    except UnreadableCapture:
        return None


@pytest.mark.slow  # every public trace beside the repository
@needs_traces
def test_steps_are_those_of_the_manifest_and_none_where_it_has_none() -> None:
    found = {row["file"]: (told.steps.value, decode_steps(row)) for row in manifest() if (told := steps_of(row["file"]))}

    assert len(found) == 23
    assert all(ours == theirs for ours, theirs in found.values()), found
    assert sorted(theirs for _, theirs in found.values() if theirs) == [10, 65]


@needs_traces
def test_a_small_model_launched_one_by_one_is_launch_bound_and_graphs_are_not() -> None:
    # its manifest: busy far below the span; the other runs 650 graphs
    small, graphs = (
        gaps(stepped(read(TRACES / name)))
        for name in ("tracelens_h100_bert-small.json.gz", "nvllm_gb10_vllm_qwen3.5-27b-nvfp4_decode_b4.json.gz")
    )

    assert small.launch_bound and small.waits == pytest.approx(1.0, abs=0.01)
    assert not graphs.launch_bound
