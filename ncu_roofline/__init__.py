"""Bytes per token and rooflines of decode, from Nsight Compute captures."""
