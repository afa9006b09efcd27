"""What does a kernel's name mean? Roles, types, row-wise grids."""
