"""How long does the real step take? The clock beside the counters: steps.py (steps, busy, gaps), match.py (bytes)."""
