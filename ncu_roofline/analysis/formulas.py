"""The formulas of decode, each alone: what the roofline argument says before anything is measured.

Symbols: batch B, context S, layers L, model width d, query heads H, key/value heads, bytes per element s.
"""

from __future__ import annotations


def ridge(flops_per_second: float, bytes_per_second: float) -> float:
    """FLOP/byte at which both ceilings meet."""
    return flops_per_second / bytes_per_second


def weight_bytes(parameters: float, width: float) -> float:
    """Bytes of weights that a step reads: P s."""
    return parameters * width


def step_seconds(bytes_moved: float, bytes_per_second: float) -> float:
    """Time of a memory-bound step: bytes / bandwidth."""
    return bytes_moved / bytes_per_second


def compute_seconds(parameters: float, batch: float, flops_per_second: float) -> float:
    """Time of a step's arithmetic: 2 P B / peak."""
    return 2 * parameters * batch / flops_per_second


def classic_parameters(layers: int, hidden: int) -> int:
    """FC parameters of the classic transformer: 12 L d^2 (4 d^2 attention, 8 d^2 feed-forward)."""
    return 12 * layers * hidden**2


def fc_intensity(batch: float, width: float) -> float:
    """FLOP/byte of FC kernels while weights dominate: 2 B / s."""
    return 2 * batch / width


def exact_fc_intensity(batch: float, shape: tuple[int, int], width: float, activation: float = 2.0) -> float:
    """FLOP/byte of one matrix [N, K] with its activations: 2 B N K / (s N K + s_a B (N + K))."""
    n, k = shape
    return 2 * batch * n * k / (width * n * k + activation * batch * (n + k))


def attention_flops(layers: int, context: float, hidden: int) -> float:
    """Useful FLOPs of attention per sequence and step: 4 L S d."""
    return 4 * layers * context * hidden


def attention_bytes(layers: int, context: float, hidden: int, width: float, group: float = 1.0) -> float:
    """Bytes of keys and values per sequence and step: 2 L S d s x (H_kv / H); group is H / H_kv."""
    return 2 * layers * context * hidden * width / group


def attention_intensity(width: float, group: float = 1.0) -> float:
    """FLOP/byte of decode attention, whatever batch and context: 2 g / s; group is H / H_kv."""
    return 2 * group / width


def crossover_batch(ridge_point: float, width: float) -> float:
    """Batch at which FC kernels reach the ridge: ridge x s / 2."""
    return ridge_point * width / 2


def kv_batch_limit(memory: float, weights: float, kv_per_sequence: float) -> float:
    """Sequences whose cache fits beside the weights: (memory - weights) / KV bytes per sequence."""
    return max(0.0, memory - weights) / kv_per_sequence


def expected_experts(experts: int, per_token: int, batch: float) -> float:
    """Distinct experts that a batch is expected to hit if routing is even: E (1 - (1 - k/E)^B)."""
    missed: float = (1 - per_token / experts) ** batch
    return experts * (1 - missed)
