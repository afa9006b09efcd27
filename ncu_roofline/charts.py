"""Charts for notebooks: a capture or study in, an ordinary Altair chart in our colours out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ncu_roofline import api

if TYPE_CHECKING:
    import altair as alt

    from ncu_roofline.analysis.compare.compare import Comparison
    from ncu_roofline.analysis.sweep.sweep import Sweep


def roofline(
    capture: api.Captured,
    *,
    by: str = "kernel",
    levels: tuple[str, ...] = ("dram",),
    theory: bool = False,
    gpu: str | None = None,
) -> alt.LayerChart:
    """The roofline of a capture, one mark per kernel group, launch, role or layer.

    >>> import ncu_roofline as nr
    >>> chart = nr.charts.roofline("fixtures/synthetic/demo.ncu-rep")
    >>> type(chart).__name__
    'LayerChart'
    """
    from ncu_roofline.analysis.roofline.picture import picture
    from ncu_roofline.present.charts.roofline import draw

    return _dressed(draw(picture(api.study(capture, gpu=gpu), by, levels=levels), theory=theory))


def bytes_by_role(capture: api.Captured, *, gpu: str | None = None) -> alt.LayerChart:
    """The DRAM bytes of every role, per token where tokens are known, with the model's floor where it is known.

    >>> import ncu_roofline as nr
    >>> chart = nr.charts.bytes_by_role("fixtures/synthetic/demo.ncu-rep")
    >>> type(chart).__name__
    'LayerChart'
    """
    from ncu_roofline.analysis.run.role_bytes import role_bytes
    from ncu_roofline.present.charts.bytes import draw

    study = api.study(capture, gpu=gpu)
    return _dressed(draw(role_bytes(study.launches, study.run, study.model)))


def bytes_along(capture: api.Captured, *, gpu: str | None = None) -> alt.LayerChart:
    """The DRAM bytes of every step, or of every layer of a single step, by role.

    >>> import ncu_roofline as nr
    >>> chart = nr.charts.bytes_along("fixtures/synthetic/demo.ncu-rep")
    >>> type(chart).__name__
    'LayerChart'
    """
    from ncu_roofline.analysis.run.role_bytes import along
    from ncu_roofline.present.charts.bytes import along as draw

    study = api.study(capture, gpu=gpu)
    return _dressed(draw(along(study.launches, study.run)))


def waterfall(comparison: Comparison) -> alt.LayerChart:
    """Bytes of the base, role by role, to bytes of the head.

    >>> import ncu_roofline as nr
    >>> folder = "fixtures/synthetic"
    >>> chart = nr.charts.waterfall(nr.compare(f"{folder}/dense-b8.ncu-repz", f"{folder}/kv8-b8.ncu-repz", vary=["kv"]))
    >>> type(chart).__name__
    'LayerChart'
    """
    from ncu_roofline.present.charts.compare import waterfall as draw

    return _dressed(draw(comparison))


def moves(comparison: Comparison) -> alt.LayerChart:
    """Kernels from their place in the base to their place in the head, under the roofs.

    >>> import ncu_roofline as nr
    >>> folder = "fixtures/synthetic"
    >>> chart = nr.charts.moves(nr.compare(f"{folder}/dense-b8.ncu-repz", f"{folder}/kv8-b8.ncu-repz", vary=["kv"]))
    >>> type(chart).__name__
    'LayerChart'
    """
    from ncu_roofline.present.charts.moves import draw

    return _dressed(draw(comparison))


def over_batch(sweep: Sweep) -> alt.LayerChart:
    """FC and attention over the batch: FC climbs, attention stays, theory through the points.

    >>> import ncu_roofline as nr
    >>> chart = nr.charts.over_batch(nr.sweep([f"fixtures/synthetic/dense-b{batch}.ncu-repz" for batch in (1, 8)]))
    >>> type(chart).__name__
    'LayerChart'
    """
    from ncu_roofline.present.charts.laws import draw

    return _dressed(draw(sweep))


def trajectories(sweep: Sweep) -> alt.LayerChart:
    """FC and attention along a sweep, against their ridge.

    >>> import ncu_roofline as nr
    >>> chart = nr.charts.trajectories(nr.sweep([f"fixtures/synthetic/dense-b{batch}.ncu-repz" for batch in (1, 8)]))
    >>> type(chart).__name__
    'LayerChart'
    """
    from ncu_roofline.present.charts.sweep import draw

    return _dressed(draw(sweep))


THEME = "ncu_roofline"


def _dressed(chart: alt.LayerChart) -> alt.LayerChart:
    """The chart as it is, and our theme on unless another one was chosen: charts stay ordinary, so that `a | b` works."""
    import altair as alt

    from ncu_roofline.present.charts.theme import theme

    if THEME not in alt.theme.names():
        alt.theme.register(THEME, enable=False)(lambda: theme("light"))
    if alt.theme.active == "default":
        alt.theme.enable(THEME)
    return chart
