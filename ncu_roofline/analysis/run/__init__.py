"""What ran? Phases, steps, layers, rows, ranks and tokens."""
