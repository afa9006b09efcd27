"""Synthetic captures: a decode run with known bytes and FLOPs, and every form a profiler writes.

frame = decode_run(batch=8, layers=4, counters="recipe")    # the LAUNCHES frame of a reader
known = truth(batch=8, layers=4)                            # roles, useful FLOPs, row for row
capture(batch=8, weights="fp8")                             # Capture, marked synthetic
write_report(path, Plan(batch=8)); write_raw_csv(path, ...) # files; models.py lists the options
"""

from tests.synthetic.frame import as_capture, capture, decode_run, device_of, truth
from tests.synthetic.models import H100, H200, LLAMA_8B, LLAMA_8B_MHA, QWEN3_MOE, RTX_5090, TINY, Plan, Shape, SyntheticGpu
from tests.synthetic.report import write_report
from tests.synthetic.tables import write_details_csv, write_metrics_csv, write_raw_csv

__all__ = [
    "H100",
    "H200",
    "LLAMA_8B",
    "LLAMA_8B_MHA",
    "QWEN3_MOE",
    "RTX_5090",
    "TINY",
    "Plan",
    "Shape",
    "SyntheticGpu",
    "as_capture",
    "capture",
    "decode_run",
    "device_of",
    "truth",
    "write_details_csv",
    "write_metrics_csv",
    "write_raw_csv",
    "write_report",
]
