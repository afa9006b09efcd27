"""What a synthetic run is made of: model shapes, GPUs, and the plan of the run."""

from __future__ import annotations

from dataclasses import dataclass, replace

WEIGHTS = ("bf16", "fp8", "sparse24", "int4")
COUNTERS = ("recipe", "full", "basic", "time")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A transformer as its config.json describes it; `experts` 0 is a dense model."""

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


# Published config.json of each model; TINY is nobody's.
LLAMA_8B = Shape(name="llama-3.1-8b", hidden=4096, heads=32, kv_heads=8, width=128, ffn=14336, vocabulary=128256, layers=32)
LLAMA_8B_MHA = replace(LLAMA_8B, name="llama-3.1-8b with MHA", kv_heads=32)
QWEN3_MOE = Shape(
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
)
TINY = Shape(name="tiny", hidden=256, heads=4, kv_heads=2, width=64, ffn=512, vocabulary=1024, layers=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticGpu:
    """A real product's attributes, and how fast the model of a run takes it to be."""

    name: str
    major: int
    minor: int
    chip: int
    sms: int
    sm_hertz: float
    memory_hertz: float
    bus_bits: int
    memory_bytes: int
    l2_bytes: int
    clock_share: float = 0.9
    """Measured SM clock over the highest one."""
    tensor_rate: int = 4096
    """Dense 16-bit tensor FLOPs per SM and clock."""

    @property
    def clock(self) -> float:
        """SM clock during the capture, Hz."""
        return self.sm_hertz * self.clock_share

    @property
    def bandwidth(self) -> float:
        """2 transfers per clock over the whole bus, byte/s."""
        return 2 * self.memory_hertz * self.bus_bits / 8

    @property
    def flops_per_second(self) -> float:
        """Dense 16-bit tensor peak at the clock of the capture."""
        return self.sms * self.tensor_rate * self.clock


# Attributes as in reports of these devices (docs/evidence/devices.md).
H100 = SyntheticGpu(
    name="NVIDIA H100 80GB HBM3",
    major=9,
    minor=0,
    chip=384,
    sms=132,
    sm_hertz=1.98e9,
    memory_hertz=2.619e9,
    bus_bits=5120,
    memory_bytes=85_029_158_912,
    l2_bytes=52_428_800,
)
H200 = replace(H100, name="NVIDIA H200", memory_hertz=3.201e9, bus_bits=6016, memory_bytes=150_754_820_096, l2_bytes=62_914_560)
RTX_5090 = SyntheticGpu(
    name="NVIDIA GeForce RTX 5090",
    major=12,
    minor=0,
    chip=434,
    sms=170,
    sm_hertz=2.407e9,
    memory_hertz=14.001e9,
    bus_bits=512,
    memory_bytes=34_190_917_632,
    l2_bytes=100_663_296,
    tensor_rate=512,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A decode run: what runs, what is changed in it, and what the profiler is asked for."""

    model: Shape = LLAMA_8B
    gpu: SyntheticGpu = H100
    batch: int = 8
    context: int = 2048
    layers: int | None = None
    """Layers that run; None means all of the model's."""
    steps: int = 1
    prefill: int = 0
    """Tokens per sequence of one prefill pass before the decode steps; 0 is none."""
    weights: str = "bf16"
    zeroed: bool = False
    """Half of all weights are zero: changes nothing that is measured, which is the point."""
    kv_bytes: int = 2
    skip: float = 0.0
    """Share of the layers whose MLP or experts are skipped."""
    skip_reads: bool = True
    """The skipped weights are read all the same."""
    tile: int | None = None
    """Rows of a GEMM tile; None chooses the smallest that holds the batch."""
    attention_rows: int = 64
    """Query rows of an attention tile."""
    cache: str = "none"
    """--cache-control of the capture."""
    nvtx: bool = False
    stray: int = 0
    """Launches of no role, strewn over the run."""
    noise: float = 0.0
    """Standard deviation of ln(seconds); a tenth of it for bytes."""
    seed: int = 0
    counters: str = "recipe"
    window: tuple[int, int] | None = None
    """First launch and number of launches, as --launch-skip and --launch-count."""

    def __post_init__(self) -> None:
        if self.weights not in WEIGHTS or self.counters not in COUNTERS:
            raise ValueError(f"weights: {WEIGHTS}, counters: {COUNTERS}")

    @property
    def depth(self) -> int:
        """Layers that run."""
        return self.model.layers if self.layers is None else self.layers
