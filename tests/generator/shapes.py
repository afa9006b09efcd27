"""Shapes of models, small in depth so that runs stay small; the matrices are those of published models."""

from __future__ import annotations

from dataclasses import dataclass, replace

WEIGHT_BYTES = {"bf16": 2.0, "fp8": 1.0, "int4": 0.5625}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A transformer as its config.json has it; `experts` 0 is dense, `latent` 0 is not MLA."""

    name: str
    hidden: int
    heads: int
    kv_heads: int
    width: int
    ffn: int
    vocabulary: int
    layers: int
    experts: int = 0
    per_token: int = 0
    latent: int = 0
    """Values per cached token of MLA, rotary part included."""
    qk_norm: bool = False
    weights: str = "bf16"
    kv_bytes: int = 2

    def matrix(self, n: int, k: int) -> float:
        """Bytes of a matrix of the layers."""
        return n * k * WEIGHT_BYTES[self.weights]

    def over(self, ranks: int) -> Shape:
        """What one of several tensor-parallel ranks holds."""
        return replace(
            self,
            heads=self.heads // ranks,
            kv_heads=max(1, self.kv_heads // ranks),
            ffn=self.ffn // ranks,
            vocabulary=self.vocabulary // ranks,
        )

    @property
    def cached(self) -> float:
        """Bytes of the cache per token and layer."""
        return float(self.latent or 2 * self.kv_heads * self.width) * self.kv_bytes


LLAMA = Shape(name="llama-3.1-8b", hidden=4096, heads=32, kv_heads=8, width=128, ffn=14336, vocabulary=128256, layers=32)
LLAMA_2 = Shape(name="llama-2-7b", hidden=4096, heads=32, kv_heads=32, width=128, ffn=11008, vocabulary=32000, layers=32)
QWEN_2 = Shape(name="qwen2.5-7b", hidden=3584, heads=28, kv_heads=4, width=128, ffn=18944, vocabulary=152064, layers=28)
SMALL = Shape(name="llama-3.2-1b", hidden=2048, heads=32, kv_heads=8, width=64, ffn=8192, vocabulary=128256, layers=16)
QWEN_MOE = Shape(
    name="qwen3-30b-a3b",
    hidden=2048,
    heads=32,
    kv_heads=4,
    width=128,
    ffn=768,
    vocabulary=151936,
    layers=48,
    experts=128,
    per_token=8,
    qk_norm=True,
)
MIXTRAL = replace(LLAMA, name="mixtral-8x7b", vocabulary=32000, experts=8, per_token=2)
DEEPSEEK = Shape(
    name="deepseek-v2-lite",
    hidden=2048,
    heads=16,
    kv_heads=16,
    width=128,
    ffn=1408,
    vocabulary=102400,
    layers=27,
    experts=64,
    per_token=6,
    latent=576,
)
DENSE = (LLAMA, LLAMA_2, QWEN_2, SMALL)
EVERY = (*DENSE, QWEN_MOE, MIXTRAL, DEEPSEEK)
