"""Did it help? Sides, pairs, comparability, noise, verdict, gate."""
