"""A report file of Nsight Compute to a Capture."""
