"""Bytes by role, per token where tokens are known, each beside the least that the model needs."""

import polars as pl
import pytest

from ncu_roofline.analysis.run.role_bytes import along, floors, role_bytes
from ncu_roofline.capture.capture import Run
from ncu_roofline.capture.schema import FAMILIES, ROLES, enum
from ncu_roofline.knowledge.models.model import Weight
from tests.kernels import full, launch, launches
from tests.small_model import small
from tests.stating import stating

WEIGHT = Weight(name="w", n=10, k=100, role="fc", kind="full", layers=(0,))
MODEL = small(weights=(WEIGHT,))
"""One matrix of 10 x 100 numbers of 2 bytes: 2000 bytes a step."""


def decode(**bytes_of: float | None) -> pl.DataFrame:
    """Two steps, each with one launch of every role."""
    rows = [launch(role) for _ in range(2) for role in bytes_of]
    roles = [role.replace("_", "-") for role in bytes_of]
    return full(launches(*rows)).with_columns(
        role=pl.Series(roles * 2, dtype=enum(ROLES)),
        family=pl.Series([r if r in FAMILIES else None for r in roles] * 2, dtype=enum(FAMILIES)),
        dram_bytes=pl.Series([*bytes_of.values()] * 2, dtype=pl.Float64),
        phase=pl.lit("decode"),
        step=pl.int_range(pl.len()) // len(roles),
        step_whole=pl.lit(True),
    )


BYTES = {"fc": 4000.0, "attention": 3000.0, "copy": 3000.0, "norm": 0.0, "rope": None}
STATED = stating(steps=2, batch=4, tokens=8)


def test_roles_stand_by_their_bytes_per_token_and_those_without_are_left_out() -> None:
    found = role_bytes(decode(**BYTES), STATED)
    assert found.basis == "token"
    # 2 steps x 4000 bytes over 8 tokens; equals by name
    assert found.rows.select("role", "family", "bytes", "share", "floor").rows() == [
        ("fc", "fc", 1000.0, 0.4, None),
        ("attention", "attention", 750.0, 0.3, None),
        ("copy", "other", 750.0, 0.3, None),
    ]


def test_fractions_of_a_byte_count() -> None:
    assert role_bytes(decode(fc=4.0), STATED).rows["bytes"].to_list() == [1.0]
    assert role_bytes(decode(fc=2.0), STATED).rows["bytes"].to_list() == [0.5]


def test_where_only_steps_are_known_bytes_are_per_step() -> None:
    found = role_bytes(decode(**BYTES), stating(steps=2))
    assert (found.basis, found.rows["bytes"].to_list()) == ("step", [4000.0, 3000.0, 3000.0])


def test_where_nothing_is_known_bytes_are_of_the_capture() -> None:
    found = role_bytes(decode(**BYTES).with_columns(step=pl.lit(None, pl.Int64), step_whole=pl.lit(False)), Run())
    assert (found.basis, found.rows["bytes"].to_list()) == ("capture", [8000.0, 6000.0, 6000.0])


@pytest.mark.parametrize(
    ("stated", "basis", "expected"),
    [
        ({}, "token", 2000 / 4),
        ({"accepted": 2}, "token", 2000 / (4 * 2)),
        ({"tp": 2}, "token", 2000 / (4 * 2)),
        ({"tp": 2, "accepted": 2}, "token", 2000 / (4 * 2 * 2)),
        ({"tp": 2, "accepted": 2}, "step", 2000 / 2),
    ],
)
def test_the_floor_is_divided_by_tokens_of_a_step_and_by_gpus(stated: dict[str, int], basis: str, expected: float) -> None:
    found = floors(decode(fc=4000.0), stating(STATED, **stated), MODEL, basis)
    assert dict(found.rows())["fc"] == pytest.approx(expected)


def test_without_a_batch_the_floor_is_unknown() -> None:
    assert dict(floors(decode(fc=4000.0), stating(steps=2), MODEL, "token").rows())["fc"] is None


def test_there_is_no_floor_without_a_model_or_without_steps() -> None:
    assert floors(decode(fc=4000.0), STATED, None, "token").is_empty()
    assert floors(decode(fc=4000.0), STATED, MODEL, "capture").is_empty()


def test_each_role_stands_beside_its_floor() -> None:
    found = role_bytes(decode(**BYTES), STATED, MODEL)
    assert dict(found.rows.select("role", "floor").rows()) == {"fc": 500.0, "attention": None, "copy": None}


def test_bytes_along_the_steps_are_per_token_of_their_own_step() -> None:
    found = along(decode(fc=4000.0, attention=3000.0), STATED)
    # 8 tokens in 2 steps: 4 tokens a step, 4000 / 4 and 3000 / 4 bytes in each
    assert (found.places, found.basis) == ("step", "token")
    assert found.rows.select("place", "role", "bytes").rows() == [
        (0, "fc", 1000.0),
        (0, "attention", 750.0),
        (1, "fc", 1000.0),
        (1, "attention", 750.0),
    ]
