"""What does a config.json say? Matrices, cache, experts, recurrent state, types."""
