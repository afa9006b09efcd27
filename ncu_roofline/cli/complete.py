"""Values that a shell completes: known GPUs, models, columns and facts."""

from __future__ import annotations


def begun(names: list[str], incomplete: str) -> list[str]:
    """The names that begin so, whatever their case."""
    return [name for name in names if name.lower().startswith(incomplete.lower())]


def gpus(incomplete: str) -> list[str]:
    """Names as `--gpu` takes them."""
    from ncu_roofline.knowledge.devices.gpus import table

    return begun([gpu.name.lower().replace(" ", "-") for gpu in table()], incomplete)


def models(incomplete: str) -> list[str]:
    """Models that the project knows by name."""
    from ncu_roofline.knowledge.models.models import shipped

    return begun(list(shipped()), incomplete)


def columns(incomplete: str) -> list[str]:
    """Columns that `--sort` takes, and their short names."""
    from ncu_roofline.analysis.roofline.groups import FIRST
    from ncu_roofline.analysis.roofline.listing import SHORT

    return begun([*SHORT, *FIRST], incomplete)


def varied(incomplete: str) -> list[str]:
    """What `--vary` may name."""
    from ncu_roofline.knowledge.verdicts import VARY

    return begun(list(VARY), incomplete)
