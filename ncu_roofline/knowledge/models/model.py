"""A language model as decode sees it: its weights by name and shape, what it caches, what a step reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

MIXER_OUTPUTS = ("o_proj", "out_proj", "dense")
"""The projection that follows attention or convolution, in every published naming."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """One tensor of a layer, [n, k], with all layers that hold one like it."""

    name: str
    n: int
    k: int = 1
    role: str = "vector"
    """fc, router, embedding, conv or vector (norms, biases and other small tensors)."""
    kind: str = ""
    """Layer kind that holds it; empty outside the layers."""
    layers: tuple[int, ...] = ()
    copies: int = 1
    """Experts per layer; 1 for everything else."""
    read: str = "whole"
    """What a step reads: whole, experts (the distinct ones), rows (one per sequence)."""
    fused: str = ""
    """Name of the matrix into which servers fuse it with its neighbours; empty if none."""
    counted: bool = True
    """False for a tied LM head: it is read, but it is the embedding."""

    @property
    def elements(self) -> int:
        """Parameters in all layers and experts."""
        return self.n * self.k * self.copies * max(1, len(self.layers))

    @property
    def matrix(self) -> bool:
        """Whether a decode step multiplies by it as a weight matrix."""
        return self.role in ("fc", "router")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """What one layer keeps per sequence: elements per token, up to a window, and a constant state."""

    kind: str
    elements: int = 0
    window: int | None = None
    state: int = 0
    """Elements of a recurrent or convolution state, whatever the context."""
    flops: int = 0
    """Useful attention FLOPs per query and cached token."""
    split: int = 1
    """Heads over which tensor parallelism can divide it; 1 where every GPU keeps all."""
    owned: bool = True
    """False where the layer reads another layer's cache."""

    def tokens(self, context: int) -> int:
        """Cached tokens that a step reads."""
        return context if self.window is None else min(context, self.window)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model from its published config.json."""

    name: str
    architecture: str
    heads: int
    longest_context: int | None
    experts: int
    experts_per_token: int
    layer_kinds: tuple[str, ...]
    weights: tuple[Weight, ...]
    caches: tuple[Cache, ...]
    """One per layer."""
    native: str
    """Data type of the published weights; `stored` names those that have another."""
    stored: tuple[tuple[str, str], ...] = ()
    """Role or name prefix of weights -> their own data type."""

    @property
    def layers(self) -> int:
        """Decoder layers."""
        return len(self.layer_kinds)

    @property
    def parameters(self) -> int:
        """All parameters; a tied LM head counts once."""
        return sum(w.elements for w in self.weights if w.counted)

    @property
    def active_parameters(self) -> int:
        """Parameters that one token uses; embedding and LM head included."""
        return sum(self._active(w) for w in self.weights if w.counted)

    @property
    def matmul_parameters(self) -> int:
        """Parameters of weight matrices that one token multiplies by, LM head included: FLOPs are twice that."""
        return sum(self._active(w) for w in self.weights if w.matrix)

    def _active(self, weight: Weight) -> int:
        if weight.read != "experts":
            return weight.elements
        return weight.elements * self.experts_per_token // self.experts

    def expected_experts(self, batch: float) -> float:
        """Distinct experts of a layer that a batch is expected to hit: E (1 - (1 - k/E)^B), if routing is even."""
        if not self.experts:
            return 0.0
        missed: float = (1 - self.experts_per_token / self.experts) ** batch
        return self.experts * (1 - missed)

    def reads(self, batch: float, experts: float | None = None) -> Iterator[tuple[Weight, float]]:
        """Every tensor with the elements of it that one step of this batch reads; of experts those counted, else expected."""
        hit = self.expected_experts(batch) if experts is None else experts
        share = hit / self.experts if self.experts else 1.0
        for weight in self.weights:
            if weight.read == "rows":
                yield weight, batch * weight.k
            else:
                yield weight, weight.elements * (share if weight.read == "experts" else 1.0)

    def kv_bytes(self, context: int, width: float, *, held: bool = False, tp: int = 1) -> float:
        """Bytes of one sequence's cache on one of `tp` GPUs: what a step reads, or what memory must hold.

        Key/value heads are divided among GPUs as far as they go; a latent (MLA) or a state is repeated.
        """
        return sum(
            (c.elements * c.tokens(context) * width + c.state * STATE_WIDTH) / min(tp, c.split)
            for c in self.caches
            if c.owned or not held
        )

    def attention_flops(self, context: int) -> int:
        """Useful FLOPs of attention for one new token of one sequence."""
        return sum(c.flops * c.tokens(context) for c in self.caches)


STATE_WIDTH = 2.0
"""Bytes per element of a recurrent state: kept in 16 bits as activations are, whatever the KV type."""
