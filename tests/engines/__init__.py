"""Synthetic launch sequences of real engines: real kernel names in their published order, planted counts.

Every engine is a function `forward(rows, sequences, layers, prefill=False)` -> the launches of one pass.
"""
