"""What does the model need? Its matrices among the kernels, useful work, the floor."""
