"""How long does the real step take? Steps by ranges (marks.py), order (order.py) or LM head (heads.py); bytes (match.py)."""
