"""The limits by which words are chosen, and matrices and devices recognised, from limits.toml."""

from __future__ import annotations

from dataclasses import dataclass

from ncu_roofline.knowledge.toml import read_once


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Documented in limits.toml, one by one."""

    latency_share: float
    memory_regime: float
    short_kernel_seconds: float
    suspect_share: float
    at_ceiling_share: float
    launch_cost_seconds: float
    locked_clock_ratio: float
    recognised_part: float
    largest_group: float
    latent_flops: float
    least_over_floor: float
    launch_bound: float
    slow_memory_clock: float
    main_cause: float
    surely_streaming: float
    fitted_rows: int
    least_fitted_part: float
    no_typical_change: float
    sparse_part_16_bit: float
    sparse_part_8_bit: float
    largest_misfit: float
    skip_matrix: float
    skip_outside: float
    skip_launch: float
    earlier_first: float
    unmeasured_product: float
    expert_doubt: float
    lone_expert_doubt: float
    most_patterns: int
    wrong_layer: float
    same_matrix: float
    least_intensity: float
    least_matrix_bytes: float
    fewest_matrices: int
    same_bandwidth: float
    same_memory: float
    halving_tolerance: float


THRESHOLDS = Thresholds(**read_once("limits.toml"))
