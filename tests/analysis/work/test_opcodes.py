"""FLOPs of one counted instruction follow from the shape in its mnemonic: 2 M N K."""

import pytest

from ncu_roofline.analysis.work.opcodes import matrix_flops, scalar_flops


@pytest.mark.parametrize(
    ("opcode", "path", "flops"),
    [
        ("HMMA.16816.F32", "fp16", 2 * 16 * 8 * 16),
        ("HMMA.16816.F32.BF16", "bf16", 2 * 16 * 8 * 16),
        ("HMMA.1688.F16", "fp16_fp16acc", 2 * 16 * 8 * 8),
        ("HMMA.1684.F32.TF32", "tf32", 2 * 16 * 8 * 4),
        ("HMMA.884.F32.F32.STEP1", "fp16", 512),
        ("HMMA.884.F16.F16.STEP0", "fp16_fp16acc", 1024),
        ("IMMA.16832.S8.S8", "int8", 2 * 16 * 8 * 32),
        ("IMMA.8816.U8.U8.SAT", "int8", 2 * 8 * 8 * 16),
        ("IMMA.16864.S4.S4", "int4", 2 * 16 * 8 * 64),
        ("IMMA.SP.16864.S8.S8", "int8", 2 * 16 * 8 * 64),  # mma.sp.m16n8k64: the dense K
        ("HMMA.SP.16832.F32.BF16", "bf16", 8192),
        ("DMMA.884", "fp64_tensor", 2 * 8 * 8 * 4),
        ("QMMA.16832.F32.E4M3.E4M3", "fp8", 2 * 16 * 8 * 32),
        ("QMMA.16832.F32.E2M3.E2M3", "fp6", 2 * 16 * 8 * 32),
        ("QMMA.16832.F32", "fp8", 2 * 16 * 8 * 32),
        ("OMMA.16864.F32.E2M1", "fp4", 2 * 16 * 8 * 64),
        ("HGMMA.64x128x16.F32.BF16", "bf16", 2 * 64 * 128 * 16 / 4),
        ("BMMA.168256.AND.POPC", "int1", 2 * 16 * 8 * 256),
    ],
)
def test_a_matrix_instruction_is_worth_twice_its_volume(opcode: str, path: str, flops: float) -> None:
    assert matrix_flops(opcode) == (path, flops)


@pytest.mark.parametrize("opcode", ["HFMA2.MMA", "MOV", "UTCHMMA.2CTA", "HMMA", "", "IDP.4A.S8.S8"])
def test_what_is_no_readable_matrix_product_is_worth_nothing_known(opcode: str) -> None:
    assert matrix_flops(opcode) is None


def test_thread_instructions_are_worth_their_factor() -> None:
    assert [scalar_flops(o) for o in ("FADD.FTZ", "FFMA", "HFMA2.BF16_V2", "DMUL", "IADD3")] == [
        ("fp32", 1),
        ("fp32", 2),
        ("fp16_scalar", 4),
        ("fp64", 1),
        None,
    ]
