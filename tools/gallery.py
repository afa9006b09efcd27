"""Write docs/gallery/ again: rooflines of public captures, which lie beside the repository."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

import ncu_roofline as nr
from ncu_roofline.analysis.roofline.picture import picture
from ncu_roofline.present.charts.bundle import roofline
from tests.corpus import CORPUS, PRESENT

GALLERY = Path(__file__).parent.parent / "docs" / "gallery"
SGLANG = "csv/gujialiang123__MOEresearch__results__2026-06-09_sglang_triton_sweep__ncu__{}__ncu_raw_full.csv"
QWEN = {"model": "qwen3-30b-a3b"}
WIDTH = 1200
"""Pixels: 1.5 times what GitHub shows."""

PICTURES: dict[str, tuple[str, dict[str, object], dict[str, object]]] = {
    "h200-batch-1": (SGLANG.format("R_short_decode"), {**QWEN, "batch": 1}, {}),
    "h200-batch-8-dark": (SGLANG.format("R_medium_balanced"), {**QWEN, "batch": 8}, {"theme": "dark"}),
    "h200-batch-32-theory": (SGLANG.format("R_concurrent_decode"), {**QWEN, "batch": 32}, {"theory": True}),
    "h200-executed-only": (SGLANG.format("R_concurrent_decode"), {}, {}),
    "l4-awq": ("rep/chuanbinp__uncertainty-aware-inference__TeamB__llama__results__ncu__llama2_7b_awq_int4.ncu-rep", {}, {}),
    "rtx5090-deepseek-ocr": ("csv/CodeGandee__*[st].csv", {}, {"gpu": "rtx 5090"}),
    "a100-cutlass-int8": ("rep/panjd123__cutlass__report.ncu-rep", {}, {}),
    "b200-flashinfer": ("csv/meinie0826__*flashinfer_paged_decode__gqa_bf16_b8_ctx8k_p64.ncu.csv", {}, {}),
}
"""File -> capture, facts of the run, and how it is drawn."""


def main() -> None:
    """Every picture of the gallery, or a sentence where the captures are not there."""
    if not PRESENT:
        raise SystemExit("the public captures (../shared/corpus) are not on this machine: the gallery stays as it is")
    for name, (pattern, facts, how) in PICTURES.items():
        sources = [str(p) for p in sorted(CORPUS.glob(pattern))]
        study = nr.study(nr.read(sources, **facts), gpu=how.get("gpu"))  # type: ignore[arg-type]
        drawn = roofline(picture(study), "png", theme=str(how.get("theme", "light")), theory=bool(how.get("theory")))
        (GALLERY / f"{name}.png").write_bytes(small(drawn))
        print(f"docs/gallery/{name}.png")


def small(png: bytes) -> bytes:
    """The picture in 255 colours and a third less wide: a repository is no place for megabytes."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    resized = image.resize((WIDTH, round(image.height * WIDTH / image.width)), Image.Resampling.LANCZOS)
    packed = io.BytesIO()
    resized.quantize(255, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(packed, "png", optimize=True)
    return packed.getvalue()


if __name__ == "__main__":
    main()
