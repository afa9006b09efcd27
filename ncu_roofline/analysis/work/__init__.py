"""What did a launch do? Counters to FLOPs and bytes, each with the rung it stands on."""
