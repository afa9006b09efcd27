"""What can a GPU do? Peaks, bandwidth, rates per compute capability, and which GPU a report speaks of."""
