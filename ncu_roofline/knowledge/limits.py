"""The limits by which words are chosen, and matrices, devices, roles and steps recognised, from limits.toml."""

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
    same_experts: float
    spare_readers: int
    large_reader: float
    explained_part: float
    stands_out: float
    reads_only: float
    alike_caches: float
    far: int
    many: int
    sampling_gap: int
    fewest_satellites: int
    rare_head: int
    fewest_layers: int
    wider_head: float
    turn: int
    steady: int
    near_switch: int
    fewest_of_switch: int
    least_overlap: int
    alike_period: float
    same_model_reads: float
    other_context: float
    most_of_it: float
    next_to_none: float
    worth_a_word: float


THRESHOLDS = Thresholds(**read_once("limits.toml"))
