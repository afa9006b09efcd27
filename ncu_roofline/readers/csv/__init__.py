"""Every CSV that Nsight Compute prints to a Capture."""
